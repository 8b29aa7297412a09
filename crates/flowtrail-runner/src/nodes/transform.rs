//! `Transform`: a JavaScript function body over `input` and `nodes`, in a sandbox without I/O.

use std::time::Duration;

use flowtrail_types::Node;
use futures_util::future::BoxFuture;

use super::{Check, NodeContext, NodeError, NodeKind, Output, own_timeout};
use crate::sandbox::Script;

pub(super) struct Transform;

impl NodeKind for Transform {
    fn name(&self) -> &'static str {
        "Transform"
    }

    fn is_brief(&self) -> bool {
        true
    }

    fn timeout(&self, node: &Node) -> Option<Duration> {
        // The sandbox has a limit of its own, which begins when the script does and not while it waits.
        own_timeout(node)
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["code"]);
        if let Some(code) = check.required_text("code") {
            check.script("code", &Script::Body(code.to_owned()));
        }
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(async {
            let script = Script::Body(context.literal_text("code")?.to_owned());
            let (input, nodes) = (context.scope.input.clone(), context.scope.outputs.clone());
            Ok(Output::of_json(context.run_script(script, input, nodes).await?))
        })
    }
}
