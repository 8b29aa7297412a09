//! What a template can name: outputs by node id, the node's input, the secrets.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Operand};
use minijinja::{Error, ErrorKind};
use serde_json::Value;

use super::meter::{self, Meter};
use super::number;
use crate::Secrets;

/// A value that several nodes read: kept once, and prepared for templates at most once.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Prepared>);

struct Prepared {
    json: Value,
    operand: OnceLock<Operand>,
}

impl Shared {
    /// The value, to be shared.
    pub(crate) fn new(json: Value) -> Self {
        Self(Arc::new(Prepared { json, operand: OnceLock::new() }))
    }

    /// The value as JSON.
    pub(crate) fn json(&self) -> &Value {
        &self.0.json
    }

    fn operand(&self) -> Operand {
        self.0.operand.get_or_init(|| number::operand(&self.0.json)).clone()
    }
}

/// What the templates of one node can name.
#[derive(Clone)]
pub(crate) struct Scope {
    /// The outputs of the nodes before it that have ended, by id.
    pub(crate) outputs: Arc<BTreeMap<String, Shared>>,
    /// The node's input.
    pub(crate) input: Shared,
    /// The configured secrets.
    pub(crate) secrets: Secrets,
    /// What its templates may still process: one budget for all of a node's parameters.
    pub(super) meter: Arc<Meter>,
}

impl Scope {
    /// What the templates of one node can name.
    pub(crate) fn new(outputs: Arc<BTreeMap<String, Shared>>, input: Shared, secrets: Secrets) -> Self {
        Self { outputs, input, secrets, meter: Arc::default() }
    }

    /// The same, of which nothing has been processed yet.
    pub(crate) fn anew(&self) -> Self {
        Self { meter: Arc::default(), ..self.clone() }
    }

    pub(super) fn to_operand(&self) -> Operand {
        Operand::from_object(self.clone())
    }
}

impl Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.outputs.keys()).finish()
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Operand) -> Option<Operand> {
        match key.as_str()? {
            "secrets" => Some(Operand::from_object(Vault(self.secrets.clone()))),
            "input" => Some(self.input.operand()),
            meter::NAME => Some(Operand::from_dyn_object(Arc::clone(&self.meter))),
            name => self.outputs.get(name).map(Shared::operand),
        }
    }
}

/// The secrets as a template sees them: each by its name, never all.
#[derive(Debug)]
struct Vault(Secrets);

impl Object for Vault {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Operand) -> Option<Operand> {
        let name = key.as_str()?;
        Some(match self.0.lookup(name) {
            Some(value) => Operand::from(value),
            // A value that is an error fails with this message where it is used.
            None => {
                let message = format!("secret {name} is not configured");
                Operand::from(Error::new(ErrorKind::InvalidOperation, message))
            }
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}
