//! An execution's life: which end it may take. Pure functions of state and command.
//!
//! ```text
//!             fulfil ──────────────► fulfilled
//! pending ──  fail   ──────────────► error
//!             abort  ──────────────► aborted
//!             (nothing heard) ─────► error, inferred
//! ```
//!
//! A reported end never changes. An inferred one may be corrected once, by the reporter that comes late;
//! what it is corrected to is reported, and so it never changes again.

use time::OffsetDateTime;

use crate::{ErrorInfo, ExecutionStatus};

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Fulfilled,
    /// It failed, for this reason.
    Error(ErrorInfo),
    /// It was stopped, for this reason if one was given.
    Aborted(Option<ErrorInfo>),
}

impl Outcome {
    /// The status that an execution with this outcome has.
    #[must_use]
    pub fn status(&self) -> ExecutionStatus {
        match self {
            Self::Fulfilled => ExecutionStatus::Fulfilled,
            Self::Error(_) => ExecutionStatus::Error,
            Self::Aborted(_) => ExecutionStatus::Aborted,
        }
    }

    /// The error info, if there is one.
    #[must_use]
    pub fn error(&self) -> Option<&ErrorInfo> {
        match self {
            Self::Fulfilled => None,
            Self::Error(error) => Some(error),
            Self::Aborted(error) => error.as_ref(),
        }
    }
}

/// Who says that an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Its reporter.
    Reported,
    /// Flowtrail, which heard nothing.
    Inferred,
}

/// What is known of an execution's end when another one comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Pending,
    /// It ended, and `same` says whether the end that comes in has the same content.
    Ended {
        /// Who said so.
        told: Told,
        /// Whether the end that comes in has the same content.
        same: bool,
    },
}

/// What becomes of an end that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the execution's end.
    Apply,
    /// It takes the place of an end that was only inferred.
    Correct,
    /// It says what is known already.
    AlreadySo,
}

/// The execution has another end, which stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the execution has already ended")]
pub struct AlreadyEnded;

/// Decides what becomes of an end that comes in.
///
/// # Errors
///
/// [`AlreadyEnded`] when the execution keeps the end that it has.
pub fn judge(standing: Standing, incoming: Told) -> Result<Verdict, AlreadyEnded> {
    match (standing, incoming) {
        (Standing::Pending, _) => Ok(Verdict::Apply),
        (Standing::Ended { told: Told::Inferred, .. }, Told::Reported) => Ok(Verdict::Correct),
        (Standing::Ended { same: true, .. }, _) => Ok(Verdict::AlreadySo),
        (Standing::Ended { .. }, _) => Err(AlreadyEnded),
    }
}

/// The end's time, which is never before the start whatever the clocks did.
#[must_use]
pub fn ended_at(started_at: OffsetDateTime, reported: OffsetDateTime) -> OffsetDateTime {
    reported.max(started_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told() -> impl Strategy<Value = Told> {
        prop_oneof![Just(Told::Reported), Just(Told::Inferred)]
    }

    proptest! {
        /// After any sequence of ends: the first reported one stands; before it, the first inferred one.
        #[test]
        fn the_first_reported_end_is_final(ends in prop::collection::vec((told(), 0u8..3), 0..12)) {
            let mut standing: Option<(Told, u8)> = None;
            for (incoming, content) in &ends {
                let state = match standing {
                    None => Standing::Pending,
                    Some((told, kept)) => Standing::Ended { told, same: kept == *content },
                };
                if let Ok(Verdict::Apply | Verdict::Correct) = judge(state, *incoming) {
                    standing = Some((*incoming, *content));
                }
            }
            let first_reported = ends.iter().find(|(told, _)| *told == Told::Reported);
            let expected = first_reported.or(ends.first()).copied();
            prop_assert_eq!(standing, expected);
        }
    }

    #[test]
    fn the_same_end_again_is_no_error() {
        let standing = Standing::Ended { told: Told::Reported, same: true };
        assert_eq!(judge(standing, Told::Reported), Ok(Verdict::AlreadySo));
    }

    #[test]
    fn an_inferred_end_never_replaces_anything() {
        for told in [Told::Reported, Told::Inferred] {
            let standing = Standing::Ended { told, same: false };
            assert_eq!(judge(standing, Told::Inferred), Err(AlreadyEnded));
        }
    }

    #[test]
    fn an_execution_never_ends_before_it_began() {
        let start = time::macros::datetime!(2026-01-06 12:00 UTC);
        assert_eq!(ended_at(start, start - time::Duration::HOUR), start);
    }
}
