//! The framing of gzip (RFC 1952) around deflate: header, data, checksum, and any number of members after each other.

use flate2::{Crc, Decompress};

use super::ContentError;
use super::stage::inflate;

/// The largest header that is accepted, in bytes; it can hold a file name and a comment.
const MAX_HEADER: usize = 8 * 1024;

/// Bytes after the data of a member: its checksum and its size.
const TRAILER: usize = 8;

const BROKEN: ContentError = ContentError::Broken("gzip");

/// Where in a member the decoder is.
#[derive(Debug)]
enum Part {
    /// The bytes of the header so far.
    Header(Vec<u8>),
    Data(Box<Decompress>, Crc),
    /// The checksum and the size of the data, modulo 2^32, and the bytes of the trailer so far.
    Trailer(u32, u32, Vec<u8>),
    /// After the last member. What follows is padding, as `gzip -d` sees it too.
    Padding,
}

/// Decodes gzip data.
#[derive(Debug)]
pub(super) struct Gzip {
    part: Part,
    members: usize,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self { part: Part::Header(Vec::new()), members: 0 }
    }

    /// Decodes a piece into `out`, which may get at most `limit` bytes.
    pub(super) fn push(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), ContentError> {
        while !input.is_empty() {
            match &mut self.part {
                Part::Header(header) => {
                    let known = header.len();
                    header
                        .extend_from_slice(&input[..input.len().min(MAX_HEADER + 1 - known.min(MAX_HEADER))]);
                    match header_length(header) {
                        Ok(Some(length)) => {
                            input = &input[length - known..];
                            self.part = Part::Data(Box::new(Decompress::new(false)), Crc::new());
                        }
                        Ok(None) if header.len() > MAX_HEADER => return Err(BROKEN),
                        Ok(None) => return Ok(()),
                        Err(_) if self.members > 0 => self.part = Part::Padding,
                        Err(error) => return Err(error),
                    }
                }
                Part::Data(data, crc) => {
                    let start = out.len();
                    let (used, ended) = inflate(data, input, out, limit, "gzip")?;
                    crc.update(&out[start..]);
                    input = &input[used..];
                    if ended {
                        self.part = Part::Trailer(crc.sum(), crc.amount(), Vec::with_capacity(TRAILER));
                    }
                }
                Part::Trailer(sum, amount, trailer) => {
                    let used = input.len().min(TRAILER - trailer.len());
                    trailer.extend_from_slice(&input[..used]);
                    input = &input[used..];
                    if trailer.len() == TRAILER {
                        let expected = [sum.to_le_bytes(), amount.to_le_bytes()].concat();
                        if *trailer != expected {
                            return Err(BROKEN);
                        }
                        self.members += 1;
                        self.part = Part::Header(Vec::new());
                    }
                }
                Part::Padding => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether the bytes so far end with a whole member, or there are none.
    pub(super) fn is_complete(&self) -> bool {
        match &self.part {
            Part::Header(header) => header.is_empty() || self.members > 0,
            Part::Data(..) | Part::Trailer(..) => false,
            Part::Padding => true,
        }
    }
}

/// The length of the header that these bytes begin with; nothing when its end has not come yet.
fn header_length(bytes: &[u8]) -> Result<Option<usize>, ContentError> {
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    let known = bytes.len().min(MAGIC.len());
    if bytes[..known] != MAGIC[..known] {
        return Err(BROKEN);
    }
    let Some(flags) = bytes.get(3) else { return Ok(None) };
    let [has_checksum, has_extra, has_name, has_comment] = [2, 4, 8, 16].map(|bit| flags & bit != 0);
    if flags & 0xe0 != 0 {
        return Err(BROKEN);
    }
    let mut length = 10;
    if has_extra {
        let Some(size) = bytes.get(length..length + 2) else { return Ok(None) };
        length += 2 + usize::from(u16::from_le_bytes([size[0], size[1]]));
    }
    for _ in [has_name, has_comment].into_iter().filter(|has| *has) {
        let text = bytes.get(length..).and_then(|text| text.iter().position(|byte| *byte == 0));
        let Some(end) = text else { return Ok(None) };
        length += end + 1;
    }
    if has_checksum {
        length += 2;
    }
    Ok((bytes.len() >= length).then_some(length))
}
