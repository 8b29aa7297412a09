//! `Conditional`: passes its input on by `true` or by `false`, as a JavaScript expression decides.

use std::time::Duration;

use flowtrail_types::Node;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Check, NodeContext, NodeError, NodeKind, Output, own_timeout};
use crate::sandbox::Script;

const TRUE: &str = "true";
const FALSE: &str = "false";

pub(super) struct Conditional;

impl NodeKind for Conditional {
    fn name(&self) -> &'static str {
        "Conditional"
    }

    fn is_brief(&self) -> bool {
        true
    }

    fn branches(&self) -> &'static [&'static str] {
        &[TRUE, FALSE]
    }

    fn timeout(&self, node: &Node) -> Option<Duration> {
        own_timeout(node)
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["expression"]);
        if let Some(expression) = check.required_text("expression") {
            check.script("expression", &Script::Condition(expression.to_owned()));
        }
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(async {
            let script = Script::Condition(context.literal_text("expression")?.to_owned());
            let (input, nodes) = (context.scope.input.clone(), context.scope.outputs.clone());
            let holds = context.run_script(script, input, nodes).await?;
            let branch = if holds.value == Value::Bool(true) { TRUE } else { FALSE };
            Ok(Output { branch: Some(branch), ..Output::of(context.input().clone()) })
        })
    }
}
