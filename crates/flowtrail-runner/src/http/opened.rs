//! A response whose body is still to be read: all at once, or as it comes.

use flowtrail_types::ErrorKind;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use url::Url;

use super::content_coding::{ContentDecoder, ContentError};
use super::failure::HttpError;

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Received {
    /// The URL that answered, after redirects.
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A response whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The URL that answered, after redirects.
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    response: Response,
    spoken: String,
    max_body: usize,
    read: usize,
    decoder: ContentDecoder,
    is_over: bool,
}

impl Opened {
    /// A response that came to this request, of whose body at most so many bytes are read, and as many decoded.
    ///
    /// # Errors
    ///
    /// When its body has a coding that is not supported.
    pub(super) fn new(
        url: Url,
        response: Response,
        spoken: String,
        max_body: usize,
    ) -> Result<Self, HttpError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let decoder = ContentDecoder::new(&headers, max_body)
            .map_err(|error| HttpError::undecodable(&spoken, status, &error))?;
        Ok(Self { url, status, headers, response, spoken, max_body, read: 0, decoder, is_over: false })
    }

    /// Allows so many times the bytes: a stream says little in much.
    pub(crate) fn allow_times(&mut self, times: usize) {
        self.max_body = self.max_body.saturating_mul(times);
        self.decoder.set_limit(self.max_body);
    }

    /// The next piece of the decoded body; nothing at its end.
    ///
    /// # Errors
    ///
    /// When it breaks off or cannot be decoded, or there is more than may be read.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        while !self.is_over {
            let chunk = self.response.chunk().await.map_err(|error| HttpError::of(&self.spoken, error))?;
            let decoded = match &chunk {
                Some(chunk) => {
                    self.read += chunk.len();
                    if self.read > self.max_body {
                        return Err(self.too_large());
                    }
                    self.decoder.push(chunk)
                }
                None => {
                    self.is_over = true;
                    self.decoder.finish().map(|()| Vec::new())
                }
            };
            let decoded = decoded.map_err(|error| match error {
                ContentError::TooLarge(_) => self.too_large(),
                error => HttpError::undecodable(&self.spoken, self.status, &error),
            })?;
            // A piece may hold nothing but a part of a compressed block.
            if !decoded.is_empty() {
                return Ok(Some(decoded));
            }
        }
        Ok(None)
    }

    /// Reads the body to its end.
    ///
    /// # Errors
    ///
    /// Those of [`chunk`](Self::chunk).
    pub(crate) async fn read(mut self) -> Result<Received, HttpError> {
        let announced = self.response.content_length().unwrap_or_default();
        if usize::try_from(announced).map_or(true, |announced| announced > self.max_body) {
            return Err(self.too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Received { url: self.url, status: self.status, headers: self.headers, body })
    }

    fn too_large(&self) -> HttpError {
        let message = format!("{} answered with more than {} bytes", self.spoken, self.max_body);
        HttpError::new(ErrorKind::Limit, message)
    }
}
