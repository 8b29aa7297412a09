//! Runs flows: reads and checks definitions, runs them node by node, and records them through the tracker.
//!
//! * [`parse_flow_file`] and [`parse_flow`] read flows from JSON, [`validate()`] checks a draft, and
//!   [`write_flow_file`] writes one. They tell every problem ([`Problems`]), by node and field.
//! * [`import_flow_file`] reads the flow files of other systems too, and tells what could not be carried over
//!   ([`ImportNote`]).
//! * [`input_schema`] and [`check_arguments`] are about calling a flow.
//! * [`Runner::run`] runs a [`Call`]. Every node is recorded when it ends, and the execution is durable before
//!   its first node runs, or when it has ended if that is in a moment and leaves no trace outside.
//!
//! Inside, a kind of node is one file in `nodes` with one trait to implement, `NodeKind`. What kinds need to be
//! harmless stands beside it: `template` renders `{{ … }}`, `sandbox` runs JavaScript, `http` makes requests.
//! What the runner does not know is asked of others: tools of MCP servers through [`Upstreams`].
//! A node has a timeout, can be stopped at any time, and cannot take the process down.

mod answers;
mod arguments;
mod attempt;
mod bodies;
mod body;
mod call;
mod course;
mod duration;
mod excerpt;
mod execution;
mod finished;
mod flow_file;
mod graph;
mod http;
mod nodes;
mod parameter;
pub mod places;
mod plan;
mod problem;
mod progress;
mod retry;
mod runner;
mod sandbox;
mod secret_rules;
mod secrets;
mod size;
mod suggest;
mod tally;
mod template;
mod trace;
mod upstreams;
mod validate;

pub use arguments::{check_arguments, first_parameter, input_schema};
pub use call::{Call, Observer};
pub use finished::{Finished, Returned, RunError};
pub use flow_file::{
    ImportNote, Imported, NoteKind, import_flow_file, parse_flow, parse_flow_file, write_flow_file,
};
pub use http::{ContentDecoder, ContentError, tls_config};
pub use nodes::output_schema;
pub use problem::{Problem, Problems};
pub use runner::{Runner, RunnerOptions, Running};
pub use sandbox::{WorkerProgram, run_script_worker};
pub use secrets::{Rules as SecretRules, Secrets};
pub use trace::TraceContext;
pub use upstreams::{UpstreamAnswer, UpstreamCall, UpstreamError, Upstreams};
pub use validate::validate;

/// How deep flows may call each other.
const MAX_DEPTH: u8 = 8;

/// The most bytes that the results of a loop, the answers given in loops, and what is merged may have as JSON.
const MAX_REPEATED: usize = 16 * 1024 * 1024;

/// How deep JSON may be nested that is made again and again.
const MAX_NESTING: usize = 128;

/// How many flows may be called by flows because of one call.
const MAX_DESCENDANTS: usize = 1_000;
