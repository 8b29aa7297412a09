//! Configured secrets, which templates name and nothing shows.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// The configured secrets by name. Cheap to clone; it can be neither printed nor serialised.
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, String>>);

impl Secrets {
    /// These secrets.
    #[must_use]
    pub fn new(secrets: BTreeMap<String, String>) -> Self {
        Self(Arc::new(secrets))
    }

    /// Their values, for the redaction of whatever is recorded.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// The value of one.
    pub(crate) fn lookup(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names help to find a mistake in the configuration; the values are what must not be seen.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_shown() {
        let secrets = Secrets::new(BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]));
        assert_eq!(format!("{secrets:?}"), r#"{"TOKEN"}"#);
        assert_eq!(secrets.values().collect::<Vec<_>>(), ["hunter2"]);
        assert_eq!(secrets.lookup("TOKEN"), Some("hunter2"));
    }
}
