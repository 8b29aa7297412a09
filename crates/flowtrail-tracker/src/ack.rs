//! What is promised when something is handed to the recorder.

use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use flowtrail_store::Applied;

use crate::TrackerError;

/// What the recorder answers for one command.
pub(crate) type Reply = Result<Applied, TrackerError>;

type Finish<T> = Box<dyn FnOnce(Reply) -> Result<T, TrackerError> + Send>;

/// An acknowledgement that is on its way: when it is there, the record is durable.
///
/// It is a future for any executor. On a plain thread, [`wait`](Self::wait) blocks for it. Dropping it changes
/// nothing: what was handed over is written all the same.
#[must_use = "nothing is known to be recorded before this has been awaited, or `wait` has returned"]
pub struct Ack<T> {
    state: State,
    finish: Option<Finish<T>>,
}

enum State {
    Fresh(oneshot::Receiver<Reply>),
    Polled(oneshot::AsyncReceiver<Reply>),
    Done,
}

impl<T> Ack<T> {
    pub(crate) fn new(
        receiver: oneshot::Receiver<Reply>,
        finish: impl FnOnce(Reply) -> Result<T, TrackerError> + Send + 'static,
    ) -> Self {
        Self { state: State::Fresh(receiver), finish: Some(Box::new(finish)) }
    }

    /// Blocks this thread until the record is durable.
    ///
    /// # Errors
    ///
    /// When it was not written; the error says why.
    pub fn wait(mut self) -> Result<T, TrackerError> {
        let reply = match std::mem::replace(&mut self.state, State::Done) {
            State::Fresh(receiver) => receiver.recv().unwrap_or(Err(TrackerError::Closed)),
            // Polled once already: the channel has no way back, so the future is driven here.
            State::Polled(receiver) => block_on(receiver),
            State::Done => Err(TrackerError::Closed),
        };
        self.finish(reply)
    }

    /// The same acknowledgement, of something else.
    pub fn map<U>(mut self, change: impl FnOnce(T) -> U + Send + 'static) -> Ack<U>
    where
        T: 'static,
    {
        let state = std::mem::replace(&mut self.state, State::Done);
        let finish = self.finish.take();
        let finish = finish.map(|finish| -> Finish<U> { Box::new(move |reply| finish(reply).map(change)) });
        Ack { state, finish }
    }

    fn finish(&mut self, reply: Reply) -> Result<T, TrackerError> {
        match self.finish.take() {
            Some(finish) => finish(reply),
            None => Err(TrackerError::Closed),
        }
    }
}

impl<T> Future for Ack<T> {
    type Output = Result<T, TrackerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Fresh(_) = self.state
            && let State::Fresh(receiver) = std::mem::replace(&mut self.state, State::Done)
        {
            self.state = State::Polled(receiver.into_future());
        }
        let State::Polled(receiver) = &mut self.state else {
            return Poll::Ready(Err(TrackerError::Closed));
        };
        match Pin::new(receiver).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(reply) => {
                self.state = State::Done;
                let reply = reply.unwrap_or(Err(TrackerError::Closed));
                Poll::Ready(self.finish(reply))
            }
        }
    }
}

impl<T> Debug for Ack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").finish_non_exhaustive()
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on(mut receiver: oneshot::AsyncReceiver<Reply>) -> Reply {
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    loop {
        match Pin::new(&mut receiver).poll(&mut context) {
            Poll::Ready(reply) => return reply.unwrap_or(Err(TrackerError::Closed)),
            Poll::Pending => std::thread::park(),
        }
    }
}
