//! Errors as this dialect tells them: `{"detail": …}`.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use flowtrail_tracker::TrackerError;
use serde_json::json;

use crate::{ApiError, ErrorCode};

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Detail(ApiError);

impl Detail {
    pub(super) fn new(code: ErrorCode, message: &str) -> Self {
        Self(ApiError::new(code, message))
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<ApiError> for Detail {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<TrackerError> for Detail {
    fn from(error: TrackerError) -> Self {
        Self(error.into())
    }
}

impl ResponseError for Detail {
    fn status_code(&self) -> StatusCode {
        match self.0.code().status() {
            // What a value is not, and what stands in its way, are one thing here.
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT => StatusCode::UNPROCESSABLE_ENTITY,
            other => other,
        }
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let native = self.0.error_response();
        let mut response =
            HttpResponse::build(self.status_code()).json(json!({"detail": self.0.to_string()}));
        for name in ["www-authenticate", "retry-after"] {
            if let Some(value) = native.headers().get(name) {
                let name = actix_web::http::header::HeaderName::from_static(name);
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }
}
