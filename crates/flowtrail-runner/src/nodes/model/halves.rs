//! Text whose characters may be cut between two pieces of a stream.
//!
//! An endpoint that cuts its answer by UTF-16 code units sends the halves of a surrogate pair in two pieces, each as a JSON
//! escape. Neither half can be in a Rust string, so while a piece is parsed a half is represented by a private-use
//! character, and [`JoinedText`] puts the two together.

use std::borrow::Cow;

use flowtrail_types::{read_json_value, replace_unpaired_surrogates_in};
use serde_json::Value;

/// The private-use character that represents the surrogate U+D800; the other 2,047 follow. It is used only for pieces that
/// have a half, in which a character of this block would become U+FFFD.
const FIRST_MARK: u32 = 0x0010_f000;

/// A piece of an answer, parsed.
#[derive(Debug)]
pub(super) struct Piece {
    /// The JSON, with U+FFFD for every half of a pair.
    pub(super) value: Value,
    /// The same with marks for the halves, if there are any.
    marked: Option<Value>,
}

impl Piece {
    /// Parses JSON in which surrogates may have lost their partners.
    pub(super) fn parse(json: &str) -> serde_json::Result<Self> {
        let json = json.strip_prefix('\u{feff}').unwrap_or(json);
        match replace_unpaired_surrogates_in(json) {
            Cow::Borrowed(json) => Ok(Self { value: read_json_value(json.as_bytes())?, marked: None }),
            Cow::Owned(replaced) => {
                let marked = read_json_value(mark(json, &replaced).as_bytes())?;
                Ok(Self { value: read_json_value(replaced.as_bytes())?, marked: Some(marked) })
            }
        }
    }

    /// The JSON from which text is taken that continues in other pieces.
    pub(super) fn text_source(&self) -> &Value {
        self.marked.as_ref().unwrap_or(&self.value)
    }
}

/// Writes a mark where `replaced` differs from the JSON that it was made of: there, the JSON has the digits of a half.
fn mark(json: &str, replaced: &str) -> String {
    const ESCAPE: &str = r"\uFFFD";
    let mut marked = String::with_capacity(json.len());
    let mut place = 0;
    while let Some(found) = replaced[place..].find(ESCAPE).map(|found| place + found) {
        marked.push_str(&json[place..found]);
        place = found + ESCAPE.len();
        let escape = &json[found..place];
        match u32::from_str_radix(&escape[2..], 16).ok().filter(|_| escape != ESCAPE).and_then(mark_of) {
            Some(mark) => marked.push(mark),
            None => marked.push_str(escape),
        }
    }
    marked.push_str(&json[place..]);
    marked
}

fn mark_of(surrogate: u32) -> Option<char> {
    char::from_u32(FIRST_MARK + surrogate.checked_sub(0xd800)?)
}

fn surrogate_of(mark: char) -> Option<u16> {
    let offset = u32::from(mark).checked_sub(FIRST_MARK)?;
    u16::try_from(offset).ok().filter(|offset| *offset < 0x800).map(|offset| 0xd800 + offset)
}

/// Text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct JoinedText {
    text: String,
    /// The first half of a pair, whose second may follow.
    half: Option<u16>,
    /// Whether a half had no partner.
    replaced: bool,
}

impl JoinedText {
    /// Appends text of a piece that has no halves.
    pub(super) fn push(&mut self, text: &str) {
        if !text.is_empty() {
            self.end_half();
            self.text.push_str(text);
        }
    }

    /// Appends text of this piece, in which marks stand for halves if the piece has any.
    pub(super) fn push_from(&mut self, piece: &Piece, text: &str) {
        if piece.marked.is_none() {
            return self.push(text);
        }
        for char in text.chars() {
            let Some(unit) = surrogate_of(char) else {
                self.end_half();
                self.text.push(char);
                continue;
            };
            let pair = self.half.and_then(|half| char::decode_utf16([half, unit]).next()?.ok());
            match pair {
                Some(char) => {
                    self.half = None;
                    self.text.push(char);
                }
                None => {
                    self.end_half();
                    self.half = Some(unit);
                }
            }
        }
    }

    /// The length of what has come, in bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.half.is_none()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The text. A half whose partner did not come is U+FFFD, which is noted.
    pub(super) fn finish(mut self, replaced: &mut bool) -> String {
        self.end_half();
        *replaced |= self.replaced;
        self.text
    }

    fn end_half(&mut self) {
        if self.half.take().is_some() {
            self.text.push(char::REPLACEMENT_CHARACTER);
            self.replaced = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(pieces: &[&str]) -> (String, bool) {
        let mut text = JoinedText::default();
        for json in pieces {
            let piece = Piece::parse(json).unwrap();
            text.push_from(&piece, piece.text_source().as_str().unwrap());
        }
        let mut replaced = false;
        (text.finish(&mut replaced), replaced)
    }

    #[test]
    fn halves_in_two_pieces_are_one_character() {
        for (pieces, expected, replaced) in [
            (&[r#""Hi \ud83d""#, r#""\ude42 there""#][..], "Hi \u{1f642} there", false),
            (&[r#""\ud83d""#, r#""""#, r#""\ude42""#], "\u{1f642}", false),
            (&[r#""\ud83d""#, r#""x\ude42""#], "\u{fffd}x\u{fffd}", true),
            (&[r#""\ud83d""#, r#""plain""#], "\u{fffd}plain", true),
            (&[r#""\ud83d""#], "\u{fffd}", true),
            (&[r#""\ude42""#, r#""\ud83d""#], "\u{fffd}\u{fffd}", true),
            (&[r#""\ud83d\ud83d""#, r#""\ude42\ud83d""#, r#""\ude42""#], "\u{fffd}\u{1f642}\u{1f642}", true),
            (&[r#""\uFFFD\ud83d""#, r#""\ude42\uFFFD""#], "\u{fffd}\u{1f642}\u{fffd}", false),
            (&[r#""\\uFFFD \\ud83d \ud83d""#, r#""\ude42""#], r"\uFFFD \ud83d 🙂", false),
        ] {
            assert_eq!(joined(pieces), (expected.to_owned(), replaced), "{pieces:?}");
        }
        let piece = Piece::parse(r#"{"\ud83d": 1}"#).unwrap();
        assert_eq!(piece.value, serde_json::json!({"\u{fffd}": 1}));
    }

    proptest! {
        #[test]
        fn wherever_code_units_are_cut_the_same_text_comes_together(
            text in "[a\u{e9}\u{65e5}\u{1f642}\u{1f600}\u{10ffff}]{0,12}", size in 1..5_usize,
        ) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let escaped = |units: &[u16]| units.iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            let pieces: Vec<String> = units.chunks(size).map(|units| format!("\"{}\"", escaped(units))).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(joined(&pieces), (text, false));
        }
    }
}
