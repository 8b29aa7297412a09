//! What clients send: piece by piece, unpacked if it was packed, and within time.

use std::io::Write;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use futures_util::StreamExt;

use crate::{ApiError, ErrorCode};

/// How long a client may send nothing in the middle of a body.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// So much of a packed body is unpacked at once: a thousand times as much comes out of it at most.
const UNPACKED_AT_ONCE: usize = 512;

/// Kinds of content that may be JSON. What programs send that do not think about it is among them.
const MAY_BE_JSON: &[&str] = &[
    "application/json",
    "application/jsonl",
    "application/ndjson",
    "application/octet-stream",
    "application/x-ndjson",
    "application/x-www-form-urlencoded",
    "text/plain",
];

/// The body of a request as it comes.
pub(crate) struct Incoming {
    payload: Payload,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    /// What has come and is not unpacked yet.
    packed: BytesMut,
    /// How many bytes have come, as they came.
    pub(crate) came: usize,
    /// The announced number of bytes, if there is one.
    pub(crate) declared: Option<usize>,
    is_over: bool,
}

impl Incoming {
    /// The body of a request, which must be of a kind that can be read.
    pub(crate) fn new(request: &HttpRequest, payload: Payload) -> Result<Self, ApiError> {
        let refused = |message: String| ApiError::new(ErrorCode::UnsupportedMediaType, message);
        let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
        let kind = text(header::CONTENT_TYPE).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json =
            essence.is_empty() || essence.ends_with("+json") || MAY_BE_JSON.contains(&essence.as_str());
        if !is_json {
            let shown: String = essence.chars().take(100).collect();
            return Err(refused(format!("Content-Type: expected application/json, got {shown}")));
        }
        let gzip = match text(header::CONTENT_ENCODING).map(|coding| coding.trim().to_ascii_lowercase()) {
            None => None,
            Some(coding) if coding.is_empty() || coding == "identity" => None,
            Some(coding) if coding == "gzip" || coding == "x-gzip" => Some(MultiGzDecoder::new(Vec::new())),
            Some(other) => {
                let shown: String = other.chars().take(100).collect();
                return Err(refused(format!("Content-Encoding: expected gzip or none, got {shown}")));
            }
        };
        let declared = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        Ok(Self { payload, gzip, packed: BytesMut::new(), came: 0, declared, is_over: false })
    }

    /// The next piece, which may be empty; none when the body is over.
    ///
    /// # Errors
    ///
    /// When it breaks off, or nothing comes in time, or what was packed cannot be unpacked.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, ApiError>> {
        if let Some(unpacked) = self.unpack().transpose() {
            return Some(unpacked);
        }
        if self.is_over {
            return None;
        }
        match self.next_as_sent().await {
            None => self.finish().transpose(),
            Some(Ok(chunk)) if self.gzip.is_some() => {
                self.packed.extend_from_slice(&chunk);
                // It is unpacked when the next piece is asked for.
                Some(Ok(Bytes::new()))
            }
            came => came,
        }
    }

    /// The next piece as it was sent, compressed or not; none when the body is over.
    ///
    /// # Errors
    ///
    /// When it breaks off, or nothing comes in time.
    pub(crate) async fn next_as_sent(&mut self) -> Option<Result<Bytes, ApiError>> {
        let Ok(came) = tokio::time::timeout(PATIENCE, self.payload.next()).await else {
            self.is_over = true;
            let message = format!("nothing came for {} s in the middle of the body", PATIENCE.as_secs());
            return Some(Err(ApiError::new(ErrorCode::RequestTimeout, message)));
        };
        match &came {
            Some(Ok(chunk)) => self.came += chunk.len(),
            None | Some(Err(_)) => self.is_over = true,
        }
        came.map(|came| came.map_err(|error| broken(&error.to_string())))
    }

    /// Returns true if the body is compressed.
    pub(crate) fn is_packed(&self) -> bool {
        self.gzip.is_some()
    }

    /// Some of what is packed, unpacked; nothing when there is nothing to unpack.
    fn unpack(&mut self) -> Result<Option<Bytes>, ApiError> {
        let Some(gzip) = &mut self.gzip else { return Ok(None) };
        while !self.packed.is_empty() {
            let some = self.packed.split_to(self.packed.len().min(UNPACKED_AT_ONCE));
            if let Err(error) = gzip.write_all(&some) {
                self.is_over = true;
                self.packed.clear();
                return Err(broken(&format!("it cannot be unpacked: {error}")));
            }
            let unpacked = std::mem::take(gzip.get_mut());
            if !unpacked.is_empty() {
                return Ok(Some(unpacked.into()));
            }
        }
        Ok(None)
    }

    /// What is left of what was packed, which must be whole.
    fn finish(&mut self) -> Result<Option<Bytes>, ApiError> {
        let Some(mut gzip) = self.gzip.take() else { return Ok(None) };
        gzip.try_finish().map_err(|error| broken(&format!("it cannot be unpacked: {error}")))?;
        let left = std::mem::take(gzip.get_mut());
        Ok((!left.is_empty()).then(|| left.into()))
    }
}

pub(crate) fn broken(why: &str) -> ApiError {
    ApiError::new(ErrorCode::Invalid, format!("the body broke off: {why}"))
}

#[cfg(test)]
impl Incoming {
    /// A body that comes in these pieces.
    pub(crate) fn of(
        chunks: &[&'static [u8]],
        headers: &[(&'static str, &'static str)],
    ) -> Result<Self, ApiError> {
        let request = headers
            .iter()
            .fold(actix_web::test::TestRequest::default(), |request, header| request.insert_header(*header))
            .to_http_request();
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
        let payload: std::pin::Pin<Box<dyn futures_util::Stream<Item = _>>> =
            Box::pin(futures_util::stream::iter(chunks));
        Self::new(&request, Payload::Stream { payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GZIP: &[(&str, &str)] = &[("content-encoding", "gzip")];

    fn packed(plain: &[u8]) -> &'static [u8] {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().leak()
    }

    async fn whole(mut incoming: Incoming, limit: usize) -> Result<Vec<u8>, ApiError> {
        let mut all = Vec::new();
        while let Some(piece) = incoming.next().await {
            let piece = piece?;
            assert!(piece.len() <= UNPACKED_AT_ONCE * 1_100, "{} bytes at once", piece.len());
            all.extend_from_slice(&piece);
            if all.len() > limit {
                break;
            }
        }
        Ok(all)
    }

    #[actix_web::test]
    async fn what_was_packed_is_unpacked_piece_by_piece() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let body = packed(&plain);
        let (one, other) = body.split_at(body.len() / 3);
        assert_eq!(whole(Incoming::of(&[one, other], GZIP).unwrap(), usize::MAX).await.unwrap(), plain);
        let twice = [body, body].concat().leak();
        let read = whole(Incoming::of(&[twice], GZIP).unwrap(), usize::MAX).await.unwrap();
        assert_eq!(read.len(), 2 * plain.len(), "several members are one body");
        assert_eq!(whole(Incoming::of(&[b"{}"], &[]).unwrap(), usize::MAX).await.unwrap(), b"{}");
        assert_eq!(whole(Incoming::of(&[packed(b"")], GZIP).unwrap(), usize::MAX).await.unwrap(), b"");
    }

    #[actix_web::test]
    async fn a_bomb_is_never_in_memory_as_a_whole() {
        let bomb = packed(&vec![0; 50 << 20]);
        assert!(bomb.len() < 60_000, "{}", bomb.len());
        let read = whole(Incoming::of(&[bomb], GZIP).unwrap(), 1 << 20).await.unwrap();
        assert!(read.len() < 2 << 20, "{}", read.len());
    }

    #[actix_web::test]
    async fn what_cannot_be_unpacked_is_told() {
        let body = packed(b"a body that is cut off");
        for bad in [&body[..body.len() - 4], &body[..5], b"no gzip at all"] {
            let error = whole(Incoming::of(&[bad], GZIP).unwrap(), usize::MAX).await.unwrap_err();
            assert!(error.to_string().contains("it cannot be unpacked"), "{error}");
        }
    }

    #[actix_web::test]
    async fn kinds_that_are_no_json_are_refused() {
        for (name, value) in [
            ("content-type", "multipart/form-data; boundary=x"),
            ("content-type", "application/xml"),
            ("content-encoding", "br"),
            ("content-encoding", "gzip, gzip"),
        ] {
            let error = Incoming::of(&[], &[(name, value)]).err().expect(value);
            assert_eq!(error.code(), ErrorCode::UnsupportedMediaType);
            assert!(error.to_string().to_lowercase().starts_with(name), "{error}");
        }
        for kind in ["", "application/json; charset=utf-8", "Application/Problem+JSON", "text/plain"] {
            Incoming::of(&[], &[("content-type", kind)]).expect(kind);
        }
    }
}
