//! Decodes response bodies by their `Content-Encoding` (RFC 9110, section 8.4).
//!
//! The decoder is incremental: it returns everything that can be decoded from the bytes so far, so that a compressed
//! event stream is delivered event by event. Its output is bounded while it decodes, which stops decompression bombs
//! before they take memory.

mod gzip;
mod stage;

#[cfg(test)]
mod tests;

use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use self::stage::Stage;

/// How many codings may be applied on top of each other.
const MAX_CODINGS: usize = 4;

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The header names a coding that is not supported.
    #[error("the Content-Encoding {0:?} is not supported; supported are gzip, deflate, zstd and br")]
    Unsupported(String),
    /// The header names too many codings.
    #[error("the body is encoded {0} times; at most {MAX_CODINGS} are supported")]
    TooManyCodings(usize),
    /// The bytes are not what the header says.
    #[error("the body is not valid {0}, though its Content-Encoding says so")]
    Broken(&'static str),
    /// The body ended in the middle of the compressed data.
    #[error("the {0} data of the body is incomplete: it was cut off")]
    Truncated(&'static str),
    /// The decoded body is larger than allowed.
    #[error("the decoded body has more than {0} bytes")]
    TooLarge(usize),
}

/// Decodes one response body, piece by piece.
#[derive(Debug)]
pub struct ContentDecoder {
    /// In the order of decoding: the coding that was applied last comes first.
    stages: Vec<Stage>,
    limit: usize,
    decoded: usize,
}

impl ContentDecoder {
    /// Creates the decoder for a response with these headers, which decodes to at most `limit` bytes. The limit also
    /// holds for what lies between two codings.
    ///
    /// # Errors
    ///
    /// When `Content-Encoding` names a coding that is not supported, or too many.
    pub fn new(headers: &HeaderMap, limit: usize) -> Result<Self, ContentError> {
        let mut stages = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let value = String::from_utf8_lossy(value.as_bytes());
            for name in value.split(',').map(str::trim) {
                stages.extend(Stage::named(name)?);
            }
        }
        if stages.len() > MAX_CODINGS {
            return Err(ContentError::TooManyCodings(stages.len()));
        }
        stages.reverse();
        Ok(Self { stages, limit, decoded: 0 })
    }

    /// Returns whether bodies pass through unchanged.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.stages.is_empty()
    }

    /// Allows more decoded bytes in total, or fewer.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Decodes the next piece of the body, and returns everything that is decoded by now.
    ///
    /// # Errors
    ///
    /// When the bytes cannot be decoded, or decode to more than the limit. The decoder is of no use afterwards.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, ContentError> {
        let left = self.limit - self.decoded.min(self.limit);
        let mut bytes = piece.to_vec();
        for stage in &mut self.stages {
            bytes = stage.push(&bytes, left).map_err(|error| self::too_large(error, self.limit))?;
        }
        if bytes.len() > left {
            return Err(ContentError::TooLarge(self.limit));
        }
        self.decoded += bytes.len();
        Ok(bytes)
    }

    /// Ends the body. A body without a single byte is complete in any coding: answers to `HEAD`, and those with status
    /// 204 and 304, name the coding too.
    ///
    /// # Errors
    ///
    /// When the compressed data is incomplete.
    pub fn finish(&mut self) -> Result<(), ContentError> {
        match self.stages.iter().find(|stage| !stage.is_complete()) {
            Some(stage) => Err(ContentError::Truncated(stage.name())),
            None => Ok(()),
        }
    }
}

/// States the limit of the whole body where a stage knew only what was left of it.
fn too_large(error: ContentError, limit: usize) -> ContentError {
    match error {
        ContentError::TooLarge(_) => ContentError::TooLarge(limit),
        error => error,
    }
}
