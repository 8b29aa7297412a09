//! What decides about a message must say the same to whoever reads it.
//!
//! Readers of JSON differ in which of two members of one name they take, and some take `METHOD` for `method`. Who may call a
//! tool is decided here by reading a message that the server then reads once more: where both could read it differently, it is
//! not passed on.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The members of a message that tell what it is.
const OF_MESSAGE: &[&str] = &["id", "jsonrpc", "method", "params"];
/// The members of a call that tell what is called.
const OF_CALL: &[&str] = &["name"];

/// Why a message may not say the same to everybody.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unclear {
    /// A member that another reader may not find, or find another one in its place.
    #[error(transparent)]
    Member(#[from] Ambiguous),
    /// A name in it cannot be read.
    #[error("a name in the message is not one that everybody can read: {0}")]
    Name(#[from] serde_json::Error),
}

/// A member that another reader may not find, or find another one in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the member {found:?} stands twice, or can be taken for {meant:?}: expected {meant:?} once, spelled so"
)]
pub(super) struct Ambiguous {
    found: String,
    meant: &'static str,
}

/// Fails when a message, or one of several, can be read as two different ones.
pub(super) fn check(body: &[u8]) -> Result<(), Unclear> {
    match serde_json::from_slice(body)? {
        Message(Some(ambiguous)) => Err(ambiguous.into()),
        Message(None) => Ok(()),
    }
}

/// The names of those members that were found so far.
struct Members {
    known: &'static [&'static str],
    seen: Vec<&'static str>,
    ambiguous: Option<Ambiguous>,
}

impl Members {
    fn of(known: &'static [&'static str]) -> Self {
        Self { known, seen: Vec::new(), ambiguous: None }
    }

    /// Notes a member, and returns which of the known ones it is.
    fn note(&mut self, found: &str) -> Option<&'static str> {
        let folded = fold(found);
        let meant = *self.known.iter().find(|known| **known == folded)?;
        if found != meant || self.seen.contains(&meant) {
            self.ambiguous.get_or_insert(Ambiguous { found: found.to_owned(), meant });
        }
        self.seen.push(meant);
        Some(meant)
    }
}

/// A name as readers see it who do not tell cases apart: also the long s, and the sign for Kelvin, are letters to them.
fn fold(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// What is ambiguous in a message.
struct Message(Option<Ambiguous>);

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MessageVisitor)
    }
}

struct MessageVisitor;

/// Whatever is neither an object nor an array says nothing.
macro_rules! nothing_in_scalars {
    ($none:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }
    };
}

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;

    nothing_in_scalars!(Message(None));

    fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<Message, A::Error> {
        let mut first = None;
        while let Some(Message(ambiguous)) = messages.next_element()? {
            first = first.or(ambiguous);
        }
        Ok(Message(first))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut members = Members::of(OF_MESSAGE);
        let mut is_call = false;
        let mut of_call = None;
        while let Some(name) = map.next_key::<String>()? {
            match members.note(&name) {
                Some("method") => is_call |= map.next_value::<Text>()?.0.as_deref() == Some("tools/call"),
                Some("params") => of_call = of_call.or(map.next_value::<Params>()?.0),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        // Other requests may have names of all kinds.
        Ok(Message(members.ambiguous.or(of_call.filter(|_| is_call))))
    }
}

/// What is ambiguous in the parameters of a call.
struct Params(Option<Ambiguous>);

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParamsVisitor)
    }
}

struct ParamsVisitor;

impl<'de> Visitor<'de> for ParamsVisitor {
    type Value = Params;

    nothing_in_scalars!(Params(None));

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Params, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Params(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Params, A::Error> {
        let mut members = Members::of(OF_CALL);
        while let Some(name) = map.next_key::<String>()? {
            members.note(&name);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(Params(members.ambiguous))
    }
}

/// A text, or anything else.
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(body: &str, meant: &str) {
        let refused = check(body.as_bytes());
        assert!(
            matches!(&refused, Err(Unclear::Member(found)) if found.meant == meant),
            "{body}: {refused:?}"
        );
    }

    #[test]
    fn what_says_the_same_to_everybody_passes() {
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"Name":1,"name":2}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x/y","params":{"Name":"a","name":"b"}}"#,
            r#"{"id":1,"method":"tools/call","params":["name","name"],"extra":{"method":1}}"#,
            r#"[{"id":1,"result":{}},{"method":"a"}]"#,
            r#"{"method":"tools/call","params":{"name":"\ud83d"}}"#,
            "7",
        ] {
            assert!(check(body.as_bytes()).is_ok(), "{body}");
        }
    }

    #[test]
    fn what_two_readers_may_read_differently_does_not() {
        refused(r#"{"method":"ping","method":"tools/call"}"#, "method");
        refused(r#"{"method":"ping","METHOD":"tools/call"}"#, "method");
        refused(r#"{"Method":"tools/call"}"#, "method");
        refused(r#"{"method":"tools/call","param\u017f":{"name":"a"}}"#, "params");
        refused(r#"{"params":{"name":"a","Name":"b"},"method":"tools/call"}"#, "name");
        refused(r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#, "name");
        refused(r#"[{"method":"a"},{"Id":1,"method":"b"}]"#, "id");
        let hidden = check(br#"{"\ud800":1,"METHOD":"tools/call"}"#);
        assert!(matches!(hidden, Err(Unclear::Name(_))), "{hidden:?}");
    }
}
