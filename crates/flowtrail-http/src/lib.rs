//! Flowtrail over HTTP.
//!
//! A transport only translates: what is allowed, valid, redacted or late is decided in the tracker, once. This
//! crate reads requests, asks, and writes answers; it is the only one that knows status codes.
//!
//! * [`App`] is the application; production and tests build it with the same function, [`App::configure`].
//! * [`serve`] runs it on a listener until it is told to stop.
//! * Each resource has a folder, each operation a file with its request, its handler and its tests.
//! * [`Caller`] is the extractor that a handler needs to know who asks; without a key there is no handler.
//! * [`ApiError`] is the one error; `error::TABLE` says what each code means, and `docs/API.md` shows it.

mod allowed;
mod answers;
mod app;
mod auth;
mod blocking;
mod body;
mod buffer;
mod error;
mod events;
mod executions;
mod export;
mod fields;
mod flows;
mod health;
mod import;
mod incoming;
mod lines;
mod mcp;
mod memory;
mod openapi;
mod openwebui;
mod operate;
mod people;
mod protected;
mod query;
mod routes;
mod server;
mod session;
mod turns;
mod ui;
mod upstreams;

pub use app::{App, AppOptions};
pub use auth::Caller;
pub use error::{ApiError, ErrorCode};
pub use export::{Export, ExportFormat, UnknownFormat};
pub use import::Import;
pub use openapi::openapi;
pub use routes::{Route, routes};
pub use server::{ServeError, ServeOptions, all_ended, serve};
