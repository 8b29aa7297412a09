//! The end of a server's process, and who is told of it.

use std::sync::{PoisonError, Weak};

use super::Inner;

/// However the reading ends, those who wait are told: also when it broke off.
pub(super) struct EndOfReading(pub(super) Weak<Inner>);

impl Drop for EndOfReading {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.end("the server is not listened to any more");
        }
    }
}

impl Inner {
    /// It answers no more. What was said first of why counts.
    pub(super) fn end(&self, why: &str) {
        let is_first = self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            ended.get_or_insert_with(|| why.to_owned());
            is_first
        });
        if !is_first {
            return;
        }
        if let Some(tap) = &self.tap {
            tap.server_left(why);
        }
        // Those who wait for an answer are told that none will come.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).requests.clear();
    }
}
