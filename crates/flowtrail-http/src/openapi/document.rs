//! The description as a whole, made of what each route says of itself.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::operation::{Answer, Asker, JSON, NDJSON, Operation};
use super::{example, parameters, schemas};
use crate::routes::{Route, groups};
use crate::{ApiError, ErrorCode, session};

/// The API as OpenAPI 3.1.
#[must_use]
pub fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = Vec::new();
    for (tag, means, routes) in groups() {
        tags.push(json!({"name": tag, "description": means}));
        for route in routes {
            let path = paths.entry(address(route)).or_insert_with(|| json!({}));
            path[route.method.as_str().to_ascii_lowercase()] = operation(route, tag);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Flowtrail",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The history of flows: every run leaves a durable record.",
            "description": "JSON in camelCase, times in RFC 3339 UTC with milliseconds. MCP is served at `/mcp` and described by itself.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "parameters": parameters::components(),
            "headers": parameters::headers(),
            "examples": error_examples(),
            "schemas": schemas::components(),
        },
    })
}

/// Whether a route speaks the dialect of Open WebUI.
fn is_dialect(route: &Route) -> bool {
    route.path.starts_with("/api/v1/")
}

/// The address with the names of what varies as bodies have them: `flowId`, but in the dialect `flow_id`.
fn address(route: &Route) -> String {
    if is_dialect(route) {
        return route.path.to_owned();
    }
    let mut words = route.path.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |path, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        path + &initial.to_ascii_uppercase() + rest
    })
}

fn operation(route: &Route, tag: &str) -> Value {
    let Operation { id, summary, details, body, asker, .. } = route.operation;
    let is_write = !session::is_safe(&route.method);
    let mut described = json!({"operationId": id, "tags": [tag], "summary": summary});
    if !details.is_empty() {
        described["description"] = json!(details);
    }
    described["security"] = match (asker, is_write) {
        (Asker::Anybody, _) => json!([]),
        (Asker::Session, _) => json!([{"session": []}]),
        (Asker::Key, false) => json!([{"key": []}, {"session": []}]),
        (Asker::Key, true) => json!([{"key": []}, {"session": [], "csrf": []}]),
    };
    let parameters = parameters(route);
    if !parameters.is_empty() {
        described["parameters"] = json!(parameters);
    }
    if let Some((kind, schema)) = body {
        // No lines are a batch of nothing.
        described["requestBody"] =
            json!({"required": kind != NDJSON, "content": {kind: content(kind, schema)}});
    }
    described["responses"] = Value::Object(responses(route));
    described
}

/// A body of a kind. Lines have the schema of one of them, which is described and not checked.
fn content(kind: &str, schema: &str) -> Value {
    match kind {
        JSON => json!({"schema": schemas::schema(schema)}),
        NDJSON => {
            json!({"schema": {"type": "string", "description": format!("Lines of JSON, each a `{schema}`."), "contentMediaType": NDJSON}})
        }
        _ => json!({"schema": {"type": "string"}}),
    }
}

/// The parameters of the address, and those that are declared.
fn parameters(route: &Route) -> Vec<Value> {
    let address = address(route);
    let varies = address.split('{').skip(1).filter_map(|part| part.split('}').next());
    let in_path = varies.map(|name| {
        let (means, example) = match name {
            "flowId" | "flow_id" if route.path.contains("/executions") => ("A flow.", example::EXTERNAL_FLOW),
            "flowId" => ("A flow.", example::FLOW),
            "executionId" | "execution_id" => ("An execution.", example::EXECUTION),
            "userId" => ("A user.", example::USER),
            "keyId" => ("A key.", "7d444840-9dc0-41d1-b245-5ffdce74fad2"),
            _ => ("The number of a node execution.", ""),
        };
        let schema = match example {
            "" => json!({"type": "integer", "minimum": 1, "maximum": i32::MAX, "examples": [1]}),
            example => json!({"type": "string", "format": "uuid", "examples": [example]}),
        };
        json!({"name": name, "in": "path", "required": true, "description": means, "schema": schema})
    });
    let declared = route.operation.parameters.iter().copied().flatten();
    let declared = declared.map(|name| json!({"$ref": format!("#/components/parameters/{name}")}));
    in_path.chain(declared).collect()
}

fn responses(route: &Route) -> Map<String, Value> {
    let mut all = Map::new();
    for Answer { status, means, body, headers } in route.operation.answers {
        let answer = all.entry(status.to_string()).or_insert_with(|| json!({"description": means}));
        if let Some((kind, schema)) = body {
            answer["content"][*kind] = content(kind, schema);
        }
        for name in *headers {
            answer["headers"][*name] = json!({"$ref": format!("#/components/headers/{name}")});
        }
    }
    for code in failures(route) {
        let status = status_of(route, code);
        let answer = all.entry(status.to_string()).or_insert_with(|| refusal(route, status));
        let word = code.as_str();
        let meaning =
            ErrorCode::TABLE.iter().find(|(known, ..)| *known == code).map_or("", |(.., meaning)| meaning);
        if let Some(known) = answer["description"].as_str() {
            let gap = if known.is_empty() { "" } else { "\n" };
            answer["description"] = json!(format!("{known}{gap}`{word}`: {meaning}"));
        }
        if !is_dialect(route) {
            answer["content"][JSON]["examples"][word] =
                json!({"$ref": format!("#/components/examples/{word}")});
        }
    }
    all.sort_keys();
    all
}

/// The status with which a route refuses something.
fn status_of(route: &Route, code: ErrorCode) -> u16 {
    match code.status().as_u16() {
        400 | 409 if is_dialect(route) => 422,
        other => other,
    }
}

fn refusal(route: &Route, status: u16) -> Value {
    let schema = if is_dialect(route) { "Detail" } else { "Error" };
    let mut answer = json!({"description": "", "content": {JSON: {"schema": schemas::schema(schema)}}});
    let header = match status {
        401 => "WWW-Authenticate",
        429 | 503 => "Retry-After",
        _ => return answer,
    };
    answer["headers"] = json!({header: {"$ref": format!("#/components/headers/{header}")}});
    answer
}

/// Every way in which a route may refuse, in the order of the table of codes.
fn failures(route: &Route) -> Vec<ErrorCode> {
    let Operation { failures, asker, body, parameters, .. } = route.operation;
    let mut all = failures.to_vec();
    if asker == Asker::Key {
        all.extend([
            ErrorCode::Unauthenticated,
            ErrorCode::TooOften,
            ErrorCode::Unavailable,
            ErrorCode::StorageFailed,
            ErrorCode::Internal,
        ]);
        if !session::is_safe(&route.method) {
            all.extend([ErrorCode::Forbidden, ErrorCode::Csrf]);
        }
        if !is_dialect(route) || !parameters.is_empty() {
            all.push(ErrorCode::Invalid);
        }
    }
    if !session::is_safe(&route.method) {
        all.extend([ErrorCode::StorageFull, ErrorCode::StorageFailed]);
    }
    match body {
        None => {}
        // What is wrong with a line, or with the rest of the lines, is said in its place.
        Some((NDJSON, _)) => all.extend([ErrorCode::Invalid, ErrorCode::UnsupportedMediaType]),
        Some(_) => all.extend([
            ErrorCode::InvalidJson,
            ErrorCode::Invalid,
            ErrorCode::TooLarge,
            ErrorCode::Busy,
            ErrorCode::ShareUsed,
            ErrorCode::RequestTimeout,
            ErrorCode::UnsupportedMediaType,
        ]),
    }
    if route.path.contains('{') {
        all.push(ErrorCode::NotFound);
    }
    if is_dialect(route) {
        all.push(ErrorCode::Forbidden);
    }
    ErrorCode::TABLE.iter().map(|(code, ..)| *code).filter(|code| all.contains(code)).collect()
}

fn security_schemes() -> Value {
    json!({
        "key": {"type": "http", "scheme": "bearer", "description": "A key (`ft_…`), or a token for a page."},
        "session": {"type": "apiKey", "in": "cookie", "name": session::COOKIE, "description": "The session of who is logged in to the web UI."},
        "csrf": {"type": "apiKey", "in": "header", "name": session::CSRF_HEADER, "description": "What `GET /api/session` gives as `csrf`: a write by cookie needs it."},
    })
}

/// An error of each code, as it is answered.
fn error_examples() -> Map<String, Value> {
    let example = |(code, word, _, meaning): &(ErrorCode, &str, StatusCode, &str)| {
        let value = serde_json::to_value(ApiError::new(*code, *meaning).body()).unwrap_or_default();
        ((*word).to_owned(), json!({"summary": meaning, "value": value}))
    };
    ErrorCode::TABLE.iter().map(example).collect()
}
