//! Who asks. A handler that takes a [`Caller`] is reached with a good key only.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use flowtrail_types::Principal;
use futures_util::future::{Either, LocalBoxFuture};

use crate::blocking::blocking;
use crate::{ApiError, App, ErrorCode, session, turns};

/// The principal whose key came with the request.
#[derive(Debug, Clone)]
pub struct Caller(pub Principal);

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Either<Ready<Result<Self, ApiError>>, LocalBoxFuture<'static, Result<Self, ApiError>>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let app = match App::of(request) {
            Ok(app) => app,
            Err(error) => return Either::Left(ready(Err(error))),
        };
        // Most come again and again, and need no thread to be looked up on.
        if let Ok(key) = bearer(request)
            && let Some(rules) = app.tracker().rules_mark()
            && let Some(principal) = app.tracker().recall(rules, key)
        {
            request.extensions_mut().insert(rules);
            turns::is_asked_by(principal.id);
            return Either::Left(ready(app.count(&principal).map(|()| Self(principal))));
        }
        let (app, request) = (app.clone(), request.clone());
        Either::Right(Box::pin(async move {
            let principal = recognise(&app, &request).await?;
            turns::is_asked_by(principal.id);
            app.count(&principal)?;
            Ok(Self(principal))
        }))
    }
}

/// Authenticates a request without counting it against the rate limit. Keys in the cache need no lookup.
///
/// # Errors
///
/// Those of [`recognise`].
pub(crate) async fn require(app: &App, request: &HttpRequest) -> Result<Principal, ApiError> {
    if let Ok(key) = bearer(request)
        && let Some(rules) = app.tracker().rules_mark()
        && let Some(principal) = app.tracker().recall(rules, key)
    {
        turns::is_asked_by(principal.id);
        return Ok(principal);
    }
    let principal = recognise(app, request).await?;
    turns::is_asked_by(principal.id);
    Ok(principal)
}

/// Who asks: by a key or a page's token in a header, or else by the cookie of a session.
pub(crate) async fn recognise(app: &App, request: &HttpRequest) -> Result<Principal, ApiError> {
    let tracker = app.tracker().clone();
    if !request.headers().contains_key(header::AUTHORIZATION)
        && let Some(secret) = session::cookie_of(request)
    {
        turns::is_asked_with(secret.as_bytes());
        let session = blocking(move || tracker.session(&secret)).await?;
        session::check_csrf(request, &session)?;
        return Ok(session.principal);
    }
    let key = bearer(request)?.to_owned();
    turns::is_asked_with(key.as_bytes());
    blocking(move || tracker.authenticate(&key)).await
}

/// Interval of looking at a key again: it may have expired, or another process may have revoked it.
const LOOK: Duration = Duration::from_millis(700);

/// Done when whoever sent a request may not ask any more: their key was revoked or has expired. A database that is away for a
/// moment does not end it.
pub(crate) async fn until_refused(request: HttpRequest) {
    let Some(app) = request.app_data::<web::Data<App>>().cloned() else { return };
    let mut revocations = app.tracker().revocations();
    loop {
        let timer = tokio::time::sleep(LOOK);
        tokio::select! {
            () = timer => {}
            Ok(()) = revocations.changed() => {}
        }
        if let Err(error) = require(&app, &request).await
            && error.code() == ErrorCode::Unauthenticated
        {
            return;
        }
    }
}

/// The key of a request.
fn bearer(request: &HttpRequest) -> Result<&str, ApiError> {
    let missing = "send your API key as the header `Authorization: Bearer ft_…`";
    let unauthenticated = |message: &str| ApiError::new(ErrorCode::Unauthenticated, message);
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let header = headers.next().ok_or_else(|| unauthenticated(missing))?;
    // Whoever stands in between may have looked at the other one.
    if headers.next().is_some() {
        return Err(unauthenticated("the header Authorization was sent twice"));
    }
    let text = header.to_str().map_err(|_| unauthenticated("the header Authorization is not text"))?;
    match text.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() => {
            Ok(key.trim())
        }
        _ => Err(unauthenticated(missing)),
    }
}
