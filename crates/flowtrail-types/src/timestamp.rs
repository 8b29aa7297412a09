//! Times on the wire: RFC 3339 in UTC with milliseconds, for example `2026-01-06T12:00:00.000Z`.
//!
//! Use [`self`] with `#[serde(with)]`, and [`option`] for a time that may be absent.

use serde::{Deserialize, Deserializer, Serializer, de};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

const MICROS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// The time as RFC 3339 in UTC, cut to milliseconds.
#[must_use]
pub fn format(at: OffsetDateTime) -> String {
    // Formatting a UTC time with this description has no failing component.
    at.checked_to_offset(UtcOffset::UTC).and_then(|at| at.format(MILLIS).ok()).unwrap_or_default()
}

/// Reads any RFC 3339 time and returns it in UTC, cut to microseconds.
///
/// # Errors
///
/// When the text is not RFC 3339.
pub fn parse(text: &str) -> Result<OffsetDateTime, InvalidTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        // In UTC the time may lie beyond the last year that can be written.
        .and_then(|at| at.checked_to_offset(UtcOffset::UTC))
        .map(to_micros)
        .ok_or_else(|| InvalidTime { got: text.chars().take(40).collect() })
}

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a time like 2026-01-06T12:00:00.000Z, got {got:?}")]
pub struct InvalidTime {
    got: String,
}

/// The time as RFC 3339 in UTC, with microseconds: for anchors, which must come back as they were.
#[must_use]
pub fn format_exact(at: OffsetDateTime) -> String {
    at.checked_to_offset(UtcOffset::UTC).and_then(|at| at.format(MICROS).ok()).unwrap_or_default()
}

/// Cuts a time to microseconds, the finest that SQLite rows and PostgreSQL's `timestamptz` keep.
#[must_use]
pub fn to_micros(at: OffsetDateTime) -> OffsetDateTime {
    let nanos = at.nanosecond() / 1_000 * 1_000;
    at.replace_nanosecond(nanos).unwrap_or(at)
}

/// Microseconds since the Unix epoch.
#[must_use]
pub fn unix_micros(at: OffsetDateTime) -> i64 {
    // A `time` year is at most 9999, so its microseconds fit an i64.
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// The time that many microseconds after the Unix epoch, if it is one that can be written.
#[must_use]
pub fn from_unix_micros(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}

/// Writes a time for serde.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*at))
}

/// Reads a time for serde.
///
/// # Errors
///
/// When the text is not RFC 3339.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(de::Error::custom)
}

/// The same for `Option<OffsetDateTime>`.
pub mod option {
    use serde::{Deserialize, Deserializer, Serializer};
    use time::OffsetDateTime;

    /// Writes a time, or null.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a time, or null.
    ///
    /// # Errors
    ///
    /// When the text is not RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<OffsetDateTime>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| super::parse(&text).map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// Microseconds as milliseconds, as they are shown.
#[must_use]
pub fn as_millis(micros: i64) -> f64 {
    // Exact: a duration of 285 years in microseconds still fits the 53 bits of a double.
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    let exact = micros as f64;
    exact / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(format(datetime!(2026-01-06 13:00:00.0019 +1)), "2026-01-06T12:00:00.001Z");
    }

    #[test]
    fn any_rfc_3339_time_is_read_and_nothing_else() {
        assert_eq!(parse("2026-01-06T13:00:00+01:00").unwrap(), datetime!(2026-01-06 12:00 UTC));
        assert!(parse("2026-01-06").is_err());
        assert!(parse("yesterday").is_err());
        assert!(parse("9999-12-31T23:59:59-01:00").is_err(), "beyond the last year, in UTC");
        let at = datetime!(2026-01-06 12:00:00.123456 UTC);
        assert_eq!(parse(&format_exact(at)), Ok(at));
    }

    #[test]
    fn microseconds_go_there_and_back() {
        let at = datetime!(2026-01-06 12:00:00.123456 UTC);
        assert_eq!(from_unix_micros(unix_micros(at)), Some(at));
        assert_eq!(to_micros(datetime!(2026-01-06 12:00:00.123456789 UTC)), at);
    }
}
