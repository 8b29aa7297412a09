//! What a node is given when it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flowtrail_types::{ErrorKind, ExecutionId, Json, Node};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::NodeError;
use crate::body::Body;
use crate::call::Call;
use crate::runner::Runner;
use crate::sandbox::{Script, ScriptError, check_doubles};
use crate::secret_rules::{self, Misuse};
use crate::template::{self, Scope, Shared};

/// A node that runs: itself, what it can name, and who runs it.
pub(crate) struct NodeContext<'c> {
    /// The node.
    pub(crate) node: &'c Node,
    /// Its input, the outputs before it and the secrets.
    pub(crate) scope: Scope,
    /// What came in, one by one, in the order of the connections.
    pub(crate) arrived: Vec<Shared>,
    /// Of a loop, its body.
    pub(crate) body: Option<Body<'c>>,
    /// Who runs it.
    pub(crate) runner: &'c Runner,
    /// The call that it is part of.
    pub(crate) call: &'c Call,
    /// The execution that it is part of.
    pub(crate) execution: ExecutionId,
    /// Fires when the execution is to stop.
    pub(crate) stop: &'c CancellationToken,
    /// Whether a script received its input with numbers rounded to doubles.
    pub(crate) input_was_rounded: AtomicBool,
}

impl NodeContext<'_> {
    /// What the nodes before it gave it.
    pub(super) fn input(&self) -> &Value {
        self.scope.input.json()
    }

    /// Refuses a node of a stored flow that uses a secret where it may not stand.
    pub(crate) fn check_secrets(&self) -> Result<(), NodeError> {
        self.secrets_used().map(drop)
    }

    /// The secrets that the node names.
    fn secrets_used(&self) -> Result<Vec<String>, NodeError> {
        if !secret_rules::may_use(self.node) {
            return Ok(Vec::new());
        }
        let id = self.call.flow.id.to_string();
        let flow = secret_rules::names_of(&self.call.flow, &id);
        let secrets = self.runner.secrets();
        let refused = |misuse: Misuse| {
            NodeError::new(ErrorKind::Forbidden, format!("{}: {}", misuse.field, misuse.message))
        };
        let used = secret_rules::check(self.node, flow, secrets).map_err(refused)?;
        secret_rules::check_saver(&used, &self.call.flow.saved_by, secrets).map_err(refused)?;
        Ok(used)
    }

    /// The hosts that the node's request may go to because of the secrets in it, by secret.
    pub(super) fn hosts(&self) -> Result<Vec<(String, Vec<String>)>, NodeError> {
        let hosts = |name: String| {
            let hosts = self.runner.secrets().rules(&name)?.hosts.clone()?;
            Some((name, hosts))
        };
        Ok(self.secrets_used()?.into_iter().filter_map(hosts).collect())
    }

    /// Runs a script on the node's input.
    pub(super) async fn run_script(
        &self,
        script: Script,
        input: Shared,
        nodes: Arc<BTreeMap<String, Shared>>,
    ) -> Result<Json, ScriptError> {
        if check_doubles("input", input.json())? {
            self.input_was_rounded.store(true, Ordering::Relaxed);
        }
        self.runner.sandbox().run(self.call.principal.id, script, &input, nodes).await
    }

    /// A parameter as it is written; nothing when it is absent or null.
    pub(super) fn literal(&self, name: &str) -> Option<&Value> {
        self.node.parameters.get(name).filter(|value| !value.is_null())
    }

    /// A parameter that must be a string, as it is written.
    pub(super) fn literal_text(&self, name: &str) -> Result<&str, NodeError> {
        self.literal(name)
            .and_then(Value::as_str)
            .ok_or_else(|| NodeError::malformed(name, "must be a string"))
    }

    /// A parameter with its templates rendered; nothing when it is absent or null.
    pub(super) fn rendered(&self, name: &str) -> Result<Option<Value>, NodeError> {
        let Some(value) = self.literal(name) else { return Ok(None) };
        Ok(Some(template::render(&format!("parameters.{name}"), value, &self.scope)?))
    }

    /// A parameter with its templates rendered, as text: what is no string is written as JSON.
    pub(super) fn rendered_text(&self, name: &str) -> Result<Option<String>, NodeError> {
        Ok(self.rendered(name)?.map(|value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        }))
    }
}
