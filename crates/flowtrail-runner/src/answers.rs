//! What an execution answers to whoever called, kept in the flow's order while it runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flowtrail_types::ErrorKind;
use serde_json::Value;

use crate::nodes::NodeError;
use crate::size::json_size;
use crate::{MAX_REPEATED, Returned};

/// The answers of an execution.
#[derive(Default)]
pub(crate) struct Answers(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// By where they come from: the node; in a loop's body the loop, the iteration and the node.
    answers: BTreeMap<Vec<usize>, (Value, Returned)>,
    /// How many bytes those have as JSON that came from bodies of loops.
    repeated: usize,
}

impl Answers {
    /// Keeps an answer.
    ///
    /// # Errors
    ///
    /// When it comes from the body of a loop, and those have given too much already.
    pub(crate) fn add(&self, from: Vec<usize>, value: &Value, returned: Returned) -> Result<(), NodeError> {
        let mut kept = self.lock();
        if from.len() > 1 {
            kept.repeated += json_size(value);
            if kept.repeated > MAX_REPEATED {
                let message = "the answers given in loops have more than 16 MiB as JSON";
                return Err(NodeError::new(ErrorKind::Limit, message));
            }
        }
        kept.answers.insert(from, (value.clone(), returned));
        Ok(())
    }

    /// Their values as the execution's outputs: of one its value, of several an array. Nothing without any.
    pub(crate) fn values(&self) -> Option<Value> {
        let kept = self.lock();
        let mut values = kept.answers.values().map(|(value, _)| value.clone());
        match kept.answers.len() {
            0 | 1 => values.next(),
            _ => Some(values.collect()),
        }
    }

    /// The answers, in order.
    pub(crate) fn into_returned(self) -> Vec<Returned> {
        let kept = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        kept.answers.into_values().map(|(_, returned)| returned).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
