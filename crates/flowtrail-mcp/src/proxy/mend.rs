//! The beginning of a JSON value, made a JSON value again.

/// What `raw` begins with, as JSON: an unfinished text ends where it was cut, unfinished lists and objects are closed
/// after their last whole entry. `null` when there is nothing to save.
pub(crate) fn closed(raw: &[u8]) -> String {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text,
        Err(error) => {
            let (valid, _) = raw.split_at(error.valid_up_to());
            std::str::from_utf8(valid).unwrap_or_default()
        }
    };
    if is_json(text) {
        return text.to_owned();
    }
    let cut = Cut::of(text.as_bytes());
    let whole_text = cut.unfinished_text.map(|end| cut.close(text, end, "\""));
    let candidates = whole_text.into_iter().chain([cut.close(text, cut.safe, "")]);
    candidates.into_iter().find(|candidate| is_json(candidate)).unwrap_or_else(|| "null".to_owned())
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Where a text can be cut.
struct Cut {
    /// The end of the last whole entry.
    safe: usize,
    /// Where the text value ends that was cut, without half of an escape.
    unfinished_text: Option<usize>,
    /// What closes those that are open, the innermost last.
    open: Vec<u8>,
}

impl Cut {
    fn of(text: &[u8]) -> Self {
        let mut open: Vec<u8> = Vec::new();
        let mut safe = 0;
        let mut expects_key = false;
        let mut in_string = false;
        let mut is_key = false;
        let mut at = 0;
        // Where the escape begins that is being read, and where it ends.
        let mut escape = (0, 0);
        while let Some(byte) = text.get(at) {
            if in_string {
                match byte {
                    b'\\' => {
                        let length = if text.get(at + 1) == Some(&b'u') { 6 } else { 2 };
                        escape = (at, at + length);
                        at += length;
                        continue;
                    }
                    b'"' => {
                        in_string = false;
                        if !is_key {
                            safe = at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
                continue;
            }
            match byte {
                b'"' => (in_string, is_key) = (true, expects_key),
                b'{' | b'[' => {
                    open.push(if *byte == b'{' { b'}' } else { b']' });
                    expects_key = *byte == b'{';
                    safe = at + 1;
                }
                b'}' | b']' => {
                    open.pop();
                    expects_key = false;
                    safe = at + 1;
                }
                b':' => expects_key = false,
                b',' => {
                    safe = at;
                    expects_key = open.last() == Some(&b'}');
                }
                _ => {}
            }
            at += 1;
        }
        let end = if escape.1 > text.len() { escape.0 } else { text.len() };
        let unfinished_text = (in_string && !is_key).then_some(end);
        // Whatever opens or closes is safe, so that what is open now was open there, too.
        Self { safe, unfinished_text, open }
    }

    fn close(&self, text: &str, end: usize, quote: &str) -> String {
        let closers = self.open.iter().rev().map(|byte| char::from(*byte));
        text[..end].chars().chain(quote.chars()).chain(closers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_whole_stays() {
        for text in ["1", "\"a\"", "{\"a\":[1,{}]}", "null", " true "] {
            assert_eq!(closed(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_was_cut_ends_after_its_last_whole_entry() {
        let cases = [
            ("[1,2,3", "[1,2]"),
            ("[1,{\"a\":\"long te", "[1,{\"a\":\"long te\"}]"),
            ("[1,{\"a\":1,\"long k", "[1,{\"a\":1}]"),
            ("{\"a\":{\"b\":tr", "{\"a\":{}}"),
            ("{\"a\":\"x\\u00", "{\"a\":\"x\"}"),
            ("{\"a\":\"x\\", "{\"a\":\"x\"}"),
            ("[[1],[2],[", "[[1],[2],[]]"),
            ("[[1,2],3", "[[1,2]]"),
            ("12", "12"),
            ("tru", "null"),
            ("", "null"),
        ];
        for (cut, whole) in cases {
            assert_eq!(closed(cut.as_bytes()), whole, "{cut}");
        }
    }

    #[test]
    fn half_a_character_is_none() {
        let text = "[\"aé";
        assert_eq!(closed(&text.as_bytes()[..text.len() - 1]), "[\"a\"]");
    }

    #[test]
    fn whatever_is_cut_is_json() {
        let whole =
            r#"{"a":[1,-2.5e3,"x\n\u00e9\ud83d\ude00",{"b":null,"c":[true,false,[]]}],"d":{"e":"é\\"}}"#;
        for end in 0..whole.len() {
            let mended = closed(&whole.as_bytes()[..end]);
            assert!(is_json(&mended), "{mended}");
        }
    }
}
