//! `Return`: answers with text or with JSON.

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Check, NodeContext, NodeError, NodeKind, Output};
use crate::Returned;

pub(super) struct Return;

impl NodeKind for Return {
    fn name(&self) -> &'static str {
        "Return"
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["text", "json"]);
        // A `json` of null is an answer too.
        let parameters = &check.node().parameters;
        match (check.parameter("text"), parameters.contains_key("json")) {
            (None, false) => check.problem("text", "is missing: a Return has either text or json"),
            (Some(_), true) => check.problem("json", "is one too many: a Return has either text or json"),
            _ => {}
        }
        check.text("text");
        check.templates("text");
        check.templates("json");
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(async {
            if let Some(text) = context.rendered_text("text")? {
                return Ok(Output::answering(Value::String(text.clone()), Returned::Text(text)));
            }
            let value = context.rendered("json")?.unwrap_or(Value::Null);
            Ok(Output::answering(value.clone(), Returned::Json(value)))
        })
    }
}
