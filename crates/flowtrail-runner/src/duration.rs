//! Timeouts as flows write them: `"30s"`, `"1m 30s"`.

use std::time::Duration;

/// The longest that a flow or a node may be given.
const LONGEST: Duration = Duration::from_hours(24);

/// Reads a timeout.
///
/// # Errors
///
/// What is wrong with it, for a person.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = humantime::parse_duration(text)
        .map_err(|error| format!("{text:?} is no duration like \"30s\" or \"5m\": {error}"))?;
    if timeout.is_zero() {
        return Err("must be more than 0".to_owned());
    }
    if timeout > LONGEST {
        return Err(format!("{text:?} is more than the 24 h that are possible"));
    }
    Ok(timeout)
}

/// A duration for people, as in `took longer than 30s`.
pub(crate) fn spoken(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_positive_and_at_most_a_day() {
        assert_eq!(parse_timeout("1m 30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "0s", "25h", "soon", "30", "-5s"] {
            assert!(parse_timeout(wrong).is_err(), "{wrong:?}");
        }
    }
}
