//! Messages that are too large to be kept: what matters of them is picked out while they pass.
//!
//! A message's members, and those of its `params` and `result`, are each kept up to a bound; what lies deeper is only
//! counted. So a result of any size costs the same memory, and still says whose answer it is and whether it failed,
//! wherever in the message that stands.

use flowtrail_types::replace_unpaired_surrogates;
use memchr::memchr2;

use super::mend;

/// The most bytes that are kept of all members together.
const KEPT: usize = 2 << 20;
/// What is kept of each member, however much of the others was kept before.
const KEPT_OF_EACH: usize = 16 << 10;
/// The most members that are looked at.
const MEMBERS: usize = 64;
/// The longest key that is one.
const KEY: usize = 256;

/// Reads a message piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Skim {
    /// How many containers are open.
    depth: usize,
    /// The depth at which members are told apart: 1 for the message's own, 2 for those of `params` and `result`.
    level: usize,
    in_string: bool,
    is_escaped: bool,
    /// The key that is being read.
    key: Option<Vec<u8>>,
    expects_key: bool,
    /// The keys under which what comes stands.
    path: [String; 2],
    in_value: bool,
    is_passed_over: bool,
    members: Vec<Member>,
    kept: usize,
    /// Not one JSON object.
    is_odd: bool,
}

/// A member of a message, as far as it was kept.
#[derive(Debug)]
struct Member {
    path: [String; 2],
    raw: Vec<u8>,
    size: u64,
}

/// What was picked out of a message.
#[derive(Debug, Default)]
pub(crate) struct Skimmed {
    members: Vec<Member>,
}

impl Skim {
    /// One that keeps no more than a little of each member.
    pub(crate) fn thin() -> Self {
        Self { kept: KEPT, ..Self::default() }
    }

    /// Takes the next piece.
    pub(crate) fn feed(&mut self, mut piece: &[u8]) {
        while let Some((first, rest)) = piece.split_first() {
            if self.in_string && !self.is_escaped {
                // Nothing but these two matters within a string.
                let plain = memchr2(b'"', b'\\', piece).unwrap_or(piece.len());
                if plain > 0 {
                    self.keep(&piece[..plain]);
                    piece = &piece[plain..];
                    continue;
                }
            }
            self.take(*first);
            piece = rest;
        }
    }

    /// What was picked out; nothing when it was no JSON object.
    pub(crate) fn finish(self) -> Skimmed {
        let is_whole = self.depth == 0 && !self.in_string && !self.is_odd;
        Skimmed { members: if is_whole { self.members } else { Vec::new() } }
    }

    fn take(&mut self, byte: u8) {
        if self.in_string {
            self.keep(&[byte]);
            if self.is_escaped {
                self.is_escaped = false;
            } else if byte == b'\\' {
                self.is_escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
                self.end_of_key();
            }
            return;
        }
        let is_structure = self.depth == self.level;
        match byte {
            b'"' => {
                self.in_string = true;
                if is_structure && self.expects_key {
                    self.key = Some(Vec::new());
                } else {
                    self.begin_value();
                }
                self.keep(b"\"");
            }
            b'{' if self.depth == 0 && self.level == 0 => {
                (self.depth, self.level, self.expects_key) = (1, 1, true);
            }
            b'{' if is_structure && self.level == 1 && self.holds_members() && !self.in_value => {
                (self.depth, self.level, self.expects_key) = (2, 2, true);
            }
            b'{' | b'[' => {
                self.is_odd |= self.depth == 0;
                self.begin_value();
                self.keep(&[byte]);
                self.depth += 1;
            }
            b'}' | b']' if is_structure && self.level > 0 => {
                (self.in_value, self.expects_key) = (false, false);
                self.depth -= 1;
                self.level = self.depth;
                self.path[self.depth].clear();
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.keep(&[byte]);
            }
            b':' if is_structure && !self.in_value => {}
            b',' if is_structure && self.level > 0 => (self.in_value, self.expects_key) = (false, true),
            b' ' | b'\t' | b'\r' | b'\n' if is_structure => {}
            _ => {
                self.begin_value();
                self.keep(&[byte]);
            }
        }
    }

    fn holds_members(&self) -> bool {
        matches!(self.path[0].as_str(), "params" | "result")
    }

    fn end_of_key(&mut self) {
        let Some(key) = self.key.take() else { return };
        let key = serde_json::from_slice(&replace_unpaired_surrogates(&key)).unwrap_or_default();
        self.path[self.level - 1] = key;
        self.expects_key = false;
    }

    fn begin_value(&mut self) {
        if self.in_value || self.level == 0 {
            return;
        }
        self.in_value = true;
        // Whatever comes after so many is passed over, and does not belong to the last of them.
        self.is_passed_over = self.members.len() >= MEMBERS;
        if !self.is_passed_over {
            let path =
                if self.level == 1 { [self.path[0].clone(), String::new()] } else { self.path.clone() };
            self.members.push(Member { path, raw: Vec::new(), size: 0 });
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(key) = &mut self.key {
            let room = KEY.saturating_sub(key.len());
            key.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return;
        }
        let is_kept = self.in_value && !self.is_passed_over;
        let Some(member) = self.members.last_mut().filter(|_| is_kept) else { return };
        // Once something was left out nothing more is kept, or there would be a hole.
        let is_whole = member.size == member.raw.len() as u64;
        member.size += bytes.len() as u64;
        if is_whole {
            let room = KEPT.saturating_sub(self.kept).max(KEPT_OF_EACH.saturating_sub(member.raw.len()));
            let kept = bytes.len().min(room);
            member.raw.extend_from_slice(&bytes[..kept]);
            self.kept += kept;
        }
    }
}

impl Member {
    /// Its size, when not all of it was kept.
    fn cut_from(&self) -> Option<u64> {
        (self.size > self.raw.len() as u64).then_some(self.size)
    }
}

impl Skimmed {
    /// How many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        self.members.iter().map(|member| member.raw.len()).sum()
    }

    /// A member of the message itself, and the bytes that it had if that is only its beginning.
    pub(crate) fn member(&self, name: &str) -> Option<(String, Option<u64>)> {
        let mut own = self.members.iter().filter(|member| member.path[0] == name);
        let first = own.next()?;
        if first.path[1].is_empty() {
            return Some((mend::closed(&first.raw), first.cut_from()));
        }
        // Put together again from its own members.
        let mut text = String::from("{");
        let (mut size, mut is_cut) = (1, false);
        for member in std::iter::once(first).chain(own) {
            let key = serde_json::Value::from(member.path[1].as_str()).to_string();
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&key);
            text.push(':');
            text.push_str(&mend::closed(&member.raw));
            size += member.size + key.len() as u64 + 2;
            is_cut |= member.cut_from().is_some();
        }
        text.push('}');
        Some((text, is_cut.then_some(size)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn skimmed(text: &str, piece: usize) -> Skimmed {
        let mut skim = Skim::default();
        text.as_bytes().chunks(piece).for_each(|piece| skim.feed(piece));
        skim.finish()
    }

    fn value(skimmed: &Skimmed, name: &str) -> Option<Value> {
        skimmed.member(name).map(|(text, _)| serde_json::from_str(&text).expect("JSON"))
    }

    #[test]
    fn what_comes_last_is_found() {
        let text = "x\\\"".repeat(3 << 20);
        let message = format!(
            r#"{{ "result" : {{"content":[{{"type":"text","text":"{text}"}}], "isError": true}}, "jsonrpc":"2.0","id":"a\"b"}}"#
        );
        let skimmed = skimmed(&message, 64 << 10);
        assert_eq!(value(&skimmed, "id"), Some(json!("a\"b")));
        let result = value(&skimmed, "result").unwrap();
        assert_eq!(result["isError"], true);
        let kept = result["content"][0]["text"].as_str().unwrap();
        assert!(kept.len() > 1 << 20 && kept.starts_with("x\"x\""), "the beginning is kept: {}", kept.len());
        let (_, size) = skimmed.member("result").unwrap();
        assert!(size.is_some_and(|size| size > 9 << 20), "{size:?}");
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        for text in ["[1]", "rubbish", "{\"a\":", "\"text\"", "", "}{"] {
            assert!(skimmed(text, 1).members.is_empty(), "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            Just(Value::Null)
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,6}", inner), 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn rubbish_is_read_to_its_end(bytes in "[\\[\\]{}\",:a\\\\ 1]{0,40}", piece in 1usize..9) {
            let read = skimmed(&bytes, piece);
            for name in ["id", "params", "a"] {
                if let Some((text, _)) = read.member(name) {
                    prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");
                }
            }
        }

        #[test]
        fn what_is_small_is_kept_as_it_is(
            params in any_json(), id in any_json(), is_pretty in any::<bool>(), piece in 1usize..50
        ) {
            // An empty key at the second level stands for none, and an empty object has no member to tell of it.
            let has_empty_key = params.as_object().is_some_and(|entries| entries.is_empty() || entries.contains_key(""));
            prop_assume!(!has_empty_key);
            let message = json!({"id": id, "params": params, "method": "x"});
            let text = if is_pretty { format!("{message:#}") } else { message.to_string() };
            let skimmed = skimmed(&text, piece);
            prop_assert_eq!(value(&skimmed, "id"), Some(message["id"].clone()));
            prop_assert_eq!(value(&skimmed, "params"), Some(message["params"].clone()));
            prop_assert_eq!(value(&skimmed, "method"), Some(json!("x")));
        }
    }
}
