//! What can be asked of a tracker, by resource.

mod allowed;
mod audit;
mod catalog;
mod deletion;
mod differences;
mod flows;
mod history;
mod known;
mod points;
mod principals;
mod record;
mod recorded;
mod replay;
mod reported_node;
mod statistics;
mod tokens;
mod walk;

pub use allowed::{ExecutionAct, FlowAct};
pub use audit::AuditPage;
pub(crate) use catalog::Catalog;
pub(crate) use deletion::AT_ONCE;
pub use deletion::{Keep, Really};
pub use differences::Difference;
pub use flows::FlowChange;
pub use history::ExecutionPage;
pub(crate) use known::Known;
pub use known::{Mark, RulesMark};
pub use points::Points;
pub use principals::NewKey;
pub use record::{FinishedExecution, ReportedEnd};
pub use recorded::Recorded;
pub use reported_node::FinishedNode;
pub use statistics::{StatsPoint, StatsRange};
pub use tokens::{NewToken, Session};
pub use walk::Walk;
