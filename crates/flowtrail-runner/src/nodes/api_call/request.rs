//! From an `ApiCall`'s parameters to a request.

use std::collections::BTreeSet;

use flowtrail_types::ErrorKind;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use super::super::request_fields::{self, plain};
use super::super::{NodeContext, NodeError};
use crate::http::Request;

/// The methods that can be used.
pub(super) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// The statuses that are no failure although they are 400 or more.
pub(super) fn accepted(context: &NodeContext<'_>) -> BTreeSet<u16> {
    let accepted = context.literal("acceptStatus").and_then(Value::as_array);
    let statuses = accepted.into_iter().flatten().filter_map(Value::as_u64);
    statuses.filter_map(|status| u16::try_from(status).ok()).collect()
}

/// The request that a node sends.
pub(super) fn build(context: &NodeContext<'_>) -> Result<Request, NodeError> {
    let method = context.literal_text("method")?.to_ascii_uppercase();
    let method: Method = match METHODS.contains(&method.as_str()) {
        true => method.parse().map_err(|_| NodeError::malformed("method", "is no method"))?,
        false => return Err(NodeError::malformed("method", "is no method")),
    };
    let mut headers = request_fields::headers(context)?;
    context.call.trace().add_to(&mut headers);
    let body = body(context, &mut headers)?;
    Ok(Request { method, url: url(context)?, headers, body, hosts: context.hosts()? })
}

fn url(context: &NodeContext<'_>) -> Result<Url, NodeError> {
    let text = context.rendered_text("url")?.unwrap_or_default();
    let mut url =
        Url::parse(&text).map_err(|error| NodeError::malformed("url", &format!("is no URL: {error}")))?;
    let query = match context.rendered("query")? {
        None => return Ok(url),
        Some(Value::Object(query)) => query,
        Some(_) => return Err(NodeError::malformed("query", "must be an object")),
    };
    let pairs = query.iter().flat_map(|(name, value)| match value {
        Value::Array(items) => items.iter().map(|item| (name, item)).collect(),
        Value::Null => Vec::new(),
        value => vec![(name, value)],
    });
    let pairs: Vec<(&String, String)> = pairs.map(|(name, value)| (name, plain(value))).collect();
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url)
}

/// The body: a string as it is, everything else as JSON.
fn body(context: &NodeContext<'_>, headers: &mut HeaderMap) -> Result<Option<Vec<u8>>, NodeError> {
    let (body, content_type) = match context.rendered("body")? {
        None => return Ok(None),
        Some(Value::String(text)) => (text.into_bytes(), "text/plain; charset=utf-8"),
        Some(value) => {
            let json = serde_json::to_vec(&value)
                .map_err(|error| NodeError::new(ErrorKind::Internal, format!("parameters.body: {error}")))?;
            (json, "application/json")
        }
    };
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
    Ok(Some(body))
}
