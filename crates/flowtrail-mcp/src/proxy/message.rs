//! Messages as they pass, and what is read from them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use flowtrail_tracker::Sent;
use flowtrail_types::{Json, Replaced, read_json, read_json_value, replace_unpaired_surrogates_in};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::ids::id_of;
use super::skim::{Skim, Skimmed};
use super::splice::place_of;

/// The largest message that is kept as a whole to be looked at.
const WHOLE: usize = 4 << 20;
/// What takes no more than this is kept as it is even when there is no room.
const THIN: usize = 64 << 10;

/// A message that has passed, as far as it was kept.
#[derive(Debug)]
pub(crate) enum Kept {
    /// All of it.
    Whole(Bytes),
    /// What matters of one that is too large.
    Part(Box<Skimmed>),
}

impl Kept {
    /// A message that came in one piece.
    pub(crate) fn of(message: Bytes) -> Self {
        if message.len() <= WHOLE {
            return Self::Whole(message);
        }
        Self::skimmed(Skim::default(), &message)
    }

    /// The same with no more than matters, for when there is no room.
    pub(crate) fn thin(self) -> Self {
        match self {
            Self::Whole(message) if message.len() > THIN => Self::skimmed(Skim::thin(), &message),
            other => other,
        }
    }

    fn skimmed(mut skim: Skim, message: &[u8]) -> Self {
        skim.feed(message);
        Self::Part(Box::new(skim.finish()))
    }

    /// Whether what cannot be read may have been a call of a tool.
    pub(crate) fn may_be_a_call(&self) -> bool {
        match self {
            Self::Whole(message) => memchr::memmem::find(message, b"tools/call").is_some(),
            Self::Part(_) => true,
        }
    }

    /// How many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Whole(message) => message.len(),
            Self::Part(skimmed) => skimmed.size(),
        }
    }
}

/// Tells lines apart in a stream of bytes. What it holds is bounded, however long a line is.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    skim: Option<Box<Skim>>,
}

impl Lines {
    /// Takes the next piece and gives out the lines that it ends.
    pub(crate) fn feed(&mut self, mut piece: &[u8], mut out: impl FnMut(Kept)) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            self.add(&piece[..end]);
            piece = &piece[end + 1..];
            if let Some(line) = self.end() {
                out(line);
            }
        }
        self.add(piece);
    }

    /// The last line, which lacks its end.
    pub(crate) fn end(&mut self) -> Option<Kept> {
        if let Some(skim) = self.skim.take() {
            return Some(Kept::Part(Box::new(skim.finish())));
        }
        let line = std::mem::take(&mut self.line);
        (!line.trim_ascii().is_empty()).then(|| Kept::Whole(line.into()))
    }

    /// Takes more of the line that has begun, whatever line ends are in it.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        if self.skim.is_none() && self.line.len() + piece.len() > WHOLE {
            let mut skim = Box::<Skim>::default();
            skim.feed(&std::mem::take(&mut self.line));
            self.skim = Some(skim);
        }
        match &mut self.skim {
            Some(skim) => skim.feed(piece),
            None => self.line.extend_from_slice(piece),
        }
    }
}

/// What a part of a message says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) value: Value,
    /// Where surrogates without a partner were replaced.
    pub(crate) replaced: Replaced,
    /// How many bytes all of it has, when the value is only the beginning.
    pub(crate) whole_size: Option<u64>,
}

/// A value from a message, which is recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AsRead {
    pub(crate) value: Value,
    /// Whether a surrogate without a partner was replaced in it.
    pub(crate) replaced: bool,
}

impl AsRead {
    /// A member of an object, if it is there and not null.
    pub(crate) fn member(object: &Value, replaced: &Replaced, name: &str) -> Option<Self> {
        let value = object.get(name).filter(|value| !value.is_null())?.clone();
        Some(Self { value, replaced: replaced.at(name).is_any() })
    }

    pub(crate) fn sent(&self) -> Sent<'_> {
        Sent { value: &self.value, replaced: self.replaced }
    }
}

/// A part of a message: its JSON, and how many bytes all of it has when that is only the beginning.
#[derive(Debug, Clone)]
pub(crate) struct Part<'m> {
    text: Cow<'m, str>,
    whole_size: Option<u64>,
}

impl Part<'_> {
    /// Its value. What cannot be read (too deep, say) is nothing, of the size that it had; the rest of its members is there.
    pub(crate) fn read(&self) -> Content {
        let whole_size = self.whole_size;
        if let Ok(Json { value, replaced, .. }) = read_json(self.text.as_bytes()) {
            return Content { value, replaced, whole_size };
        }
        let text = replace_unpaired_surrogates_in(&self.text);
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(&text).unwrap_or_default();
        let members: Map<String, Value> = members
            .into_iter()
            .map(|(name, raw)| (name, read_json_value(raw.get().as_bytes()).unwrap_or_default()))
            .collect();
        let value = if members.is_empty() { Value::Null } else { Value::Object(members) };
        let whole_size = Some(whole_size.unwrap_or(self.text.len() as u64));
        let replaced = match text {
            Cow::Borrowed(_) => Replaced::default(),
            Cow::Owned(_) => Replaced::everywhere(),
        };
        Content { value, replaced, whole_size }
    }

    /// An id that stands under these keys.
    pub(crate) fn id_at(&self, path: &[&str]) -> Option<String> {
        let place = place_of(self.text.as_bytes(), path)?;
        id_of(&self.text[place])
    }
}

/// The beginning of what a server says that is no message, as one line.
#[must_use]
pub fn beginning(body: &[u8]) -> String {
    const LENGTH: usize = 300;
    let text = String::from_utf8_lossy(&body[..body.len().min(LENGTH * 16)]);
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ");
    // The mark tells whoever redacts that a secret may have been cut.
    match words.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// A JSON-RPC message, as far as it is looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen<'m> {
    /// The id as JSON writes it: `1` and `"1"` are two.
    pub(crate) id: Option<String>,
    /// The method of a request or notification.
    pub(crate) method: Option<Cow<'m, str>>,
    /// What the method was given.
    pub(crate) params: Option<Part<'m>>,
    /// What a response brings.
    pub(crate) result: Option<Part<'m>>,
    /// Or why it brings nothing.
    pub(crate) error: Option<Part<'m>>,
}

/// The text of a JSON string.
fn text_of(json: &str) -> Option<String> {
    serde_json::from_str(&replace_unpaired_surrogates_in(json)).ok()
}

/// A message's own members. Of one that is there twice the last counts, as for most who read JSON.
type Envelope<'m> = HashMap<Cow<'m, str>, &'m RawValue>;

impl<'m> From<Envelope<'m>> for Seen<'m> {
    fn from(envelope: Envelope<'m>) -> Self {
        let member = |name: &str| envelope.get(name).map(|raw| raw.get()).filter(|text| *text != "null");
        let part = |name| member(name).map(|text| Part { text: Cow::Borrowed(text), whole_size: None });
        Self {
            id: member("id").and_then(id_of),
            method: member("method").and_then(text_of).map(Cow::Owned),
            params: part("params"),
            result: part("result"),
            error: part("error"),
        }
    }
}

impl<'m> Seen<'m> {
    /// The one message that this is; none when it is none, or several.
    pub(crate) fn one_in(message: &'m Kept) -> Option<Self> {
        let mut all = Self::all_in(message);
        (all.len() == 1).then(|| all.remove(0)).filter(|one| one.method.is_some() || one.id.is_some())
    }

    /// Whether this is one message of JSON-RPC, or several, and nothing else.
    pub(crate) fn are_all_messages(message: &'m Kept) -> bool {
        let all = Self::all_in(message);
        let is_one = |seen: &Self| {
            seen.method.is_some() || seen.id.is_some() || seen.result.is_some() || seen.error.is_some()
        };
        !all.is_empty() && all.iter().all(is_one)
    }

    /// What there is to see in a message: one JSON-RPC message, several in a batch, or none in anything else.
    pub(crate) fn all_in(message: &'m Kept) -> Vec<Self> {
        match message {
            Kept::Whole(bytes) => match bytes.trim_ascii_start().first() {
                Some(b'{') => serde_json::from_slice::<Envelope<'_>>(bytes).map(|one| vec![one.into()]),
                Some(b'[') => serde_json::from_slice::<Vec<Envelope<'_>>>(bytes)
                    .map(|batch| batch.into_iter().map(Self::from).collect()),
                _ => Ok(Vec::new()),
            }
            .unwrap_or_default(),
            Kept::Part(skimmed) => {
                let text = |name| skimmed.member(name);
                let part =
                    |name| text(name).map(|(text, whole_size)| Part { text: Cow::Owned(text), whole_size });
                let method = text("method").and_then(|(text, _)| text_of(&text));
                vec![Self {
                    id: text("id").and_then(|(text, _)| id_of(&text)),
                    method: method.map(Cow::Owned),
                    params: part("params"),
                    result: part("result"),
                    error: part("error"),
                }]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let text = |kept| match kept {
            Kept::Whole(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Kept::Part(_) => "large".to_owned(),
        };
        for piece in pieces {
            lines.feed(piece.as_bytes(), |line| found.push(text(line)));
        }
        found.extend(lines.end().map(text));
        found
    }

    #[test]
    fn lines_are_found_wherever_they_are_cut() {
        assert_eq!(lines(&["{}\n{", "\"a\":1}", "\n\n", "x"]), ["{}", "{\"a\":1}", "x"]);
        let long = "x".repeat(WHOLE);
        assert_eq!(lines(&["a\n", &long, &long, "\nb\n"]), ["a", "large", "b"]);
    }

    #[test]
    fn halves_of_characters_do_not_hide_the_rest() {
        let text = r#"{"id":1,"id":2,"result":{"isError":true,"content":[{"text":"cut \ud83d, whole \ud83d\ude00, \\ud83d"}]}}"#;
        let kept = Kept::of(Bytes::from(text.to_owned()));
        let seen = Seen::one_in(&kept).unwrap();
        assert_eq!(seen.id.as_deref(), Some("2"), "the last one counts");
        let Content { value: result, replaced, whole_size } = seen.result.unwrap().read();
        assert_eq!((&result["isError"], whole_size), (&Value::Bool(true), None));
        assert!(replaced.is_any());
        assert_eq!(result["content"][0]["text"], "cut \u{fffd}, whole \u{1f600}, \\ud83d");
    }

    #[test]
    fn what_is_too_deep_does_not_hide_the_rest() {
        let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
        let kept = Kept::of(Bytes::from(format!(r#"{{"id":1,"params":{{"name":"a","arguments":{deep}}}}}"#)));
        let params = Seen::one_in(&kept).unwrap().params.unwrap().read();
        assert_eq!(params.value["name"], "a");
        assert!(params.whole_size.is_some(), "that something is missing is told");
    }

    #[test]
    fn a_batch_is_several_and_rubbish_is_none() {
        let seen = |text: &str| {
            let kept = Kept::of(Bytes::from(text.to_owned()));
            Seen::all_in(&kept).into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(seen(r#"[{"id":1,"method":"a"},{"id":"b","result":{}}]"#).len(), 2);
        assert_eq!(seen(r#"{"id":1.5,"method":"a"}"#), [Some("1.5".to_owned())]);
        assert!(seen("Listening on port 1234").is_empty());
        assert!(seen("").is_empty() && seen("{\"id\":").is_empty() && seen("[1]").is_empty());
    }
}
