//! Every error that the API answers with, from one table.

use std::fmt::{self, Display};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use flowtrail_runner::{Problem, Problems, RunError};
use flowtrail_tracker::{DiskTrouble, TrackerError};
use serde::Serialize;
use uuid::Uuid;

macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident = $word:literal, $status:ident, $meaning:literal;)+) => {
        /// A stable word for each kind of error: what programs tell them apart by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)+
        }

        impl ErrorCode {
            /// Every code with its status and its meaning: the table that `docs/API.md` shows.
            pub const TABLE: &[(Self, &str, StatusCode, &str)] =
                &[$((Self::$variant, $word, StatusCode::$status, $meaning),)+];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }
        }
    };
}

codes! {
    InvalidJson = "invalid_json", BAD_REQUEST, "The body is not JSON, or is nested more than 128 levels deep.";
    Invalid = "invalid", BAD_REQUEST, "A value is not what it must be; the message names the field.";
    InvalidFlow = "invalid_flow", BAD_REQUEST, "A flow is not sound; `problems` lists every one by node and field.";
    InvalidArguments = "invalid_arguments", BAD_REQUEST, "The parameters are not what the flow takes; `problems` lists every one.";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "No key, or one that is unknown, revoked or expired.";
    Forbidden = "forbidden", FORBIDDEN, "You may see it, but not do this to it; or the host or origin is not allowed.";
    Csrf = "csrf", FORBIDDEN, "A write by cookie without the header `X-Flowtrail-CSRF`, whose value `GET /api/session` gives.";
    NotFound = "not_found", NOT_FOUND, "There is no such thing, or you may not know of it.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This address does not take this method.";
    Taken = "taken", CONFLICT, "The id or the tool name belongs to another flow.";
    Changed = "changed", CONFLICT, "Somebody else changed it in the meantime.";
    Conflict = "conflict", CONFLICT, "It was recorded before with other content.";
    AlreadyEnded = "already_ended", CONFLICT, "The execution has ended in another way, which stays.";
    Pending = "still_running", CONFLICT, "The execution is still running: cancel it, or wait for its end.";
    RunsHere = "runs_here", CONFLICT, "Flowtrail itself runs the execution, and alone tells of it.";
    Inactive = "flow_inactive", CONFLICT, "The flow is switched off.";
    Incomplete = "incomplete", CONFLICT, "The parameters were not kept whole, so the execution cannot be run again.";
    NotRunnable = "flow_not_runnable", CONFLICT, "The flow runs elsewhere and is only recorded here.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body was not sent in time: for 30 seconds nothing came, or all of it took too long.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body's `Content-Type` or `Content-Encoding` is none that this address takes.";
    TooOften = "rate_limited", TOO_MANY_REQUESTS, "The key sends more requests a second than it may; `Retry-After` tells when it may again.";
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, "The disk is full; reading, deleting and logging in work.";
    StorageFailed = "storage_failed", INSUFFICIENT_STORAGE, "The disk does not do what it is asked, or a record is damaged; the server's log says why.";
    ShareUsed = "share_used", TOO_MANY_REQUESTS, "Your share of something that all users have together is used up; the message says of what.";
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "The body is larger than the configured limit, or the request needs more memory than one may have.";
    Busy = "busy", SERVICE_UNAVAILABLE, "More is waiting to be written than the database takes. Nothing was written; try again.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The database cannot be reached, or the server is shutting down.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Flowtrail went wrong. The id stands in the log, too.";
}

/// An error as the API answers it.
#[derive(Debug, Clone)]
pub struct ApiError {
    code: ErrorCode,
    message: String,
    problems: Vec<Problem>,
    /// The fields that differ from what was recorded before.
    differences: Box<[String]>,
    /// After how many seconds it may be tried again.
    retry_after: Option<u32>,
    /// Under which the log tells more.
    id: Option<Uuid>,
}

/// An error as it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorBody<'a> {
    status_code: u16,
    message: &'a str,
    error: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "<[Problem]>::is_empty")]
    problems: &'a [Problem],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    differences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
}

impl ApiError {
    /// An error with this code.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            problems: Vec::new(),
            differences: Box::default(),
            retry_after: None,
            id: None,
        }
    }

    /// A field's value is not what it must be.
    #[must_use]
    pub fn invalid(field: &str, message: impl Display) -> Self {
        Self::new(ErrorCode::Invalid, format!("{field}: {message}"))
    }

    /// A flow, or a flow's parameters, with all that is wrong with them.
    #[must_use]
    pub fn problems(code: ErrorCode, problems: Problems) -> Self {
        let message = problems.to_string();
        Self { problems: problems.0, ..Self::new(code, message) }
    }

    /// The same error, with the fields that differ from what was recorded before.
    #[must_use]
    pub fn with_differences(mut self, differences: Vec<String>) -> Self {
        self.differences = differences.into();
        self
    }

    /// The disk is full, or fails. Told in the log once a second: it fails for everybody.
    fn of_disk(error: &TrackerError, trouble: DiskTrouble) -> Self {
        static TOLD: Mutex<Option<Instant>> = Mutex::new(None);
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= Duration::from_secs(1)) {
            *told = Some(Instant::now());
            log::error!("{error}");
        }
        match trouble {
            DiskTrouble::Full => Self::new(ErrorCode::StorageFull, "the server's disk is full"),
            DiskTrouble::Failed => {
                Self::new(ErrorCode::StorageFailed, "the server's disk or its database is broken")
            }
        }
    }

    /// A key asks more often than it may, and may again after so long.
    pub(crate) fn too_often(wait: std::time::Duration) -> Self {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        let message = format!("this key sends more requests than it may: try again in {seconds} s");
        Self { retry_after: Some(seconds), ..Self::new(ErrorCode::TooOften, message) }
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    pub(crate) fn body(&self) -> ErrorBody<'_> {
        let status = self.code.status();
        ErrorBody {
            status_code: status.as_u16(),
            message: &self.message,
            error: status.canonical_reason().unwrap_or_default(),
            code: self.code.as_str(),
            problems: &self.problems,
            differences: &self.differences,
            id: self.id,
        }
    }

    /// Something that must not happen. The cause goes to the log, under the id that the answer carries.
    #[must_use]
    pub fn internal(cause: impl Display) -> Self {
        let id = Uuid::from_u128(u128::from_be_bytes(random_bytes()));
        log::error!("internal error {id}: {cause}");
        let message = "Flowtrail went wrong; the log has more under this id";
        Self { id: Some(id), ..Self::new(ErrorCode::Internal, message) }
    }
}

fn random_bytes() -> [u8; 16] {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // An id to search the log by: it must differ, not be secret.
    let half = || RandomState::new().build_hasher().finish().to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half());
    bytes[8..].copy_from_slice(&half());
    bytes
}

impl Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let status = self.code.status();
        let mut response = HttpResponse::build(status);
        match self.code {
            ErrorCode::Unauthenticated => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"flowtrail\""));
            }
            ErrorCode::Busy | ErrorCode::ShareUsed | ErrorCode::Unavailable => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response.json(self.body())
    }
}

impl From<TrackerError> for ApiError {
    fn from(error: TrackerError) -> Self {
        let code = match &error {
            TrackerError::NotFound(_) => ErrorCode::NotFound,
            TrackerError::Forbidden(_) => ErrorCode::Forbidden,
            TrackerError::Unauthenticated(_) => ErrorCode::Unauthenticated,
            TrackerError::Invalid { .. } => ErrorCode::Invalid,
            TrackerError::Taken { .. } => ErrorCode::Taken,
            TrackerError::Changed => ErrorCode::Changed,
            TrackerError::Conflict { .. } => ErrorCode::Conflict,
            TrackerError::AlreadyEnded { .. } => ErrorCode::AlreadyEnded,
            TrackerError::RunsHere => ErrorCode::RunsHere,
            TrackerError::Incomplete(_) => ErrorCode::Incomplete,
            TrackerError::Pending => ErrorCode::Pending,
            TrackerError::Busy => ErrorCode::Busy,
            TrackerError::Closed => ErrorCode::Unavailable,
            TrackerError::Unknown { execution } => {
                let id = execution.map(|id| *id.as_uuid());
                return Self { id, ..Self::new(ErrorCode::Unavailable, error.to_string()) };
            }
            TrackerError::HoldsSecret { node, field } => {
                let message = "holds the value of a configured secret: take it out; where a secret may stand, \
                               write {{ secrets.NAME }}";
                let problem =
                    Problem { node: node.clone(), field: field.clone(), message: message.to_owned() };
                return Self::problems(ErrorCode::InvalidFlow, Problems(vec![problem]));
            }
            TrackerError::Store(store) if store.is_transient() => {
                log::warn!("{error}");
                return Self::new(ErrorCode::Unavailable, "the database cannot be reached just now");
            }
            TrackerError::Store(store) if store.damage().is_some() => {
                log::error!("{store}");
                return Self::new(ErrorCode::StorageFailed, format!("this record is damaged: {store}"));
            }
            TrackerError::Store(_) => match error.disk_trouble() {
                Some(trouble) => return Self::of_disk(&error, trouble),
                None => return Self::internal(error),
            },
        };
        Self::new(code, error.to_string())
    }
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Arguments(problems) => Self::problems(ErrorCode::InvalidArguments, problems),
            RunError::Invalid(problems) => Self::problems(ErrorCode::InvalidFlow, problems),
            RunError::Inactive => Self::new(ErrorCode::Inactive, "this flow is switched off"),
            RunError::NotRunnable => {
                Self::new(ErrorCode::NotRunnable, "this flow runs elsewhere and is only recorded here")
            }
            RunError::TooDeep => Self::new(ErrorCode::Invalid, "flows call each other too deeply"),
            RunError::ShareUsed(_) => Self::new(ErrorCode::ShareUsed, error.to_string()),
            RunError::Tracker(error) => error.into(),
        }
    }
}
