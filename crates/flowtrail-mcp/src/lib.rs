//! Flows as MCP tools.
//!
//! [`FlowServer`] is a handler for the official Rust SDK. It lists the active flows that a principal may call
//! as tools, runs them, and tells clients when the list has changed. It speaks both eras of the protocol:
//! sessions (2025-11-25 and older) and stateless requests (2026-07-28).
//!
//! It knows no HTTP server: whoever mounts it puts the [`Principal`](flowtrail_types::Principal) of a request
//! into the request's extensions. [`serve_stdio`] serves it over standard input and output, as the local
//! administrator.

mod answer;
mod as_sent;
mod call;
mod caller;
mod check;
mod history;
mod plain;
mod progress;
pub mod proxy;
mod server;
mod stdio;
mod tools;
mod trace;
mod unanswered;

pub use as_sent::read_for_sdk;
pub use caller::UpstreamCaller;
pub use check::malformed;
pub use plain::{CallHeaders, PlainCall};
pub use server::{Caller, FlowServer};
pub use stdio::{StdioError, serve_stdio};
