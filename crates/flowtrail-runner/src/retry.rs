//! Trying again: `retry` of nodes that ask somebody else, who may be away for a moment.
//!
//! `{"maxAttempts": 3, "delay": "1s", "factor": 2, "maxDelay": "30s", "on": ["timeout", "network", "status"]}`.
//! Only failures that may pass by themselves are worth it; a request that is wrong is wrong again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use flowtrail_types::ExecutionId;
use serde_json::Value;

use crate::duration::{parse_timeout, spoken};
use crate::suggest::suggestion;

const FIELDS: [&str; 5] = ["maxAttempts", "delay", "factor", "maxDelay", "on"];

/// Why a failure may pass by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It took longer than it may.
    Timeout,
    /// The other side could not be reached, or broke off.
    Network,
    /// The other side said that it cannot answer now.
    Status,
}

impl Cause {
    const ALL: [Self; 3] = [Self::Timeout, Self::Network, Self::Status];

    const fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Status => "status",
        }
    }
}

/// A failure that may pass by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transient {
    /// Why.
    pub(crate) cause: Cause,
    /// How long to wait, if the other side said so.
    pub(crate) after: Option<Duration>,
}

impl From<Cause> for Transient {
    fn from(cause: Cause) -> Self {
        Self { cause, after: None }
    }
}

/// How often a node is tried, and how long is waited in between.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retry {
    max_attempts: i32,
    delay: Duration,
    factor: f64,
    max_delay: Duration,
    on: Vec<Cause>,
}

impl Retry {
    /// Reads the parameter `retry`.
    ///
    /// # Errors
    ///
    /// Every problem: the path from the parameter (empty for the whole), and what is wrong.
    pub(crate) fn read(value: &Value) -> Result<Self, Vec<(String, String)>> {
        let mut problems = Vec::new();
        let Some(fields) = value.as_object() else {
            return Err(vec![(String::new(), "must be an object with maxAttempts".to_owned())]);
        };
        for field in fields.keys().filter(|field| !FIELDS.contains(&field.as_str())) {
            problems.push((format!(".{field}"), format!("is unknown{}", suggestion(field, FIELDS))));
        }
        let field = |name: &str| fields.get(name).filter(|value| !value.is_null());
        let max_attempts = field("maxAttempts").and_then(Value::as_i64);
        let max_attempts = max_attempts.and_then(|most| i32::try_from(most).ok());
        let max_attempts = max_attempts.filter(|most| (2..=10).contains(most)).unwrap_or_else(|| {
            problems.push((".maxAttempts".to_owned(), "must be a whole number from 2 to 10".to_owned()));
            2
        });
        let factor = field("factor").map_or(Some(2.0), Value::as_f64);
        let factor = factor.filter(|factor| (1.0..=10.0).contains(factor)).unwrap_or_else(|| {
            problems.push((".factor".to_owned(), "must be a number from 1 to 10".to_owned()));
            2.0
        });
        let mut duration = |name: &str, default: Duration| {
            let read = match field(name) {
                None => Ok(default),
                Some(Value::String(text)) => parse_timeout(text),
                Some(_) => Err("must be a duration like \"1s\"".to_owned()),
            };
            read.map_err(|message| problems.push((format!(".{name}"), message))).ok()
        };
        let delay = duration("delay", Duration::from_secs(1));
        let max_delay = duration("maxDelay", Duration::from_secs(30));
        if let (Some(delay), Some(max_delay)) = (delay, max_delay)
            && delay > max_delay
        {
            let message = format!("is more than maxDelay ({})", spoken(max_delay));
            problems.push((".delay".to_owned(), message));
        }
        let on = causes(field("on"), &mut problems);
        match (delay, max_delay) {
            (Some(delay), Some(max_delay)) if problems.is_empty() => {
                Ok(Self { max_attempts, delay, factor, max_delay, on })
            }
            _ => Err(problems),
        }
    }

    /// How long to wait after so many attempts, the last of which failed in this way; nothing when that was the
    /// last. `jitter`, from 0 to 1, spreads those who failed together: half of the delay is by chance.
    pub(crate) fn delay_after(&self, attempts: i32, transient: &Transient, jitter: f64) -> Option<Duration> {
        if attempts >= self.max_attempts || !self.on.contains(&transient.cause) {
            return None;
        }
        if let Some(after) = transient.after {
            return Some(after.min(self.max_delay));
        }
        let longest = self.max_delay.as_secs_f64();
        let delay = (self.delay.as_secs_f64() * self.factor.powi(attempts - 1)).min(longest);
        Some(Duration::from_secs_f64(delay * (0.5 + jitter.clamp(0.0, 1.0) / 2.0)))
    }
}

fn causes(value: Option<&Value>, problems: &mut Vec<(String, String)>) -> Vec<Cause> {
    let Some(value) = value else { return Cause::ALL.to_vec() };
    let words: Vec<&Value> = value.as_array().into_iter().flatten().collect();
    let known = |word: &&Value| Cause::ALL.into_iter().find(|cause| Some(cause.word()) == word.as_str());
    let causes: Vec<Cause> = words.iter().filter_map(known).collect();
    if causes.is_empty() || causes.len() < words.len() {
        let known = Cause::ALL.map(Cause::word).join(", ");
        problems.push((".on".to_owned(), format!("must be an array with at least one of {known}")));
    }
    causes
}

/// A number from 0 to 1 for an attempt: spread as by chance, and always the same for the same ids, which are
/// injected.
pub(crate) fn jitter(execution: ExecutionId, seq: i32) -> f64 {
    let mut hasher = DefaultHasher::new();
    (execution.to_string(), seq).hash(&mut hasher);
    // The upper half of the bits is enough, and is exact as a float.
    let bits = u32::try_from(hasher.finish() >> 32).unwrap_or_default();
    f64::from(bits) / f64::from(u32::MAX)
}

/// Whether an HTTP status says that it may be another one soon.
pub(crate) fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn retry(value: &Value) -> Retry {
        Retry::read(value).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn delays_grow_up_to_the_longest_and_end_with_the_attempts() {
        let retry = retry(
            &json!({"maxAttempts": 5, "delay": "100ms", "factor": 3, "maxDelay": "1s", "on": ["network"]}),
        );
        let network = Transient::from(Cause::Network);
        let delays: Vec<_> = (1..=5).map(|attempts| retry.delay_after(attempts, &network, 1.0)).collect();
        let expected = [Some(100), Some(300), Some(900), Some(1000), None];
        assert_eq!(delays, expected.map(|delay| delay.map(Duration::from_millis)));
        assert_eq!(retry.delay_after(1, &network, 0.0), Some(Duration::from_millis(50)));
        assert_eq!(retry.delay_after(1, &Cause::Status.into(), 1.0), None, "only what is listed");
    }

    #[test]
    fn what_the_other_side_asks_for_is_kept_up_to_the_longest() {
        let retry = retry(&json!({"maxAttempts": 3, "maxDelay": "10s"}));
        for (after, expected) in [(0, 0), (7, 7), (3600, 10)] {
            let transient = Transient { cause: Cause::Status, after: Some(Duration::from_secs(after)) };
            let delay = retry.delay_after(1, &transient, 0.3);
            assert_eq!(delay, Some(Duration::from_secs(expected)), "{after}");
        }
    }

    proptest! {
        #[test]
        fn every_delay_is_within_its_bounds(
            attempts in 1..10, factor in 1.0..10.0, delay in 1_u64..1000, most in 1_u64..100_000, jitter in 0.0..=1.0,
        ) {
            prop_assume!(delay <= most);
            let (delay, most) = (Duration::from_millis(delay), Duration::from_millis(most));
            let retry = Retry { max_attempts: 10, delay, factor, max_delay: most, on: Cause::ALL.to_vec() };
            let waited = retry.delay_after(attempts, &Cause::Timeout.into(), jitter).unwrap();
            prop_assert!(waited >= delay / 2 && waited <= most, "{waited:?}");
        }

        #[test]
        fn jitter_is_from_0_to_1_and_the_same_again(seq in 1..i32::MAX, random in any::<u128>()) {
            let execution = ExecutionId::from_uuid(uuid::Uuid::from_u128(random));
            let found = jitter(execution, seq);
            prop_assert!((0.0..=1.0).contains(&found));
            prop_assert_eq!(found.to_bits(), jitter(execution, seq).to_bits());
        }
    }

    #[test]
    fn statuses_that_may_pass() {
        let passing: Vec<u16> = (100..600).filter(|status| is_transient_status(*status)).collect();
        assert_eq!(passing, [408, 425, 429, 500, 502, 503, 504]);
    }
}
