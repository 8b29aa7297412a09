//! Server-sent events, as far as a stream of completions uses them: the name and the data of each event (the HTML
//! standard, section 9.2.6, "Interpreting an event stream").

/// The name of the event by which endpoints report a failure.
const ERROR: &str = "error";

/// An event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Empty for events without a name.
    pub(super) name: String,
    pub(super) data: String,
}

impl Event {
    /// Returns whether the event reports a failure, whatever its data looks like.
    pub(super) fn is_error(&self) -> bool {
        self.name.eq_ignore_ascii_case(ERROR)
    }
}

/// Takes a stream in pieces that may be cut anywhere, within a character or a line ending too.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The name of the event that is being read.
    name: String,
    /// Its data; absent when it has none so far.
    data: Option<String>,
    /// Whether the last byte was a carriage return, whose line feed may follow.
    after_return: bool,
    is_begun: bool,
}

impl Events {
    /// Takes the next piece, and gives the events that are whole now.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in piece {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(*byte),
            }
            self.after_return = *byte == b'\r';
        }
        events
    }

    /// The stream has ended. An event whose empty line has not come counts all the same: whoever ends a stream
    /// without it has said all the same what there is.
    pub(super) fn end(mut self) -> Option<Event> {
        self.end_line().or_else(|| self.end_event())
    }

    /// Ends the event that is being read. One without data is none, unless its name alone says that something failed.
    fn end_event(&mut self) -> Option<Event> {
        let (name, data) = (std::mem::take(&mut self.name), self.data.take());
        let is_error = name.eq_ignore_ascii_case(ERROR);
        data.or_else(|| is_error.then(String::new)).map(|data| Event { name, data })
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = if std::mem::replace(&mut self.is_begun, true) {
            line.as_ref()
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(&line)
        };
        if line.is_empty() {
            return self.end_event();
        }
        // Without a colon the line is a name alone; before the colon of a comment there is none.
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (name, &mut self.data) {
            ("event", _) => self.name = value.trim().to_owned(),
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            ("data", data) => *data = Some(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = "\u{feff}: hello\n\ndata: {\"é\": 1}\r\n\r\nevent: x\rdata:two\rdata: lines\r\rid: 7\n\n\
        data\n\ndata: 日本\n\n: ping\ndata: [DONE]\n\n";
    const EVENTS: [&str; 5] = ["{\"é\": 1}", "two\nlines", "", "日本", "[DONE]"];

    fn read<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<String> {
        let mut events = Events::default();
        let mut read: Vec<Event> = pieces.into_iter().flat_map(|piece| events.take(piece)).collect();
        read.extend(events.end());
        read.into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn an_event_has_the_name_that_it_was_given() {
        let mut events = Events::default();
        let stream =
            b"event: error\ndata: {}\n\ndata: 1\n\nevent: ping\n\nevent:Error\n\ndata: 2\nevent: x\n\n";
        let named = |event: Event| {
            format!("{}={}{}", event.name, event.data, if event.is_error() { "!" } else { "" })
        };
        let read: Vec<String> = events.take(stream).into_iter().map(named).collect();
        assert_eq!(read, ["error={}!", "=1", "Error=!", "x=2"]);
    }

    #[test]
    fn data_is_read_and_all_else_is_not() {
        assert_eq!(read([STREAM.as_bytes()]), EVENTS);
        assert_eq!(read([]), [""; 0]);
        assert_eq!(read([b"data: a\n\n\n\n".as_slice()]), ["a"]);
        assert_eq!(read([b"data: a\ndata: b".as_slice()]), ["a\nb"], "an end without the empty line");
        assert_eq!(read([b"data: a\xff\n\n".as_slice()]), ["a\u{fffd}"]);
    }

    proptest! {
        #[test]
        fn wherever_it_is_cut_the_same_is_read(cuts in prop::collection::vec(0..STREAM.len(), 0..20)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &STREAM.as_bytes()[ends[0]..ends[1]]).collect();
            prop_assert_eq!(read(pieces), EVENTS);
        }

        #[test]
        fn no_stream_is_a_surprise(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..200_usize) {
            let (left, right) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(read([left, right]), read([bytes.as_slice()]));
        }
    }
}
