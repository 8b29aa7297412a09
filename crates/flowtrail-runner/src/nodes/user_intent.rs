//! `UserIntent`: the trigger. It declares what a flow is called with; its output is the arguments.

use std::time::Duration;

use flowtrail_types::Node;
use futures_util::future::BoxFuture;

use super::{Check, NodeContext, NodeError, NodeKind, Output};
use crate::parameter;

pub(super) struct UserIntent;

impl NodeKind for UserIntent {
    fn name(&self) -> &'static str {
        parameter::TRIGGER
    }

    fn is_brief(&self) -> bool {
        true
    }

    fn may_fail(&self) -> bool {
        false
    }

    fn timeout(&self, _: &Node) -> Option<Duration> {
        None
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["parameters"]);
        parameter::read(check.node(), check.problems());
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(async { Ok(Output::of(context.input().clone())) })
    }
}
