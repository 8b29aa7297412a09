//! Bodies: bounded, and JSON.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use flowtrail_types::{Json, Replaced, read_json, without_byte_order_mark};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use crate::blocking::blocking;
use crate::buffer::Buffer;
use crate::incoming::{Incoming, PATIENCE, broken};
use crate::memory::{Holder, Reserved, tree_size};
use crate::{ApiError, App, ErrorCode, auth};

/// The body of a request, no larger than the configured limit, with the memory that it and its tree take.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    _reserved: Arc<Reserved>,
}

impl FromRequest for Body {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let app = App::of(&request)?;
            // Extractors run concurrently. Without this check, the body of an unauthorized request would be read and decompressed.
            let principal = auth::require(app, &request).await?;
            let reserved = app.memory().reservation(Holder::from(&principal));
            Self::receive(&request, payload, app.max_body(), reserved).await
        })
    }
}

/// The body of a login, which needs no key and therefore has a small limit.
#[derive(Debug)]
pub(crate) struct LoginBody(pub(crate) Body);

/// Maximum size of a login's body in bytes, compressed and decompressed.
const MAX_LOGIN: usize = 16 << 10;

impl FromRequest for LoginBody {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let app = App::of(&request)?;
            let reserved = app.memory().reservation(Holder::Anonymous);
            Body::receive(&request, payload, MAX_LOGIN, reserved).await.map(Self)
        })
    }
}

/// Minimum rate at which a client must send a body, in bytes a second, after a grace period.
const LEAST_RATE: usize = 64 << 10;

/// Size up to which a compressed body is decompressed on the worker: it takes a millisecond or two at most.
const SHORT_PACKED: usize = 1 << 10;

/// Size up to which a body is parsed on the worker, in bytes.
pub(crate) const SHORT: usize = 64 << 10;

/// Reads a body and stops at the limit. The memory for it and for the tree that may be parsed from it is reserved.
pub(crate) async fn read(
    mut incoming: Incoming,
    limit: usize,
    reserved: Reserved,
) -> Result<(Bytes, Reserved), ApiError> {
    let declared = incoming.declared.unwrap_or(limit).min(limit);
    let seconds = PATIENCE + Duration::from_secs((declared / LEAST_RATE) as u64);
    let whole = tokio::time::timeout(seconds, receive(&mut incoming, limit, reserved));
    let (body, mut reserved) = whole.await.unwrap_or_else(|_| {
        let message = format!("the body was not there within {} s", seconds.as_secs());
        Err(ApiError::new(ErrorCode::RequestTimeout, message))
    })?;
    let is_packed = incoming.is_packed();
    let finish = move || {
        let body = if is_packed { unpack(&body, limit, &mut reserved)? } else { body };
        reserved.try_grow(tree_size(&body))?;
        Ok::<_, ApiError>((body, reserved))
    };
    let (packed, plain) = if is_packed { (incoming.came, 0) } else { (0, incoming.came) };
    if packed <= SHORT_PACKED && plain <= SHORT { finish() } else { blocking(finish).await }
}

async fn receive(
    incoming: &mut Incoming,
    limit: usize,
    mut reserved: Reserved,
) -> Result<(Bytes, Reserved), ApiError> {
    let mut body = Buffer::new(limit);
    while let Some(chunk) = incoming.next_as_sent().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        reserved.grow(body.growth(chunk.len())).await?;
        body.add(&chunk).map_err(ApiError::internal)?;
    }
    Ok((body.into_bytes(), reserved))
}

/// Decompresses a body, and stops at the limit.
fn unpack(packed: &[u8], limit: usize, reserved: &mut Reserved) -> Result<Bytes, ApiError> {
    let mut body = Buffer::new(limit);
    let mut decoder = flate2::read::MultiGzDecoder::new(packed);
    let mut piece = vec![0; 64 << 10];
    loop {
        let read =
            decoder.read(&mut piece).map_err(|error| broken(&format!("it cannot be unpacked: {error}")))?;
        if read == 0 {
            break;
        }
        if body.len() + read > limit {
            return Err(too_large(limit));
        }
        reserved.try_grow(body.growth(read))?;
        body.add(&piece[..read]).map_err(ApiError::internal)?;
    }
    // The caller drops it.
    reserved.shrink(packed.len());
    Ok(body.into_bytes())
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(ErrorCode::TooLarge, format!("the body is larger than {limit} bytes"))
}

impl Body {
    async fn receive(
        request: &HttpRequest,
        payload: Payload,
        limit: usize,
        reserved: Reserved,
    ) -> Result<Self, ApiError> {
        let (bytes, reserved) = read(Incoming::new(request, payload)?, limit, reserved).await?;
        let reserved = Arc::new(reserved);
        // The tree lives as long as the request, and so does its reservation.
        request.extensions_mut().insert(Arc::clone(&reserved));
        Ok(Self { bytes, _reserved: reserved })
    }

    /// The body as JSON, parsed on the pool for blocking work if it is large; an empty one is an empty object.
    pub(crate) async fn json(self) -> Result<Value, ApiError> {
        self.parse().await.map(|json| json.value)
    }

    async fn parse(self) -> Result<Json, ApiError> {
        if self.bytes.len() <= SHORT { self.read() } else { blocking(move || self.read()).await }
    }

    /// The body as JSON, parsed here, and where surrogates were replaced in it; an empty one is an empty object.
    pub(crate) fn read(&self) -> Result<Json, ApiError> {
        if without_byte_order_mark(&self.bytes).trim_ascii().is_empty() {
            return Ok(Json { value: Value::Object(serde_json::Map::new()), ..Json::default() });
        }
        read_json(&self.bytes).map_err(|error| invalid_json(&error))
    }

    /// The body as a JSON object whose fields are all among these; null is an empty one.
    pub(crate) async fn object(self, known: &[&str]) -> Result<serde_json::Map<String, Value>, ApiError> {
        self.object_read(known).await.map(|(object, _)| object)
    }

    /// The same, and where surrogates were replaced in it.
    pub(crate) async fn object_read(
        self,
        known: &[&str],
    ) -> Result<(serde_json::Map<String, Value>, Replaced), ApiError> {
        let Json { value, replaced, .. } = self.parse().await?;
        let object = match value {
            Value::Object(object) => object,
            Value::Null => serde_json::Map::new(),
            _ => return Err(ApiError::invalid("body", "expected a JSON object")),
        };
        match object.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok((object, replaced)),
            Some(key) => Err(ApiError::invalid(
                &key.chars().take(100).collect::<String>(),
                if known.is_empty() {
                    "unknown field: this address takes none".to_owned()
                } else {
                    format!("unknown field, expected {}", known.join(", "))
                },
            )),
        }
    }
}

/// What is wrong with a text that should have been JSON.
pub(crate) fn invalid_json(error: &serde_json::Error) -> ApiError {
    ApiError::new(ErrorCode::InvalidJson, format!("the body is not valid JSON: {error}"))
}
