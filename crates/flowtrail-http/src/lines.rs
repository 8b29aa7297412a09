//! A body read line by line, in constant memory.

use actix_web::web::{Bytes, BytesMut};
use flowtrail_types::without_byte_order_mark;
use futures_util::FutureExt;

use crate::ApiError;
use crate::incoming::Incoming;
use crate::memory::Reserved;

/// A line of a body, or what is wrong with it.
pub(crate) type Line = Result<Bytes, LineTooLong>;

/// A line that is longer than the limit. It was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineTooLong;

/// The lines of a body, as many at once as have come.
pub(crate) struct Lines {
    incoming: Incoming,
    pending: BytesMut,
    /// The memory of what is pending.
    reserved: Reserved,
    limit: usize,
    /// Whether nothing was given out yet. A byte order mark may stand before the first line.
    is_at_start: bool,
    /// Whether what comes is the rest of a line that is too long.
    skipping: bool,
    is_over: bool,
    /// Why the body broke off, while lines from before that are given out.
    broken: Option<ApiError>,
}

impl Lines {
    /// The lines of a body, each no longer than this, in bytes. What has come of a line takes memory of the reservation.
    pub(crate) fn new(incoming: Incoming, limit: usize, reserved: Reserved) -> Self {
        Self {
            incoming,
            pending: BytesMut::new(),
            reserved,
            limit,
            is_at_start: true,
            skipping: false,
            is_over: false,
            broken: None,
        }
    }

    /// The lines that have come, at least one unless the body is over, at most so many, and no more once they have so many
    /// bytes together.
    ///
    /// # Errors
    ///
    /// When the body breaks off, or there is no memory for what comes. What came before it was given out, less the line in
    /// which it broke off.
    pub(crate) async fn next_some(&mut self, most: usize, most_bytes: usize) -> Result<Vec<Line>, ApiError> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        loop {
            while lines.len() < most
                && bytes < most_bytes
                && let Some(line) = self.split()
            {
                bytes += line.as_ref().and_then(|line| line.as_ref().ok()).map_or(0, Bytes::len);
                lines.extend(line);
            }
            self.reserved.shrink_to(self.pending.len());
            if lines.len() >= most || bytes >= most_bytes {
                return Ok(lines);
            }
            if self.is_over {
                lines.extend(self.rest());
                return Ok(lines);
            }
            let came = if let Some(error) = self.broken.take() {
                Some(Err(error))
            } else if lines.is_empty() {
                self.incoming.next().await
            } else {
                // What has come already comes along; nothing more is waited for.
                match self.incoming.next().now_or_never() {
                    Some(came) => came,
                    None => return Ok(lines),
                }
            };
            match came {
                Some(Ok(chunk)) => match self.reserved.fill_in_time(self.pending.len() + chunk.len()).await {
                    Ok(()) => self.pending.extend_from_slice(&chunk),
                    Err(error) if lines.is_empty() => return Err(error),
                    Err(error) => {
                        self.broken = Some(error);
                        return Ok(lines);
                    }
                },
                // First what is whole.
                Some(Err(error)) if !lines.is_empty() => {
                    self.broken = Some(error);
                    return Ok(lines);
                }
                Some(Err(error)) => return Err(error),
                None => self.is_over = true,
            }
        }
    }

    /// Skips the mark before the first line, once all of it has come.
    fn skip_byte_order_mark(&mut self) {
        const LENGTH: usize = 3;
        let is_told = self.pending.len() >= LENGTH || self.is_over || self.pending.contains(&b'\n');
        if self.is_at_start && is_told {
            self.is_at_start = false;
            let mark = self.pending.len() - without_byte_order_mark(&self.pending).len();
            drop(self.pending.split_to(mark));
        }
    }

    /// The next whole line; an inner nothing for the end of one that was skipped.
    #[expect(clippy::option_option, reason = "no whole line yet, or one of which nothing is told")]
    fn split(&mut self) -> Option<Option<Line>> {
        self.skip_byte_order_mark();
        match memchr::memchr(b'\n', &self.pending) {
            Some(end) => {
                let line = self.pending.split_to(end + 1).freeze().slice(..end);
                if std::mem::take(&mut self.skipping) {
                    return Some(None);
                }
                Some(Some(if line.len() > self.limit { Err(LineTooLong) } else { Ok(line) }))
            }
            None if self.pending.len() > self.limit => {
                self.pending.clear();
                Some((!std::mem::replace(&mut self.skipping, true)).then_some(Err(LineTooLong)))
            }
            None => None,
        }
    }

    /// What stands after the last end of a line.
    fn rest(&mut self) -> Option<Line> {
        self.skip_byte_order_mark();
        let rest = std::mem::take(&mut self.pending).freeze();
        let is_skipped = std::mem::take(&mut self.skipping);
        (!is_skipped && !rest.is_empty()).then_some(Ok(rest))
    }
}

#[cfg(test)]
mod tests {
    use crate::memory::{Holder, Memory};

    use super::*;

    fn reserved() -> Reserved {
        Memory::new(1 << 20, 100).reservation(Holder::Anonymous)
    }

    async fn lines_of(chunks: &[&'static str], limit: usize) -> Vec<Result<String, LineTooLong>> {
        let chunks: Vec<&'static [u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
        let mut lines = Lines::new(Incoming::of(&chunks, &[]).unwrap(), limit, reserved());
        let mut all = Vec::new();
        loop {
            let some = lines.next_some(2, 1_000).await.unwrap();
            if some.is_empty() {
                return all;
            }
            all.extend(
                some.into_iter().map(|line| line.map(|line| String::from_utf8(line.to_vec()).unwrap())),
            );
        }
    }

    #[actix_web::test]
    async fn lines_are_put_together_from_whatever_comes() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(lines_of(&["a", "b\nc", "\n\nd"], 10).await, [ok("ab"), ok("c"), ok(""), ok("d")]);
        assert_eq!(lines_of(&[], 10).await, []);
        assert_eq!(lines_of(&["\n"], 10).await, [ok("")]);
    }

    #[actix_web::test]
    async fn a_byte_order_mark_may_stand_before_the_first_line() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(lines_of(&["\u{feff}a\n\u{feff}b"], 3).await, [ok("a"), Err(LineTooLong)]);
        assert_eq!(lines_of(&["\u{feff}abc\r\nd"], 4).await, [ok("abc\r"), ok("d")], "it does not count");
        assert_eq!(lines_of(&["\u{feff}a"], 3).await, [ok("a")]);
        assert_eq!(lines_of(&["\u{feff}"], 3).await, []);
        assert_eq!(lines_of(&["a", "\n", "\u{feff}"], 3).await, [ok("a"), ok("\u{feff}")]);
        let mut lines =
            Lines::new(Incoming::of(&[b"\xef", b"\xbb", b"\xbfa\nb"], &[]).unwrap(), 3, reserved());
        assert_eq!(lines.next_some(9, 9).await.unwrap(), [Ok(Bytes::from("a")), Ok(Bytes::from("b"))]);
    }

    #[actix_web::test]
    async fn a_line_that_is_too_long_is_told_once_and_skipped() {
        let long = Err(LineTooLong);
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(lines_of(&["abcd", "efgh", "ij\nk\n"], 3).await, [long.clone(), ok("k")]);
        assert_eq!(lines_of(&["abcd\nk"], 3).await, [long.clone(), ok("k")]);
        assert_eq!(lines_of(&["a\n", "bcde", "f"], 3).await, [ok("a"), long]);
    }
}
