//! Messages between a worker and its owner: frames of a length in four bytes, a mark and content.

use std::io::{self, Read, Write};

/// The most bytes of a frame: as many as a script may have in memory, and room for what stands around a code of that size.
pub(super) const LONGEST: usize = 2 * super::MEMORY;

/// The kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mark {
    /// To the worker: what is to be done, as JSON.
    Task = b't',
    /// To the worker: the input of the task before, as JSON.
    Input = b'i',
    /// From the worker: the id of the node whose output the script asks for.
    Ask = b'a',
    /// To the worker: that output, as JSON.
    Output = b'o',
    /// To the worker: that output cannot be given.
    Refused = b'x',
    /// From the worker: the result, as JSON.
    Result = b'r',
    /// From the worker: why there is none, as JSON.
    Error = b'e',
}

const MARKS: [Mark; 7] =
    [Mark::Task, Mark::Input, Mark::Ask, Mark::Output, Mark::Refused, Mark::Result, Mark::Error];

/// Writes a frame, all of it at once.
pub(super) fn write(to: &mut impl Write, mark: Mark, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= LONGEST);
    let length =
        length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "too large for a script"))?;
    let mut frame = Vec::with_capacity(content.len() + 5);
    frame.extend(length.to_le_bytes());
    frame.push(mark as u8);
    frame.extend(content);
    to.write_all(&frame)?;
    to.flush()
}

/// Reads a frame.
///
/// # Errors
///
/// When the other side is gone, or sent something else.
pub(super) fn read(from: &mut impl Read) -> io::Result<(Mark, Vec<u8>)> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let mark = MARKS.into_iter().find(|mark| *mark as u8 == head[4]).ok_or_else(|| invalid("no frame"))?;
    if length > LONGEST {
        return Err(invalid("a frame of any length"));
    }
    // What was promised may never come.
    let mut content = Vec::with_capacity(length.min(1 << 20));
    from.take(length as u64).read_to_end(&mut content)?;
    if content.len() == length { Ok((mark, content)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Reads the text of a frame with this mark.
pub(super) fn expect(from: &mut impl Read, expected: Mark) -> io::Result<String> {
    match read(from)? {
        (mark, content) if mark == expected => text(content),
        (mark, _) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("unexpected {mark:?}"))),
    }
}

/// The content of a frame as text.
pub(super) fn text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
