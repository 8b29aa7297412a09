//! What the iterations of a loop have given, within a bound.

use flowtrail_types::{ErrorKind, json_object};
use serde_json::Value;

use super::super::NodeError;
use crate::size::{is_deeper_than, json_size};
use crate::template::Shared;
use crate::{MAX_NESTING, MAX_REPEATED};

/// The results so far.
#[derive(Default)]
pub(super) struct Results {
    values: Vec<Value>,
    last: Option<Shared>,
    bytes: usize,
}

impl Results {
    /// Of how many iterations.
    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    /// What the last iteration gave; null before the first.
    pub(super) fn last(&self) -> Shared {
        self.last.clone().unwrap_or_else(super::nothing)
    }

    /// Adds what an iteration gave.
    ///
    /// # Errors
    ///
    /// When it is too much together.
    pub(super) fn add(&mut self, result: Shared) -> Result<(), NodeError> {
        self.bytes += json_size(result.json());
        if self.bytes > MAX_REPEATED {
            let count = self.count() + 1;
            let message = format!("the results of {count} iterations have more than 16 MiB as JSON");
            return Err(NodeError::new(ErrorKind::Limit, message));
        }
        // One iteration may put what the last one gave into an array, and so may the next.
        if is_deeper_than(result.json(), MAX_NESTING) {
            let message = format!(
                "the result of iteration {} is nested deeper than {MAX_NESTING} levels",
                self.count()
            );
            return Err(NodeError::new(ErrorKind::Limit, message));
        }
        self.values.push(result.json().clone());
        self.last = Some(result);
        Ok(())
    }

    /// The loop's output.
    pub(super) fn into_output(self) -> Value {
        json_object([("iterations", self.values.len().into()), ("results", Value::Array(self.values))])
    }
}
