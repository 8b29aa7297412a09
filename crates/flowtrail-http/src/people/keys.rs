//! `GET` and `POST /api/keys`, `DELETE /api/keys/{keyId}`: one's own keys, for administrators everybody's.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::NewKey;
use flowtrail_types::ApiKey;
use serde::Serialize;
use serde_json::json;

use crate::blocking::blocking;
use crate::body::Body;
use crate::executions::path_id;
use crate::fields::Fields;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn list(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let tracker = app.tracker().clone();
    let keys = blocking(move || tracker.keys(&principal)).await?;
    Ok(HttpResponse::Ok().json(json!({"items": keys})))
}

/// A key with its secret, which is shown this once.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    key: ApiKey,
    #[serde(rename = "key")]
    secret: String,
}

pub(super) async fn create(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let value = body.json().await?;
    let fields = Fields::of_body(&value)?;
    fields.only(&["name", "userId", "expiresAt"], &[])?;
    let name = fields.required_text("name")?.to_owned();
    let (user, expires_at) = (fields.parsed("userId")?, fields.time("expiresAt")?);
    let tracker = app.tracker().clone();
    let made = blocking(move || tracker.create_key(&principal, &name, user, expires_at)).await?;
    let NewKey { key, secret } = made;
    Ok(HttpResponse::Created().json(Shown { key, secret }))
}

pub(super) async fn revoke(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let id = path_id(&request, "key_id", "key")?;
    let tracker = app.tracker().clone();
    blocking(move || tracker.revoke_key(&principal, id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
