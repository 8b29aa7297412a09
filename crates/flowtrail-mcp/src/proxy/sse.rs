//! Server-sent events, as the WHATWG's HTML standard reads them (section 9.2.6).

use super::message::{Kept, Seen};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Event {
    /// Its type; none for an ordinary message.
    pub(crate) kind: Option<String>,
    /// Its data: the lines of it, joined.
    pub(crate) data: String,
    /// By which a stream is taken up again after it.
    pub(crate) id: Option<String>,
    /// How long to wait before that, in milliseconds.
    pub(crate) retry: Option<u64>,
}

impl Event {
    /// Its data, if it is a message of the protocol: servers send events of other types too, and signs of life, which SDKs
    /// pass over.
    pub(crate) fn into_message(self) -> Option<bytes::Bytes> {
        let data = bytes::Bytes::from(self.data);
        let is_message = self.kind.is_none() && Seen::are_all_messages(&Kept::of(data.clone()));
        is_message.then_some(data)
    }
}

/// The longest event that is put together, unless told otherwise.
const LONGEST: usize = 256 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Puts events together from a stream's bytes.
#[derive(Debug)]
pub(crate) struct SseReader {
    longest: usize,
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it ends the same line.
    after_return: bool,
    kind: Option<String>,
    data: Vec<u8>,
    has_data: bool,
    id: Option<String>,
    retry: Option<u64>,
    is_begun: bool,
    /// What is being put together is longer than anything that is passed on.
    is_too_long: bool,
    /// What comes up to the next empty line is the rest of that.
    is_skipping: bool,
    /// Whether an event was passed over since that was last asked.
    has_passed_over: bool,
}

impl Default for SseReader {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

impl SseReader {
    /// Puts together events of at most so many bytes.
    pub(crate) fn up_to(longest: usize) -> Self {
        Self {
            longest,
            line: Vec::new(),
            after_return: false,
            kind: None,
            data: Vec::new(),
            has_data: false,
            id: None,
            retry: None,
            is_begun: false,
            is_too_long: false,
            is_skipping: false,
            has_passed_over: false,
        }
    }

    /// Takes the next bytes and gives the events that they end. One without data is given for its id.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            let is_rest_of_return = self.after_return && end == 0 && bytes[0] == b'\n';
            self.after_return = bytes[end] == b'\r';
            if !is_rest_of_return {
                self.keep(&bytes[..end]);
                events.extend(self.end_of_line());
            }
            bytes = &bytes[end + 1..];
        }
        if !bytes.is_empty() {
            self.after_return = false;
            self.keep(bytes);
        }
        events
    }

    /// Whether an event has been passed over because it is too long, since this was last asked.
    pub(crate) fn passed_over(&mut self) -> bool {
        std::mem::take(&mut self.has_passed_over)
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.is_too_long |= self.line.len() + self.data.len() + bytes.len() > self.longest;
        if !self.is_too_long {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.is_begun, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if std::mem::take(&mut self.is_too_long) {
            log::warn!("an event of more than {} bytes is not passed on", self.longest);
            *self = Self {
                is_begun: true,
                is_skipping: true,
                has_passed_over: true,
                after_return: self.after_return,
                ..Self::up_to(self.longest)
            };
            return None;
        }
        if self.is_skipping {
            self.is_skipping = !line.is_empty();
            return None;
        }
        if line.is_empty() {
            let is_something = self.has_data || self.id.is_some() || self.retry.is_some();
            self.has_data = false;
            let data = String::from_utf8_lossy(&std::mem::take(&mut self.data)).into_owned();
            let (kind, id, retry) = (self.kind.take(), self.id.take(), self.retry.take());
            return is_something.then_some(Event { kind, data, id, retry });
        }
        let (field, value) = match memchr::memchr(b':', &line) {
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (&line[..], &b""[..]),
        };
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                let kind = String::from_utf8_lossy(value).into_owned();
                self.kind = Some(kind).filter(|kind| !kind.is_empty() && kind != "message");
            }
            b"id" if !value.contains(&0) => self.id = Some(String::from_utf8_lossy(value).into_owned()),
            b"retry" => self.retry = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str, piece: usize) -> Vec<Event> {
        let mut reader = SseReader::default();
        text.as_bytes().chunks(piece).flat_map(|piece| reader.feed(piece)).collect()
    }

    fn data(text: &str) -> Event {
        Event { data: text.to_owned(), ..Event::default() }
    }

    #[test]
    fn events_are_found_wherever_they_are_cut() {
        let text = ": comment\nid: 7\r\nretry:20\r\ndata: a\r\ndata:b\r\n\r\n\n\ndata: é\rdata\r\rid: 8\n\ndata: lost";
        let expected = vec![
            Event { data: "a\nb".to_owned(), id: Some("7".to_owned()), retry: Some(20), kind: None },
            data("é\n"),
            Event { id: Some("8".to_owned()), ..Event::default() },
        ];
        for piece in 1..20 {
            assert_eq!(events(text, piece), expected, "in pieces of {piece}");
            assert_eq!(
                events(&format!("\u{feff}{text}"), piece),
                expected,
                "after a mark, in pieces of {piece}"
            );
        }
    }

    #[test]
    fn what_is_too_long_is_left_out_as_a_whole() {
        let mut reader = SseReader::default();
        let part = format!("data: {}\n", "x".repeat(LONGEST / 4));
        for _ in 0..5 {
            assert_eq!(reader.feed(part.as_bytes()), []);
        }
        assert_eq!(reader.feed(b"data: rest\n\ndata: next\n\n"), [data("next")]);
    }

    #[test]
    fn only_messages_of_the_protocol_are_messages() {
        let message = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        let batch = format!("[{message},{message}]");
        let is_message = |kind: Option<&str>, data: &str| {
            let kind = kind.map(str::to_owned);
            Event { kind, data: data.to_owned(), ..Event::default() }.into_message().is_some()
        };
        assert!(is_message(None, message) && is_message(None, &batch));
        for data in ["", "ping", "{}", "[]", "[1]", "7", "null", "\"text\"", &format!("[{message},7]"), "{"] {
            assert!(!is_message(None, data), "{data}");
        }
        for kind in ["ping", "error", "endpoint", "keepalive"] {
            assert!(!is_message(Some(kind), message), "{kind}");
        }
    }
}
