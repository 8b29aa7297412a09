//! Secrets as they are configured.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flowtrail_runner::SecretRules;
use serde::Deserialize;

/// A secret in the configuration: its value, or where that is and who may use it.
#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a text, or a table of value, file, env, hosts, users, flows and upstreams"
)]
pub enum SecretSettings {
    /// Its value, for versions of flows that administrators save.
    Value(String),
    /// Its value or where that is, and who may use it where.
    Table(SecretTable),
}

/// A secret with its rules.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretTable {
    value: Option<String>,
    file: Option<PathBuf>,
    env: Option<String>,
    hosts: Option<Vec<String>>,
    #[serde(default)]
    users: Vec<String>,
    flows: Option<Vec<String>>,
    #[serde(default)]
    upstreams: Vec<String>,
}

impl From<String> for SecretSettings {
    fn from(value: String) -> Self {
        Self::Value(value)
    }
}

impl SecretSettings {
    /// The value and the rules.
    ///
    /// # Errors
    ///
    /// A reason without its value.
    pub(crate) fn decide(self, name: &str) -> Result<(String, SecretRules), String> {
        let table = match self {
            Self::Value(value) => return Ok((value, SecretRules::default())),
            Self::Table(table) => table,
        };
        let SecretTable { value, file, env, hosts, users, flows, upstreams } = table;
        let value = match (value, file, env) {
            (Some(value), None, None) => value,
            (None, Some(file), None) => {
                let text = std::fs::read_to_string(&file).map_err(|error| {
                    format!("secrets.{name}.file: cannot read {}: {error}", file.display())
                })?;
                // A value that was written with an editor has a line's end.
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            (None, None, Some(variable)) => std::env::var(&variable)
                .map_err(|_| format!("secrets.{name}.env: {variable} is not set, or is no text"))?,
            _ => return Err(format!("secrets.{name}: expected one of value, file and env")),
        };
        Ok((value, SecretRules { hosts, users, flows, upstreams }))
    }
}

/// The values of secrets.
pub(crate) fn values(secrets: &BTreeMap<String, (String, SecretRules)>) -> BTreeMap<String, String> {
    secrets.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
}
