//! The promise of an answer, which is kept in time also when the database does not answer.

use std::sync::{Mutex, PoisonError};

use flowtrail_types::ExecutionId;

use crate::TrackerError;
use crate::ack::Reply;

/// The answer that somebody waits for.
#[derive(Debug)]
pub(super) struct Promise {
    /// The execution that the command is about, if it is about one.
    execution: Option<ExecutionId>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nothing of it was sent to the database.
    Queued(oneshot::Sender<Reply>),
    /// It may have reached the database.
    Sent(oneshot::Sender<Reply>),
    Answered,
}

impl Promise {
    pub(super) fn new(execution: Option<ExecutionId>, reply: oneshot::Sender<Reply>) -> Self {
        Self { execution, state: Mutex::new(State::Queued(reply)) }
    }

    fn take(&self) -> State {
        std::mem::replace(&mut *self.lock(), State::Answered)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the command goes to the database from now on. False when it must not: who sent it was told that it did not.
    pub(super) fn send_off(&self) -> bool {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Answered) {
            State::Queued(reply) | State::Sent(reply) => {
                *state = State::Sent(reply);
                true
            }
            State::Answered => false,
        }
    }

    /// Notes that the database has nothing of it: it was rolled back.
    pub(super) fn come_back(&self) {
        let mut state = self.lock();
        if let State::Sent(reply) = std::mem::replace(&mut *state, State::Answered) {
            *state = State::Queued(reply);
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        matches!(*self.lock(), State::Answered)
    }

    /// Answers, unless that was done already.
    pub(super) fn answer(&self, reply: Reply) {
        if let State::Queued(sender) | State::Sent(sender) = self.take() {
            // Whoever waited may be gone; what they sent is written all the same.
            let _ = sender.send(reply);
        }
    }

    /// Answers that it took too long: as busy when nothing was sent to the database, otherwise that nobody knows.
    pub(super) fn expire(&self) {
        let (sender, error) = match self.take() {
            State::Queued(sender) => (sender, TrackerError::Busy),
            State::Sent(sender) => (sender, TrackerError::Unknown { execution: self.execution }),
            State::Answered => return,
        };
        let _ = sender.send(Err(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise() -> (Promise, oneshot::Receiver<Reply>) {
        let (sender, receiver) = oneshot::channel();
        (Promise::new(None, sender), receiver)
    }

    #[test]
    fn what_was_never_sent_is_busy_and_is_not_sent_later() {
        let (promise, answer) = promise();
        promise.expire();
        assert!(matches!(answer.recv(), Ok(Err(TrackerError::Busy))));
        assert!(!promise.send_off());
    }

    #[test]
    fn what_may_have_been_written_is_not_known() {
        let (promise, answer) = promise();
        assert!(promise.send_off());
        promise.expire();
        promise.answer(Err(TrackerError::Closed));
        assert!(matches!(answer.recv(), Ok(Err(TrackerError::Unknown { execution: None }))));
    }

    #[test]
    fn what_was_rolled_back_is_busy() {
        let (promise, answer) = promise();
        assert!(promise.send_off());
        promise.come_back();
        promise.expire();
        assert!(matches!(answer.recv(), Ok(Err(TrackerError::Busy))));
    }
}
