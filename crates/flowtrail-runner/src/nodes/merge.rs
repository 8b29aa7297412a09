//! `Merge`: joins branches. It runs when all ways to it are decided and at least one was taken, and takes what
//! came in the order of the connections in the flow file.

use flowtrail_types::ErrorKind;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Check, NodeContext, NodeError, NodeKind, Output};
use crate::MAX_REPEATED;
use crate::size::json_size;
use crate::suggest::suggestion;
use crate::template::Shared;

const STRATEGIES: [&str; 4] = ["concat", "first", "last", "array"];

pub(super) struct Merge;

impl NodeKind for Merge {
    fn name(&self) -> &'static str {
        "Merge"
    }

    fn is_brief(&self) -> bool {
        true
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["strategy", "separator"]);
        let strategy = check.required_text("strategy");
        if let Some(strategy) = strategy.filter(|strategy| !STRATEGIES.contains(strategy)) {
            let hint = suggestion(strategy, STRATEGIES);
            check.problem("strategy", format!("{strategy:?} is no strategy{hint}"));
        }
        if strategy != Some("concat") && check.parameter("separator").is_some() {
            check.problem("separator", "is for the strategy concat only");
        }
        check.text("separator");
        check.templates("separator");
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(async {
            let values: Vec<&Value> = context.arrived.iter().map(Shared::json).collect();
            if values.iter().map(|value| json_size(value)).sum::<usize>() > MAX_REPEATED {
                // A few merges after each other, of the same thing twice, would fill any memory.
                let message = "what is to be merged has more than 16 MiB as JSON";
                return Err(NodeError::new(ErrorKind::Limit, message));
            }
            let merged = match context.literal_text("strategy")? {
                "concat" => concat(&values, context.rendered_text("separator")?.as_deref()),
                "first" => values.first().copied().cloned().unwrap_or_default(),
                "last" => values.last().copied().cloned().unwrap_or_default(),
                "array" => values.into_iter().cloned().collect(),
                _ => return Err(NodeError::malformed("strategy", "is no strategy")),
            };
            Ok(Output::of(merged))
        })
    }
}

/// Arrays become one array, unless something is to stand between them; everything else becomes text.
fn concat(values: &[&Value], separator: Option<&str>) -> Value {
    if separator.is_none() {
        let arrays: Option<Vec<&Vec<Value>>> = values.iter().map(|value| value.as_array()).collect();
        if let Some(arrays) = arrays {
            return arrays.into_iter().flatten().cloned().collect();
        }
    }
    let texts: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    Value::String(texts.join(separator.unwrap_or_default()))
}
