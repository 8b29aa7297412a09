//! Standing in front of other MCP servers.
//!
//! A relay passes on bytes as they come, and hands a copy of what has passed to the [`Journal`]. Whether that can read it,
//! record it or even keep up has no bearing on what passes: the journal is a thread of its own behind a queue that
//! never makes anybody wait. What could not be recorded is counted and logged ([`Journal::gaps`]).
//!
//! * `message`, `skim`, `mend`: what is read from a message, however large it is.
//! * `connection`: which answer belongs to which call.
//! * `journal`, `call`: from there to the tracker.
//! * `stdio`, `bridge`: the relays of `flowtrail proxy`. The ones behind HTTP stand in `flowtrail-http`.

mod bridge;
mod call;
mod child;
mod connection;
mod held;
mod ids;
mod journal;
mod mend;
mod message;
mod moment;
mod passing;
mod rounds;
mod skim;
mod splice;
mod sse;
mod starts;
mod stdio;
mod tasks;
mod upstream;
mod web;

pub use http::{HeaderMap, HeaderName, HeaderValue, Method};

pub use bridge::relay_url;
pub(crate) use child::start as start_child;
pub use child::{ChildError, Ended};
pub use connection::{About, Failed};
pub use held::{AskError, Heard, HeldChild, Outgoing};
pub use journal::{Journal, Tap};
pub use message::beginning;
pub use passing::Passing;
pub(crate) use rounds::{Open, Task, TaskStatus};
pub(crate) use sse::{Event, SseReader};
pub use stdio::relay_command;
pub use upstream::{Command, InvalidUpstream, Reach, Upstream, derived_name};
pub use web::{Answer, Target, WebClient, WebError};
pub(crate) use web::{SESSION, client_builder};
