//! One content coding: gzip, deflate, zstd or Brotli.

use std::fmt::{self, Debug};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::ContentError;
use super::gzip::Gzip;

/// How much room for output is made at a time, in bytes.
const ROOM: usize = 32 * 1024;

/// The largest window that a zstd frame may ask for, as a power of two: 8 MiB, which RFC 9659 requires of servers.
const ZSTD_WINDOW: u32 = 23;

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// Decodes one coding.
pub(super) enum Stage {
    Gzip(Box<Gzip>),
    /// Absent before the first byte, which tells zlib's format from raw deflate.
    Deflate(Option<Box<Decompress>>, End),
    Zstd(Decoder<'static>, End),
    Brotli(Box<Brotli>, End),
}

/// Whether the data has begun, and whether it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Before,
    Within,
    After,
}

impl Stage {
    /// The decoder of a coding by its name in the header; nothing for codings that change nothing.
    pub(super) fn named(name: &str) -> Result<Option<Self>, ContentError> {
        Ok(Some(match name.to_ascii_lowercase().as_str() {
            "" | "identity" | "none" => return Ok(None),
            "gzip" | "x-gzip" => Self::Gzip(Box::new(Gzip::new())),
            "deflate" => Self::Deflate(None, End::Before),
            "zstd" => {
                let decoder = Decoder::new().and_then(|mut decoder| {
                    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))?;
                    Ok(decoder)
                });
                Self::Zstd(decoder.map_err(|_| ContentError::Broken("zstd"))?, End::Before)
            }
            "br" => {
                let [lengths, tables, trees] = [(); 3].map(|()| StandardAlloc::default());
                Self::Brotli(Box::new(BrotliState::new(lengths, tables, trees)), End::Before)
            }
            _ => return Err(ContentError::Unsupported(name.chars().take(50).collect())),
        }))
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Deflate(..) => "deflate",
            Self::Zstd(..) => "zstd",
            Self::Brotli(..) => "br",
        }
    }

    /// Decodes a piece to at most so many bytes.
    pub(super) fn push(&mut self, input: &[u8], limit: usize) -> Result<Vec<u8>, ContentError> {
        let mut out = Vec::new();
        if input.is_empty() {
            return Ok(out);
        }
        match self {
            Self::Gzip(gzip) => gzip.push(input, &mut out, limit)?,
            // What follows the end of the data is padding.
            Self::Deflate(_, End::After) | Self::Brotli(_, End::After) => {}
            Self::Deflate(data, end) => {
                let data = data.get_or_insert_with(|| Box::new(Decompress::new(is_zlib(input[0]))));
                let (_, ended) = inflate(data, input, &mut out, limit, "deflate")?;
                *end = if ended { End::After } else { End::Within };
            }
            Self::Zstd(decoder, end) => *end = unzstd(decoder, *end, input, &mut out, limit)?,
            Self::Brotli(state, end) => *end = unbrotli(state, input, &mut out, limit)?,
        }
        Ok(out)
    }

    /// Whether the bytes so far are whole data, or there are none.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Gzip(gzip) => gzip.is_complete(),
            Self::Deflate(_, end) | Self::Zstd(_, end) | Self::Brotli(_, end) => *end != End::Within,
        }
    }
}

impl Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether data under the name `deflate` begins with the header of zlib, as RFC 9110 has it. Some servers send raw deflate,
/// whose first byte would be a stored block with padding bits set: compressors leave them zero.
fn is_zlib(first: u8) -> bool {
    first & 0x0f == 8
}

/// Decompresses a piece into `out`, which may have at most `limit` bytes. Returns how many bytes were used, and whether the
/// data has ended.
pub(super) fn inflate(
    data: &mut Decompress,
    input: &[u8],
    out: &mut Vec<u8>,
    limit: usize,
    name: &'static str,
) -> Result<(usize, bool), ContentError> {
    let begin = data.total_in();
    loop {
        let used = usize::try_from(data.total_in() - begin).unwrap_or(usize::MAX);
        out.reserve(ROOM);
        let before = (data.total_in(), out.len());
        let status = data
            .decompress_vec(&input[used..], out, FlushDecompress::None)
            .map_err(|_| ContentError::Broken(name))?;
        if out.len() > limit {
            return Err(ContentError::TooLarge(limit));
        }
        let used = usize::try_from(data.total_in() - begin).unwrap_or(usize::MAX);
        match status {
            Status::StreamEnd => return Ok((used, true)),
            // Without progress it waits for more input.
            _ if (data.total_in(), out.len()) == before => return Ok((used, false)),
            Status::Ok | Status::BufError => {}
        }
    }
}

/// As [`inflate`], for zstd: any number of frames, each of which may be followed by another.
fn unzstd(
    decoder: &mut Decoder<'static>,
    mut end: End,
    input: &[u8],
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<End, ContentError> {
    let mut input = InBuffer::around(input);
    let mut room = vec![0; ROOM];
    loop {
        let (before, is_over) = (input.pos(), input.pos() == input.src.len());
        let mut output = OutBuffer::around(&mut room[..]);
        let hint = decoder.run(&mut input, &mut output).map_err(|_| ContentError::Broken("zstd"))?;
        out.extend_from_slice(output.as_slice());
        if out.len() > limit {
            return Err(ContentError::TooLarge(limit));
        }
        let is_silent = output.as_slice().is_empty();
        if input.pos() != before || !is_silent {
            end = if hint == 0 { End::After } else { End::Within };
        }
        if is_silent && (is_over || input.pos() == before) {
            return Ok(end);
        }
    }
}

/// As [`inflate`], for Brotli.
fn unbrotli(state: &mut Brotli, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<End, ContentError> {
    let (mut available, mut read, mut total) = (input.len(), 0, 0);
    let mut room = vec![0; ROOM];
    loop {
        let (mut free, mut written) = (room.len(), 0);
        let result = BrotliDecompressStream(
            &mut available,
            &mut read,
            input,
            &mut free,
            &mut written,
            &mut room,
            &mut total,
            state,
        );
        out.extend_from_slice(&room[..written]);
        if out.len() > limit {
            return Err(ContentError::TooLarge(limit));
        }
        match result {
            BrotliResult::ResultSuccess => return Ok(End::After),
            BrotliResult::NeedsMoreInput => return Ok(End::Within),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => return Err(ContentError::Broken("br")),
        }
    }
}
