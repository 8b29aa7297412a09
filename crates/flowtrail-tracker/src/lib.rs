//! Records executions of flows durably, and answers questions about them.
//!
//! A program that runs flows of its own adds this crate and a store, and has a history:
//!
//! ```
//! use flowtrail_store::MemoryStore;
//! use flowtrail_tracker::{NodeStart, StartExecution, Tracker};
//! use flowtrail_types::Source;
//! use serde_json::json;
//!
//! # fn main() -> Result<(), flowtrail_tracker::TrackerError> {
//! let tracker = Tracker::open(MemoryStore::new())?;
//! let me = tracker.local_administrator()?;
//! let flow = tracker.external_flow(&me, "Nightly import")?;
//! let params = json!({"day": "2026-01-06"});
//! let execution = tracker.start(&me, StartExecution::of(&flow, Source::Embedded).params(&params))?.wait()?;
//! let fetch = execution.begin_node(NodeStart::new("fetch", "http", &json!({"url": "https://shop.example"})));
//! fetch.complete(&json!({"rows": 12}));
//! let store = execution.begin_node(NodeStart::new("store", "sql", &json!({"rows": 12})));
//! store.complete(&json!({"stored": 12}));
//! execution.fulfil(Some(&json!({"stored": 12}))).wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! What a call returns is an [`Ack`]: a future for any executor, or `wait()` for a plain thread. When it is
//! there, the record is as durable as the store makes it.
//!
//! * [`Tracker`] is the service, and the one place where rules are decided: access, lifecycle, redaction, caps.
//! * The recorder (a bounded queue and one thread) writes whatever is waiting in one transaction.
//! * [`Tracker::listen`] tells of what happens as it happens, by one thread that is there while anybody listens.
//! * Housekeeping (one thread) ends what has timed out, what died with its process, and tells running
//!   executions that somebody asked them to stop.
//! * Upkeep (one thread, in one process of all that share a database) applies retention rules, deletes the rows of what
//!   was pruned, packs the data of what has ended and gives back space.
//! * An [`ExecutionHandle`] that is dropped unfinished ends its execution as aborted, and says so.

mod access;
mod ack;
mod beside;
mod capture;
mod changes;
mod error;
mod events;
mod handle;
mod housekeeping;
mod measures;
mod recorder;
mod running;
mod sent;
mod service;
mod start;
mod threads;
mod tracker;
mod upkeep;

pub use ack::Ack;
pub use beside::{Ending, Happening};
pub use capture::{CutOff, InvalidSecret, Redactor, secret_forms};
pub use changes::Changed;
pub use error::{DiskTrouble, TrackerError};
pub use events::{Event, EventKind, Heard, Listener, NodeProgress, TooSlow};
pub use flowtrail_store::Applied;
pub use handle::{Answered, ExecutionHandle, NodeHandle, NodeStart, Question, Waiting, WaitingExecution};
pub use housekeeping::Housekept;
pub use measures::{Distribution, Measures};
pub use recorder::RecorderLimits;
pub use sent::Sent;
pub use service::{
    AuditPage, Difference, ExecutionAct, ExecutionPage, FinishedExecution, FinishedNode, FlowAct, FlowChange,
    ImportCounts, Keep, Mark, NewKey, NewToken, Points, Really, Recorded, RejectedCall, RejectedTool,
    ReportedEnd, Restored, RestoredNode, RulesMark, Session, StatsPoint, StatsRange, UpstreamTool, Walk,
};
pub use start::StartExecution;
pub use tracker::{Options, Tracker};
pub use upkeep::Kept;
