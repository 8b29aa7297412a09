//! Keeping pace with the recorder, for executions of very many nodes.

use flowtrail_store::{Command, NewNode};

use super::{ExecutionHandle, Shared};
use crate::TrackerError;
use crate::ack::Reply;
use crate::recorder::Patience;

/// How many nodes may wait to be written before whoever keeps pace waits too.
const MAX_BEHIND: usize = 256;

/// How many bytes of their payloads.
const MAX_BYTES_BEHIND: usize = 8 << 20;

impl ExecutionHandle {
    /// Waits, if many of its nodes are not written yet, until they are: for executions of very many nodes, which are
    /// not all to be kept in memory. What was refused because too much was waiting is handed over once more.
    pub async fn keep_pace(&self) {
        let Some(newest) = self.shared.newest_if_behind() else { return };
        // What came before is answered before: one answer tells of all.
        if self.shared.submit_again(vec![newest]).await.is_err() {
            return;
        }
        let refused = self.shared.not_acknowledged();
        let seqs: Vec<i32> = refused.iter().map(|node| node.seq).collect();
        if !refused.is_empty() && self.shared.submit_again(refused).await.is_ok() {
            self.shared.lock().unacknowledged.retain(|(node, _)| !seqs.contains(&node.seq));
        }
    }
}

impl Shared {
    /// The newest node that is not acknowledged, when there are many or large ones.
    fn newest_if_behind(&self) -> Option<NewNode> {
        let nodes = self.lock();
        let size = |payload: &Option<flowtrail_types::Payload>| payload.as_ref().map_or(0, |p| p.size());
        let bytes =
            || nodes.unacknowledged.iter().map(|(node, _)| size(&node.input) + size(&node.output)).sum();
        let is_behind = nodes.unacknowledged.len() > MAX_BEHIND || MAX_BYTES_BEHIND < bytes();
        nodes.unacknowledged.last().filter(|_| is_behind).map(|(node, _)| node.clone())
    }

    /// The nodes that are not acknowledged, without those of which it is only seen now that they are.
    fn not_acknowledged(&self) -> Vec<NewNode> {
        let mut nodes = self.lock();
        nodes.forget_acknowledged();
        nodes.unacknowledged.iter().map(|(node, _)| node.clone()).collect()
    }

    /// Hands over nodes that were handed over before: by their numbers they are one.
    async fn submit_again(&self, nodes: Vec<NewNode>) -> Reply {
        let at = self.tracker.clock.now();
        let command = Command::Append { execution: self.id, nodes, at, renewed_until: None };
        let reply = self.tracker.recorder.submit(command, Patience::Endless).into_future().await;
        reply.unwrap_or(Err(TrackerError::Closed))
    }
}
