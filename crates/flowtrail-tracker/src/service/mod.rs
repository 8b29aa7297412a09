//! What can be asked of a tracker, by resource.

mod catalog;
mod deletion;
mod flows;
mod history;
mod principals;
mod record;
mod statistics;

pub(crate) use catalog::Catalog;
pub(crate) use deletion::AT_ONCE;
pub use deletion::Keep;
pub use flows::FlowChange;
pub use history::ExecutionPage;
pub use principals::NewKey;
pub use record::{FinishedExecution, FinishedNode};
pub use statistics::{StatsPoint, StatsRange};
