//! How often a loop repeats its body, and what each iteration is given.

use flowtrail_types::ErrorKind;
use serde_json::Value;

use super::super::{NodeContext, NodeError};
use super::{max_iterations, too_many};
use crate::body::Iterated;
use crate::sandbox::{Script, ScriptError, check_doubles};
use crate::template::Shared;

/// What decides over the iterations of a loop.
pub(super) struct Turns {
    kind: Kind,
    most: usize,
    came: bool,
}

enum Kind {
    /// One for each of these.
    Over(std::vec::IntoIter<Value>),
    /// So many.
    Count(usize),
    /// As many as it takes until this is true.
    Until { condition: String, input: Shared },
}

impl Turns {
    /// What a loop's parameters say.
    ///
    /// # Errors
    ///
    /// When they give nothing that can be repeated over, or too much.
    pub(super) async fn of(context: &NodeContext<'_>) -> Result<Self, NodeError> {
        let most = max_iterations(context.node);
        let kind = if context.literal("over").is_some() {
            Kind::Over(items(context, most).await?.into_iter())
        } else if let Some(count) = context.rendered("count")? {
            Kind::Count(whole(&count, most)?)
        } else {
            let condition = context.literal_text("until")?.to_owned();
            Kind::Until { condition, input: context.scope.input.clone() }
        };
        Ok(Self { kind, most, came: false })
    }

    /// What the next iteration is given; nothing when there is none.
    ///
    /// # Errors
    ///
    /// When there would be too many.
    pub(super) fn next(&mut self, index: usize, last: &Shared) -> Result<Option<Shared>, NodeError> {
        let item = match &mut self.kind {
            Kind::Over(items) => items.next().map(Shared::new),
            Kind::Count(count) => (index < *count).then(|| Shared::new(Value::from(index))),
            Kind::Until { .. } if index >= self.most => {
                return Err(too_many("parameters.until has not come true", self.most));
            }
            Kind::Until { input, .. } if index == 0 => Some(input.clone()),
            Kind::Until { .. } => Some(last.clone()),
        };
        self.came |= item.is_some();
        Ok(item)
    }

    /// Whether the iteration that has just ended was the last because of what it has given.
    ///
    /// # Errors
    ///
    /// When that cannot be told.
    pub(super) async fn is_over(
        &self,
        context: &NodeContext<'_>,
        index: usize,
        Iterated { result, outputs }: Iterated,
    ) -> Result<bool, NodeError> {
        let Kind::Until { condition, .. } = &self.kind else { return Ok(false) };
        let script = Script::Condition(condition.clone());
        let failed = |error: ScriptError| {
            let message = format!("parameters.until after iteration {index}: {}", error.message);
            NodeError::new(error.kind, message)
        };
        check_doubles("input", result.json()).map_err(failed)?;
        let holds = context
            .runner
            .sandbox()
            .run(context.call.principal.id, script, &result, outputs)
            .await
            .map_err(failed)?;
        Ok(holds.value == Value::Bool(true))
    }

    /// Whether there was no iteration at all.
    pub(super) fn never_came(&self) -> bool {
        !self.came
    }
}

async fn items(context: &NodeContext<'_>, most: usize) -> Result<Vec<Value>, NodeError> {
    let script = Script::Expression(context.literal_text("over")?.to_owned());
    let (input, nodes) = (context.scope.input.clone(), context.scope.outputs.clone());
    match context.run_script(script, input, nodes).await?.value {
        Value::Array(items) if items.len() > most => {
            Err(too_many(&format!("parameters.over gives {} items", items.len()), most))
        }
        Value::Array(items) => Ok(items),
        other => {
            let message = format!("parameters.over: must give an array, and gave {}", kind_of(&other));
            Err(NodeError::new(ErrorKind::Failed, message))
        }
    }
}

/// A count that a template may have given.
fn whole(count: &Value, most: usize) -> Result<usize, NodeError> {
    let number = count.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
    let Some(number) = number else {
        let message = format!("must be a whole number from 0, and is {}", kind_of(count));
        return Err(NodeError::malformed("count", &message));
    };
    // A float of this size is exact, and what is larger is too many anyway.
    #[expect(clippy::cast_precision_loss, reason = "at most 10,000")]
    if number > most as f64 {
        return Err(too_many(&format!("parameters.count is {count}"), most));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 10,000"
    )]
    Ok(number as usize)
}

/// A value for a person: a number itself, of all else the type.
fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
