//! Why a request got no answer.

use std::error::Error;

use flowtrail_types::ErrorKind;
use reqwest::StatusCode;

use super::content_coding::ContentError;

/// A host that flows may not call.
#[derive(Debug, thiserror::Error)]
#[error("{host} is not allowed: its address is {reason}")]
pub(super) struct Forbidden {
    pub(super) host: String,
    pub(super) reason: &'static str,
}

/// Why a request got no answer. It names the host, never the whole URL, whose query may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpError {
    /// What happened.
    pub(crate) message: String,
    /// The same in one word.
    pub(crate) kind: ErrorKind,
    /// Whether the same request may well be answered the next time.
    pub(crate) is_transient: bool,
}

impl HttpError {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { message: message.into(), kind, is_transient: false }
    }

    /// A response whose body cannot be decoded. One that was cut off may well come whole the next time.
    pub(super) fn undecodable(request: &str, status: StatusCode, error: &ContentError) -> Self {
        let is_transient = matches!(error, ContentError::Truncated(_));
        let kind = if is_transient { ErrorKind::Network } else { ErrorKind::Failed };
        Self { is_transient, ..Self::new(kind, format!("{request} answered {status}, but {error}")) }
    }

    /// What an error of the client means, in one line.
    pub(super) fn of(request: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut causes = Vec::new();
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
                return Self::from(forbidden);
            }
            let text = error.to_string().replace('\n', " ");
            // Many errors say all that their cause says.
            if !causes.iter().any(|known: &String| known.contains(&text)) {
                causes.push(text);
            }
            cause = error.source();
        }
        let kind = if error.is_builder() { ErrorKind::InvalidInput } else { ErrorKind::Network };
        let is_transient = kind == ErrorKind::Network;
        Self { is_transient, ..Self::new(kind, format!("{request} failed: {}", causes.join(": "))) }
    }
}

impl From<&Forbidden> for HttpError {
    fn from(error: &Forbidden) -> Self {
        let hint = "the server's configuration can allow private addresses";
        Self::new(ErrorKind::Forbidden, format!("{error} ({hint})"))
    }
}
