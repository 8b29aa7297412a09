//! The reader for texts that serde_json changes or refuses.

use serde_json::{Map, Number, Value};

use super::{Json, Replaced};

/// serde_json's limit: a value has fewer levels of arrays and objects than this.
const MAX_DEPTH: usize = 128;

/// A recursive descent parser of RFC 8259 that keeps the text of numbers.
pub(super) struct Reader<'a> {
    /// The text as it was sent.
    sent: &'a [u8],
    /// The same with replaced surrogates: of the same length, and UTF-8.
    text: &'a str,
    place: usize,
}

impl<'a> Reader<'a> {
    /// Reads a text and what it became when surrogates were replaced. `None` when it is not valid; serde_json says why.
    pub(super) fn read(sent: &'a [u8], text: &'a [u8]) -> Option<Json> {
        let mut reader = Self { sent, text: std::str::from_utf8(text).ok()?, place: 0 };
        let json = reader.value(MAX_DEPTH)?;
        reader.skip_whitespace();
        (reader.place == text.len()).then_some(json)
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.skip_whitespace();
        let plain = |value| Json { value, replaced: Replaced::default(), is_beyond_serde: true };
        match self.peek()? {
            b'{' => self.object(deeper(depth)?),
            b'[' => self.array(deeper(depth)?),
            b'"' => {
                let (text, was_replaced) = self.string()?;
                let mut replaced = Replaced::default();
                if was_replaced {
                    replaced.mark();
                }
                Some(Json { value: Value::String(text), replaced, is_beyond_serde: true })
            }
            b't' => self.word("true", Value::Bool(true)).map(plain),
            b'f' => self.word("false", Value::Bool(false)).map(plain),
            b'n' => self.word("null", Value::Null).map(plain),
            _ => self.number().map(Value::Number).map(plain),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let (mut members, mut replaced) = (Map::new(), Replaced::default());
        self.place += 1;
        self.skip_whitespace();
        if self.take(b'}') {
            return Some(Json { value: Value::Object(members), replaced, is_beyond_serde: true });
        }
        loop {
            self.skip_whitespace();
            let (key, was_replaced) = self.string()?;
            self.skip_whitespace();
            self.take(b':').then_some(())?;
            let mut member = self.value(depth)?;
            if was_replaced {
                member.replaced.mark();
            }
            replaced.add(&key, member.replaced);
            members.insert(key, member.value);
            self.skip_whitespace();
            if self.take(b'}') {
                return Some(Json { value: Value::Object(members), replaced, is_beyond_serde: true });
            }
            self.take(b',').then_some(())?;
        }
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        let (mut items, mut replaced) = (Vec::new(), Replaced::default());
        self.place += 1;
        self.skip_whitespace();
        if self.take(b']') {
            return Some(Json { value: Value::Array(items), replaced, is_beyond_serde: true });
        }
        loop {
            let item = self.value(depth)?;
            if item.replaced.is_any() {
                replaced.add(&items.len().to_string(), item.replaced);
            }
            items.push(item.value);
            self.skip_whitespace();
            if self.take(b']') {
                return Some(Json { value: Value::Array(items), replaced, is_beyond_serde: true });
            }
            self.take(b',').then_some(())?;
        }
    }

    /// A string, and whether a surrogate in it was replaced.
    fn string(&mut self) -> Option<(String, bool)> {
        let start = self.place;
        self.take(b'"').then_some(())?;
        let mut is_plain = true;
        loop {
            match self.next()? {
                b'"' => break,
                b'\\' => {
                    is_plain = false;
                    self.next()?;
                }
                0..=0x1f => return None,
                _ => {}
            }
        }
        let quoted = self.text.get(start..self.place)?;
        let text = if is_plain {
            quoted[1..quoted.len() - 1].to_owned()
        } else {
            serde_json::from_str(quoted).ok()?
        };
        Some((text, self.sent.get(start..self.place)? != quoted.as_bytes()))
    }

    fn number(&mut self) -> Option<Number> {
        let start = self.place;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        // The only way into a number that does not rewrite its exponent.
        Some(Number::from_string_unchecked(self.text.get(start..self.place)?.to_owned()))
    }

    /// Skips digits, of which there must be one.
    fn digits(&mut self) -> Option<()> {
        let start = self.place;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.place += 1;
        }
        (self.place > start).then_some(())
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        let is_here = self.text.as_bytes()[self.place..].starts_with(word.as_bytes());
        self.place += word.len();
        is_here.then_some(value)
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.place += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.place).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.place += 1;
        Some(byte)
    }

    fn take(&mut self, expected: u8) -> bool {
        let is_here = self.peek() == Some(expected);
        self.place += usize::from(is_here);
        is_here
    }
}

fn deeper(depth: usize) -> Option<usize> {
    depth.checked_sub(1).filter(|left| *left > 0)
}
