//! What can be asked of a tracker, by resource.

mod catalog;
mod flows;
mod history;
mod principals;
mod record;

pub(crate) use catalog::Catalog;
pub use flows::FlowChange;
pub use history::ExecutionPage;
pub use principals::NewKey;
pub use record::{FinishedExecution, FinishedNode};
