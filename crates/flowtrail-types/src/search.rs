//! What can be looked for besides flow, status and time: a tag, a range of durations, a text.

use std::str::FromStr;

use uuid::Uuid;

use crate::ExecutionSummary;

/// A range of durations, its ends included. Kept in microseconds, as durations are, and told in whole milliseconds, as they
/// are shown: an execution that is shown with so many milliseconds is in the range from this number to this number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DurationRange {
    min_us: Option<i64>,
    max_us: Option<i64>,
}

impl DurationRange {
    /// The durations that are shown with a number of milliseconds between these two.
    #[must_use]
    pub fn of_millis(min: Option<u64>, max: Option<u64>) -> Self {
        let micros = |micros: u64| i64::try_from(micros).unwrap_or(i64::MAX);
        Self {
            min_us: min.map(|min| micros(min.saturating_mul(1_000))),
            // What is shown is cut to whole milliseconds, so that up to 999 microseconds more are shown alike.
            max_us: max.map(|max| micros(max.saturating_mul(1_000).saturating_add(999))),
        }
    }

    /// The shortest duration of the range, in microseconds.
    #[must_use]
    pub fn min_us(&self) -> Option<i64> {
        self.min_us
    }

    /// The longest duration of the range, in microseconds.
    #[must_use]
    pub fn max_us(&self) -> Option<i64> {
        self.max_us
    }

    /// Whether it leaves nothing out, not even what has no duration.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.min_us.is_none() && self.max_us.is_none()
    }

    /// Whether a duration in microseconds lies in it. What has not ended has none, and lies in no range.
    #[must_use]
    pub fn has(&self, duration_us: Option<i64>) -> bool {
        match duration_us {
            None => self.is_any(),
            Some(us) => self.min_us.is_none_or(|min| us >= min) && self.max_us.is_none_or(|max| us <= max),
        }
    }
}

/// A key and a value that executions are marked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    key: String,
    value: String,
}

/// A text that is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTag {
    /// It has no colon.
    #[error("expected key:value, got {0:?}")]
    NoColon(String),
    /// Its key is empty, too long, or has a colon.
    #[error("a key has 1 to {} characters and no colon", Tag::MAX_KEY)]
    Key,
    /// Its value is too long.
    #[error("a value has at most {} characters", Tag::MAX_VALUE)]
    Value,
}

impl Tag {
    /// The most characters that a key may have.
    pub const MAX_KEY: usize = 64;

    /// The most characters that a value may have.
    pub const MAX_VALUE: usize = 256;

    /// Checks a key and a value.
    ///
    /// # Errors
    ///
    /// [`InvalidTag::Key`] or [`InvalidTag::Value`], whichever is not what it must be.
    pub fn check(key: &str, value: &str) -> Result<(), InvalidTag> {
        if key.is_empty() || key.chars().count() > Self::MAX_KEY || key.contains(':') {
            return Err(InvalidTag::Key);
        }
        if value.chars().count() > Self::MAX_VALUE {
            return Err(InvalidTag::Value);
        }
        Ok(())
    }

    /// The key: 1 to 64 characters, no colon.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value: at most 256 characters.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    /// Reads `key:value`; the first colon separates.
    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        let (key, value) =
            text.split_once(':').ok_or_else(|| InvalidTag::NoColon(text.chars().take(40).collect()))?;
        Self::check(key, value)?;
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

/// A text that is looked for in what lists show of an execution: the flow's name and tool name, the preview, the error.
/// Letters of ASCII match in either case, and no character has a meaning of its own.
///
/// A text that is an execution's or a flow's id matches that as well, and at least 8 hexadecimal digits match the
/// executions whose ids begin so. Ids are written with hyphens or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText {
    /// In lower case, as far as it is ASCII.
    text: String,
    /// The least and the greatest id that begin with it.
    ids: Option<(Uuid, Uuid)>,
}

/// A text that is too long to be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected at most {} characters, got {got}", SearchText::MAX)]
pub struct InvalidSearchText {
    got: usize,
}

impl SearchText {
    /// The most characters that it may have.
    pub const MAX: usize = 200;

    /// The text, with the letters of ASCII in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The least and the greatest execution id that begin with it; the same when it is a whole id.
    #[must_use]
    pub fn ids(&self) -> Option<(Uuid, Uuid)> {
        self.ids
    }

    /// The id that it is, when it is a whole one.
    #[must_use]
    pub fn whole_id(&self) -> Option<Uuid> {
        self.ids.filter(|(first, last)| first == last).map(|(id, _)| id)
    }

    /// Whether an execution has it.
    #[must_use]
    pub fn is_in(&self, summary: &ExecutionSummary) -> bool {
        let has = |text: &str| text.to_ascii_lowercase().contains(&self.text);
        let may_have = |text: &Option<String>| text.as_deref().is_some_and(has);
        let (id, flow) = (summary.id.as_uuid(), summary.guarding_flow_id.as_uuid());
        has(&summary.flow_name)
            || may_have(&summary.flow_tool_name)
            || may_have(&summary.initial_params_preview)
            || may_have(&summary.error)
            || self.ids.is_some_and(|(first, last)| (first..=last).contains(id))
            || self.whole_id().is_some_and(|whole| whole == *flow)
    }
}

impl FromStr for SearchText {
    type Err = InvalidSearchText;

    fn from_str(text: &str) -> Result<Self, InvalidSearchText> {
        let got = text.chars().count();
        if got > Self::MAX {
            return Err(InvalidSearchText { got });
        }
        Ok(Self { text: text.to_ascii_lowercase(), ids: ids_that_begin_with(text.trim()) })
    }
}

/// The least and the greatest id that begin with at least 8 hexadecimal digits.
fn ids_that_begin_with(text: &str) -> Option<(Uuid, Uuid)> {
    /// Where the hyphens of an id stand.
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let is_hyphenated = text.contains('-');
    let (mut digits, mut value) = (0, 0u128);
    for (position, character) in text.char_indices() {
        if is_hyphenated && HYPHENS.contains(&position) {
            if character != '-' {
                return None;
            }
            continue;
        }
        value = value << 4 | u128::from(character.to_digit(16)?);
        digits += 1;
    }
    if !(8..=32).contains(&digits) {
        return None;
    }
    let rest = 4 * (32 - digits);
    let first = value << rest;
    Some((Uuid::from_u128(first), Uuid::from_u128(first | ((1 << rest) - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_range_of_what_is_shown_of_it() {
        for us in [0, 1, 999, 1_000, 1_001, 40_999, 41_000, 86_400_000_000] {
            let shown = u64::try_from(us / 1_000).unwrap();
            let only = DurationRange::of_millis(Some(shown), Some(shown));
            assert!(only.has(Some(us)), "{us}");
            assert!(!DurationRange::of_millis(Some(shown + 1), None).has(Some(us)), "{us}");
            assert!(shown == 0 || !DurationRange::of_millis(None, Some(shown - 1)).has(Some(us)), "{us}");
            assert!(!only.has(None), "what has not ended has no duration");
        }
        assert!(DurationRange::default().has(None) && DurationRange::default().is_any());
        let widest = DurationRange::of_millis(Some(u64::MAX), Some(u64::MAX));
        assert_eq!((widest.min_us(), widest.max_us()), (Some(i64::MAX), Some(i64::MAX)));
    }

    #[test]
    fn the_first_colon_of_a_tag_separates() {
        let tag: Tag = "time:12:30".parse().unwrap();
        assert_eq!((tag.key(), tag.value()), ("time", "12:30"));
        assert_eq!("shop:".parse::<Tag>().unwrap().value(), "");
        assert_eq!("shop".parse::<Tag>().unwrap_err().to_string(), "expected key:value, got \"shop\"");
        assert_eq!(":north".parse::<Tag>(), Err(InvalidTag::Key));
        assert_eq!(format!("{}:x", "k".repeat(65)).parse::<Tag>(), Err(InvalidTag::Key));
        assert_eq!(format!("k:{}", "ü".repeat(257)).parse::<Tag>(), Err(InvalidTag::Value));
    }

    #[test]
    fn a_text_of_8_hexadecimal_digits_may_be_the_beginning_of_an_id() {
        let ids = |text: &str| text.parse::<SearchText>().unwrap().ids();
        let whole = uuid::uuid!("019b9335-4200-7000-8000-00000000000a");
        for text in ["019b9335-4200-7000-8000-00000000000a", " 019B9335420070008000 00000000000A".trim()] {
            let found: SearchText = text.replace(' ', "").parse().unwrap();
            assert_eq!(found.whole_id(), Some(whole), "{text}");
        }
        let (first, last) = ids("019b9335-4").unwrap();
        assert_eq!(first, uuid::uuid!("019b9335-4000-0000-0000-000000000000"));
        assert_eq!(last, uuid::uuid!("019b9335-4fff-ffff-ffff-ffffffffffff"));
        assert_eq!(ids("019b9335"), ids("019b9335-"));
        assert_eq!("019b9335".parse::<SearchText>().unwrap().whole_id(), None);
        for text in ["", "019b933", "019b-9335", "019b9335x", "019b9335-42007000", "orders", &"a".repeat(33)]
        {
            assert_eq!(ids(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_has_at_most_200_characters() {
        assert_eq!("ÜA".repeat(100).parse::<SearchText>().unwrap().as_str(), "Üa".repeat(100));
        let error = "ü".repeat(201).parse::<SearchText>().unwrap_err();
        assert_eq!(error.to_string(), "expected at most 200 characters, got 201");
    }
}
