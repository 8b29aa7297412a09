//! Which executions are kept.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Rules by which the oldest executions are deleted. Each rule holds for itself; without any, everything is kept. What is
/// pending is never deleted.
///
/// In JSON: `{"maxCount": 10000, "maxAge": "30d", "maxErrorAge": "90d", "maxBytes": 1073741824}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// The most executions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_count: Option<u64>,
    /// How long after its start an execution is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Age>,
    /// The same for executions that failed; as for the others when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_age: Option<Age>,
    /// The most bytes that their data takes as it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// Whether everything is kept.
    #[must_use]
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }
}

/// A length of time in whole seconds, written like `30d`, `12h`, `90m` or `45s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub Duration);

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a length of time like 30d, 12h, 90m or 45s, got {0:?}")]
pub struct InvalidAge(String);

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl std::str::FromStr for Age {
    type Err = InvalidAge;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAge(text.chars().take(40).collect());
        let unit = UNITS.iter().find(|(name, _)| text.ends_with(*name)).ok_or_else(invalid)?;
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| invalid())?;
        // A thousand years are as good as for ever, and still a time that can be written.
        let seconds = number.checked_mul(unit.1).filter(|seconds| *seconds <= 1_000 * 365 * 86_400);
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(invalid)
    }
}

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        let (name, unit) =
            UNITS.iter().find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit)).unwrap_or(&UNITS[3]);
        write!(f, "{}{name}", seconds / unit)
    }
}

impl Serialize for Age {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_written_by_their_largest_whole_unit() {
        for text in ["30d", "36h", "90m", "45s", "0s", "365000d"] {
            assert_eq!(text.parse::<Age>().unwrap().to_string(), text);
        }
        assert_eq!("48h".parse::<Age>().unwrap().to_string(), "2d");
        for text in ["", "d", "-1d", "1", "1w", "1.5d", "99999999999999999999d", "365001d", "1 d", "ü"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_that_is_misspelt_is_refused() {
        let rules: Retention = serde_json::from_str(r#"{"maxAge": "30d", "maxCount": 5}"#).unwrap();
        assert_eq!(serde_json::to_string(&rules).unwrap(), r#"{"maxCount":5,"maxAge":"30d"}"#);
        assert!(!rules.keeps_all() && Retention::default().keeps_all());
        assert!(serde_json::from_str::<Retention>(r#"{"maxage": "30d"}"#).is_err());
    }
}
