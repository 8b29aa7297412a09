//! Server-sent events, as far as a stream of completions uses them: the data of each event (the HTML standard,
//! section 9.2.6, "Interpreting an event stream").

/// Takes a stream in pieces that may be cut anywhere, within a character or a line ending too.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The data of the event that is being read; absent when it has none so far.
    data: Option<String>,
    /// Whether the last byte was a carriage return, whose line feed may follow.
    after_return: bool,
    is_begun: bool,
}

impl Events {
    /// Takes the next piece, and gives the data of the events that are whole now.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<String> {
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
    pub(super) fn end(mut self) -> Option<String> {
        self.end_line().or(self.data.take())
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = if std::mem::replace(&mut self.is_begun, true) {
            line.as_ref()
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(&line)
        };
        if line.is_empty() {
            return self.data.take();
        }
        // Without a colon the line is a name alone; before the colon of a comment there is none.
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
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
        let mut read: Vec<String> = pieces.into_iter().flat_map(|piece| events.take(piece)).collect();
        read.extend(events.end());
        read
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
