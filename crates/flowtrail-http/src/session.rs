//! `/api/session`: logging in to the web UI, and out.
//!
//! A session is a cookie that no page can read and that no other site's page sends. Writes need a header besides, whose
//! value only a page of this server can learn.

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::{NewToken, Session};
use flowtrail_types::timestamp;
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::body::LoginBody;
use crate::fields::Fields;
use crate::openapi::{Answer, Asker, Operation};
use crate::routes::Route;
use crate::{ApiError, App, ErrorCode};

/// The cookie that holds a session.
pub(crate) const COOKIE: &str = "flowtrail_session";
/// The header that a write by cookie needs.
pub(crate) const CSRF_HEADER: &str = "X-Flowtrail-CSRF";

pub(crate) const ROUTES: &[Route] = &[
    Route::post(
        "/api/session",
        || web::post().to(log_in),
        Operation::new("logIn", "Logs in to the web UI")
            .by(Asker::Anybody)
            .body("LogIn")
            .gives(&[Answer::json(201, "Session", "Who is logged in, and a cookie.").with(&["Set-Cookie"])])
            .fails(&[
                ErrorCode::Unauthenticated,
                ErrorCode::Forbidden,
                ErrorCode::TooOften,
                ErrorCode::Unavailable,
                ErrorCode::Internal,
            ]),
    ),
    Route::get(
        "/api/session",
        || web::get().to(current),
        Operation::new("getSession", "Who is logged in")
            .by(Asker::Session)
            .gives(&[Answer::json(200, "Session", "Who is logged in.")])
            .fails(&[ErrorCode::Unauthenticated, ErrorCode::Unavailable, ErrorCode::Internal]),
    ),
    Route::delete(
        "/api/session",
        || web::delete().to(log_out),
        Operation::new("logOut", "Logs out")
            .by(Asker::Anybody)
            .gives(&[Answer::empty(204, "Nobody is logged in any more.").with(&["Set-Cookie"])])
            .fails(&[ErrorCode::Csrf, ErrorCode::Unavailable, ErrorCode::Internal]),
    ),
];

/// The session that a request brings, if it brings one.
pub(crate) fn cookie_of(request: &HttpRequest) -> Option<String> {
    request.cookie(COOKIE).map(|cookie| cookie.value().to_owned()).filter(|value| !value.is_empty())
}

/// Whether a method only reads.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses a write by cookie that may come from somebody else's page.
pub(crate) fn check_csrf(request: &HttpRequest, session: &Session) -> Result<(), ApiError> {
    let told = request.headers().get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    if is_safe(request.method()) || told == Some(&session.csrf) {
        return Ok(());
    }
    let message =
        format!("a write by cookie needs the header {CSRF_HEADER}, whose value GET /api/session gives");
    Err(ApiError::new(ErrorCode::Csrf, message))
}

async fn log_in(
    app: web::Data<App>,
    request: HttpRequest,
    LoginBody(body): LoginBody,
) -> Result<HttpResponse, ApiError> {
    check_origin(&request)?;
    let value = body.json().await?;
    let fields = Fields::of_body(&value)?;
    fields.only(&["key", "code"], &[])?;
    let (key, code) = (fields.text("key")?.map(str::to_owned), fields.text("code")?.map(str::to_owned));
    let tracker = app.tracker().clone();
    let counting = app.clone();
    let (made, session) = blocking(move || -> Result<_, ApiError> {
        let made = match (key, code) {
            (Some(key), None) => {
                let principal = tracker.authenticate(key.trim())?;
                counting.count(&principal)?;
                tracker.log_in(&principal)?
            }
            (None, Some(code)) => tracker.log_in_once(code.trim())?,
            _ => return Err(ApiError::invalid("key", "expected a key, or a code to log in once")),
        };
        let session = tracker.session(&made.secret)?;
        Ok((made, session))
    })
    .await?;
    let lives = session.expires_at - app.tracker().clock().now();
    Ok(HttpResponse::Created().cookie(cookie(&request, &made, lives)).json(shown(&session)))
}

/// Refuses a login that another site's page sends: whoever opened it would go on in somebody else's account.
fn check_origin(request: &HttpRequest) -> Result<(), ApiError> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = header(header::ORIGIN) else { return Ok(()) };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    if authority.is_some() && authority == header(header::HOST) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::Forbidden, "log in from a page of this server, not of another one"))
}

async fn current(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let secret = cookie_of(&request)
        .ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated, "you are not logged in: POST a key here"))?;
    let tracker = app.tracker().clone();
    let session = blocking(move || tracker.session(&secret)).await?;
    Ok(HttpResponse::Ok().json(shown(&session)))
}

async fn log_out(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    if let Some(secret) = cookie_of(&request) {
        let tracker = app.tracker().clone();
        let asked = (tracker.clone(), secret.clone());
        match blocking(move || asked.0.session(&asked.1)).await {
            Ok(session) => {
                check_csrf(&request, &session)?;
                blocking(move || tracker.log_out(&secret, &session)).await?;
            }
            // It is over already.
            Err(error) if error.code() == ErrorCode::Unauthenticated => {}
            Err(error) => return Err(error),
        }
    }
    let mut gone = Cookie::build(COOKIE, "").path("/").http_only(true).same_site(SameSite::Strict).finish();
    gone.make_removal();
    Ok(HttpResponse::NoContent().cookie(gone).finish())
}

fn cookie(request: &HttpRequest, made: &NewToken, lives: time::Duration) -> Cookie<'static> {
    Cookie::build(COOKIE, made.secret.clone())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        // Told by whoever stands before this server and takes the requests over TLS.
        .secure(request.connection_info().scheme() == "https")
        .max_age(CookieDuration::seconds(lives.whole_seconds().max(0)))
        .finish()
}

fn shown(session: &Session) -> Value {
    json!({
        "user": session.principal,
        "csrf": session.csrf,
        "expiresAt": timestamp::format(session.expires_at),
    })
}
