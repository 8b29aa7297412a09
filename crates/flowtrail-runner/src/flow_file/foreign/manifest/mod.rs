//! Manifest's flows, of all generations that have nodes. Each trigger with what is reached from it becomes a flow.

mod answers;
mod api_call;
mod code;
mod convert;
mod reach;
mod references;
mod scan;
mod script;
mod source;
mod tools;
mod types;

pub(super) use source::{LEGACY_TRIGGER, Source};
pub(super) use tools::{Copies, Targets};
