//! Ids of JSON-RPC, and when two of them mean the same request.

use serde_json::Value;

/// An id as JSON writes it, whichever way it came; none when it is neither a text nor a number.
pub(crate) fn id_of(raw: &str) -> Option<String> {
    match serde_json::from_str::<Value>(raw).ok()? {
        id @ (Value::String(_) | Value::Number(_)) => Some(id.to_string()),
        _ => None,
    }
}

/// The key among `keys` under which a request waits that an answer with this id belongs to.
///
/// Servers are to repeat an id as it was sent. Some write `5` as `5.0` or `"5"`, and clients that read JSON into numbers, or
/// compare loosely, take that. Such an answer belongs to a request if it can mean no other.
pub(super) fn meant<'k>(id: &str, keys: impl Iterator<Item = &'k String>) -> Option<&'k String> {
    let plain = plain(id)?;
    let mut found = None;
    for key in keys {
        if key == id {
            return Some(key);
        }
        if self::plain(key).as_deref() == Some(&*plain) && found.replace(key).is_some() {
            // It could mean either; unless it is one of them to the letter, it is nobody's.
            return None;
        }
    }
    found
}

/// Whether an answer with the id `answered` can be that to the request `asked`.
pub(super) fn may_be(answered: Option<&str>, asked: &str) -> bool {
    answered.is_some_and(|answered| answered == asked || plain(answered) == plain(asked))
}

/// An id without what its JSON type adds: `7`, `7.0`, `7e0` and `"7"` are one.
fn plain(id: &str) -> Option<String> {
    match serde_json::from_str::<Value>(id).ok()? {
        Value::String(text) => Some(whole_number(text.trim()).unwrap_or(text)),
        Value::Number(number) => {
            let written = number.to_string();
            Some(whole_number(&written).unwrap_or(written))
        }
        _ => None,
    }
}

/// The digits of a number that is a whole one, however it is written.
fn whole_number(text: &str) -> Option<String> {
    if let Ok(number) = text.parse::<i128>() {
        return Some(number.to_string());
    }
    let number: f64 = text.parse().ok()?;
    // Beyond this a double tells neighbours apart no longer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole = number.fract() == 0.0 && number.abs() < EXACT;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    is_whole.then(|| (number as i64).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_by_their_type() {
        assert_eq!(id_of("1"), Some("1".to_owned()));
        assert_eq!(id_of("\"1\""), Some("\"1\"".to_owned()));
        assert_eq!(id_of("\"\\u0041\""), id_of("\"A\""));
        assert_eq!(id_of("null"), None);
        assert_eq!(id_of("[1]"), None);
    }

    #[track_caller]
    fn means(id: &str, keys: &[&str], expected: Option<&str>) {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(meant(id, keys.iter()).map(String::as_str), expected, "{id} among {keys:?}");
    }

    #[test]
    fn an_id_in_another_form_is_the_only_one_that_it_can_mean() {
        means("5.0", &["4", "5"], Some("5"));
        means("\"5\"", &["5"], Some("5"));
        means("5", &["\"5\""], Some("\"5\""));
        means("5e0", &["5"], Some("5"));
        means("\"5.0\"", &["5"], Some("5"));
        means("-0.0", &["0"], Some("0"));
        means("\" 5 \"", &["5"], Some("5"));
        means("5.5", &["5"], None);
        means("\"five\"", &["5"], None);
        means("null", &["0"], None);
        means("9007199254740993.0", &["9007199254740992"], None);
    }

    #[test]
    fn an_id_that_can_mean_two_is_nobodys() {
        means("5.0", &["5", "\"5\""], None);
        means("5", &["5", "\"5\""], Some("5"));
        means("\"5\"", &["5", "\"5\""], Some("\"5\""));
    }
}
