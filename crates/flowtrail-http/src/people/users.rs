//! `GET` and `POST /api/users`, `DELETE /api/users/{userId}`, for administrators.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_types::Role;
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
    let users = blocking(move || tracker.users(&principal)).await?;
    Ok(HttpResponse::Ok().json(json!({"items": users})))
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
    fields.only(&["name", "role"], &[])?;
    let name = fields.required_text("name")?.to_owned();
    let role = fields.parsed("role")?.unwrap_or(Role::User);
    let tracker = app.tracker().clone();
    let user = blocking(move || tracker.create_user(&principal, &name, role)).await?;
    Ok(HttpResponse::Created().json(user))
}

pub(super) async fn delete(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let id = path_id(&request, "user_id", "user")?;
    let tracker = app.tracker().clone();
    blocking(move || tracker.delete_user(&principal, id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
