//! The words of Flowtrail as types.
//!
//! Everything here is plain data and pure functions: no I/O, no clock of its own, no transport and no
//! database. The other crates speak to each other in these types.
//!
//! * [`ExecutionId`], [`FlowId`] and their kin are UUIDs that cannot be mistaken for each other.
//! * [`Flow`] is what can be run or recorded, [`FlowDefinition`] the graph behind a runnable one.
//! * [`Execution`] is one run; [`lifecycle`] decides, as a pure function, which end it may take.
//! * [`Principal`] is who asks, [`ExecutionFilter`] and [`Page`] what they ask for and get.
//! * [`Clock`] and [`IdSource`] are injected wherever a time or an id is made.

#[macro_use]
mod words;

mod audit;
mod clock;
mod definition;
mod durations;
mod execution;
mod filter;
mod flow;
mod id;
mod json;
pub mod lifecycle;
mod page;
mod payload;
mod principal;
mod retention;
mod search;
mod statistics;
mod surrogate;
pub mod timestamp;

pub use audit::{AuditAction, AuditEntry, AuditQuery};
pub use clock::{Clock, ManualClock, SystemClock};
pub use definition::{Connection, FlowDefinition, Node};
pub use durations::{Durations, InvalidDurations};
pub use execution::{
    CaptureMark, CaptureMarks, ErrorInfo, ErrorKind, Execution, ExecutionStatus, ExecutionSummary,
    NodeExecution, NodeStatus, Source,
};
pub use filter::{ExecutionFilter, ExecutionQuery, FlowQuery, SortDirection, SortKey, Visibility};
pub use flow::{
    Access, CapturePolicy, Flow, FlowActivity, FlowDraft, FlowKind, FlowSummary, FlowVersion,
    InvalidToolName, SavedBy, ToolName,
};
pub use id::{
    ExecutionId, FlowId, IdSource, InstanceId, InvalidExecutionId, KeyId, RandomIds, SequentialIds, UserId,
};
pub use json::{
    DoubleFit, Json, Replaced, double_fit, json_as_rounded, json_object, number_as_rounded, read_json,
    read_json_value, same_json, same_number, whole_number, without_byte_order_mark,
};
pub use page::{Cursor, InvalidCursor, Page, PageRequest, Place, Position, Rank};
pub use payload::{Digest, Payload, PayloadError};
pub use principal::{ApiKey, Principal, Role, Token, TokenKind, User};
pub use retention::{Age, InvalidAge, Retention};
pub use search::{DurationRange, InvalidSearchText, InvalidTag, SearchText, Tag};
pub use statistics::{Counting, Statistics, StatsQuery, StatsScope, Step, Tally};
pub use surrogate::{replace_unpaired_surrogates, replace_unpaired_surrogates_in};
pub use words::UnknownName;
