//! Progress: one notification for each node that ends, to a client that asked for it.

use std::time::Duration;

use flowtrail_runner::Observer;
use flowtrail_types::NodeStatus;
use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::RequestContext;
use tokio::sync::mpsc;

/// How long a client that does not read its notifications may hold up a call.
const PATIENCE: Duration = Duration::from_secs(1);

/// One node that ended.
#[derive(Debug)]
pub(crate) struct Step {
    done: usize,
    total: usize,
    message: String,
}

/// Passes on what a running flow tells.
#[derive(Debug)]
pub(crate) struct Steps(pub(crate) mpsc::UnboundedSender<Step>);

impl Observer for Steps {
    fn node_ended(&self, done: usize, total: usize, node: &str, status: NodeStatus) {
        let message = format!("{node}: {}", status.as_str());
        // Nobody listens any more when the call has been answered.
        let _ = self.0.send(Step { done, total, message });
    }
}

/// Tells the client of one step. A client that is gone or does not read misses it.
pub(crate) async fn notify(context: &RequestContext<RoleServer>, token: &ProgressToken, step: Step) {
    #[expect(clippy::cast_precision_loss, reason = "a flow has at most 500 nodes")]
    let (done, total) = (step.done as f64, step.total as f64);
    let progress =
        ProgressNotificationParam::new(token.clone(), done).with_total(total).with_message(step.message);
    let sent = tokio::time::timeout(PATIENCE, context.peer.notify_progress(progress)).await;
    if !matches!(sent, Ok(Ok(()))) {
        log::debug!("a progress notification was not delivered");
    }
}
