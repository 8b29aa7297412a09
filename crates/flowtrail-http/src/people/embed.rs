//! `POST /api/embed-tokens`: a token with which a page of another origin reads the history of some flows.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use flowtrail_types::{FlowId, timestamp};
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::body::Body;
use crate::fields::Fields;
use crate::query::Query;
use crate::{ApiError, App, Caller};

/// How long a token lives when nothing is said: an hour.
const TTL: i32 = 3_600;

pub(super) async fn create(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let value = body.json().await?;
    let fields = Fields::of_body(&value)?;
    fields.only(&["flowIds", "ttlSeconds"], &[])?;
    let flows = flow_ids(&fields)?;
    let ttl = fields.number("ttlSeconds", 0, i32::MAX)?.unwrap_or(TTL);
    let ttl = Duration::from_secs(u64::try_from(ttl).unwrap_or(0));
    let tracker = app.tracker().clone();
    let (made, flows) =
        blocking(move || tracker.create_embed_token(&principal, &flows, ttl).map(|made| (made, flows)))
            .await?;
    Ok(HttpResponse::Created().json(json!({
        "token": made.secret,
        "flowIds": flows,
        "expiresAt": timestamp::format(made.expires_at),
    })))
}

fn flow_ids(fields: &Fields<'_>) -> Result<Vec<FlowId>, ApiError> {
    let expected = |index: Option<usize>| {
        let name = index.map_or_else(|| "flowIds".to_owned(), |index| format!("flowIds[{index}]"));
        fields.invalid(&name, "expected a list of ids of flows")
    };
    let Some(Value::Array(items)) = fields.value("flowIds") else { return Err(expected(None)) };
    let id = |(index, item): (usize, &Value)| {
        item.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| expected(Some(index)))
    };
    items.iter().enumerate().map(id).collect()
}
