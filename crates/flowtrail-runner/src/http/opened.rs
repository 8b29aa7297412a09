//! A response whose body is still to be read: all at once, or as it comes.

use flowtrail_types::ErrorKind;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use url::Url;

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
}

impl Opened {
    /// A response that came to this request, of whose body at most so many bytes are read.
    pub(super) fn new(url: Url, response: Response, spoken: String, max_body: usize) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { url, status, headers, response, spoken, max_body, read: 0 }
    }

    /// Allows so many times the bytes: a stream says little in much.
    pub(crate) fn allow_times(&mut self, times: usize) {
        self.max_body = self.max_body.saturating_mul(times);
    }

    /// The next piece of the body; nothing at its end.
    ///
    /// # Errors
    ///
    /// When it breaks off, or there is more than may be read.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let chunk = self.response.chunk().await.map_err(|error| HttpError::of(&self.spoken, error))?;
        let Some(chunk) = chunk else { return Ok(None) };
        self.read += chunk.len();
        if self.read > self.max_body { Err(self.too_large()) } else { Ok(Some(chunk.to_vec())) }
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
