//! Bodies: bounded, and JSON.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use flowtrail_types::{Json, Replaced, read_json, without_byte_order_mark};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use crate::incoming::{Incoming, PATIENCE};
use crate::{ApiError, App, ErrorCode, auth};

/// The body of a request, no larger than the configured limit.
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Bytes);

impl FromRequest for Body {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let app = request.app_data::<web::Data<App>>();
            let app = app.ok_or_else(|| ApiError::internal("a handler without an application"))?;
            // Extractors run concurrently. Without this check, the body of an unauthorized request would be read and decompressed.
            auth::require(app, &request).await?;
            read(Incoming::new(&request, payload)?, app.max_body()).await.map(Self)
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
        let incoming = Incoming::new(request, payload.take());
        Box::pin(async move { read(incoming?, MAX_LOGIN).await.map(|body| Self(Body(body))) })
    }
}

/// The least that a client must send of a body, in bytes a second, once it has had some time.
const LEAST_RATE: usize = 64 << 10;

/// Reads a body and stops at the limit.
pub(crate) async fn read(mut incoming: Incoming, limit: usize) -> Result<Bytes, ApiError> {
    let whole = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = incoming.next().await {
            let chunk = chunk?;
            // Of what is packed neither side may be larger: nothing may come out of very much.
            if body.len() + chunk.len() > limit || incoming.came > limit {
                let message = format!("the body is larger than {limit} bytes");
                return Err(ApiError::new(ErrorCode::TooLarge, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let seconds = PATIENCE + Duration::from_secs((limit / LEAST_RATE) as u64);
    tokio::time::timeout(seconds, whole).await.unwrap_or_else(|_| {
        let message = format!("the body was not there within {} s", seconds.as_secs());
        Err(ApiError::new(ErrorCode::RequestTimeout, message))
    })
}

impl Body {
    /// The body as JSON; an empty one is an empty object.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        self.read().map(|json| json.value)
    }

    /// The body as JSON, and where surrogates were replaced in it; an empty one is an empty object.
    pub(crate) fn read(&self) -> Result<Json, ApiError> {
        if without_byte_order_mark(&self.0).trim_ascii().is_empty() {
            return Ok(Json { value: Value::Object(serde_json::Map::new()), ..Json::default() });
        }
        read_json(&self.0).map_err(|error| invalid_json(&error))
    }

    /// The body as a JSON object whose fields are all among these; null is an empty one.
    pub(crate) fn object(&self, known: &[&str]) -> Result<serde_json::Map<String, Value>, ApiError> {
        self.object_read(known).map(|(object, _)| object)
    }

    /// The same, and where surrogates were replaced in it.
    pub(crate) fn object_read(
        &self,
        known: &[&str],
    ) -> Result<(serde_json::Map<String, Value>, Replaced), ApiError> {
        let Json { value, replaced, .. } = self.read()?;
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
