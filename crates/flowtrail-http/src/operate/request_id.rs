//! A name for each request, by which an answer is found in the log.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::HeaderValue;
use uuid::Uuid;

/// The longest name that a client may give.
const LONGEST: usize = 128;

/// Where names come from: one for the process, and a number. They differ, and are no secret.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(process: Uuid) -> Self {
        // The last part is random; the first would be the same for all processes that began at about the same time.
        let process = process.simple().to_string().split_off(20);
        Self { process, next: AtomicU64::new(1) }
    }

    /// The name that the client gave, if it can stand in a log and holds no secret, or a new one.
    pub(crate) fn of(&self, told: Option<&HeaderValue>, is_secret: impl Fn(&str) -> bool) -> String {
        let told = told.and_then(|told| told.to_str().ok());
        let is_good = |text: &&str| {
            (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match told.filter(is_good).filter(|text| !is_secret(text)) {
            Some(told) => told.to_owned(),
            None => format!("{}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_name_is_kept_if_it_can_stand_in_a_log() {
        let ids = RequestIds::new(Uuid::nil());
        let of = |told: Option<&HeaderValue>| ids.of(told, |text| text.contains("hunter2"));
        assert_eq!(of(Some(&HeaderValue::from_static("abc-1"))), "abc-1");
        let long = HeaderValue::from_str(&"x".repeat(LONGEST + 1)).unwrap();
        let secret = HeaderValue::from_static("a-hunter2");
        for bad in [HeaderValue::from_static(""), HeaderValue::from_static("a b"), long, secret] {
            assert!(of(Some(&bad)).starts_with("000000000000-"), "{bad:?}");
        }
        assert_ne!(of(None), of(None));
    }
}
