//! `ApiCall`: a request, whose credentials may stand in the file.

use serde_json::{Map, Value, json};

use super::super::fields::Fields;
use super::convert::Converter;
use crate::nodes::{OWN_HEADERS, looks_like_credential};

/// The longest timeout that a node may have, in milliseconds.
const LONGEST_MS: f64 = 24.0 * 60.0 * 60.0 * 1_000.0;

impl Converter<'_> {
    pub(super) fn api_call(&mut self, index: usize, id: &str, fields: &mut Fields) {
        let method = fields.some_text("method", self.notes).unwrap_or_else(|| "GET".to_owned());
        let url = fields.some_text("url", self.notes).unwrap_or_default();
        let headers = fields.take("headers");
        let body = fields.take("body");
        let timeout = fields.number("timeout", self.notes);
        fields.drop_together(
            &["inputMappings", "inputMapping"],
            "was never used and was left out",
            self.notes,
        );
        fields.ignore(&["resolvedOutputSchema"]);
        let (body, wrong_body) = match body {
            None => (None, ""),
            Some(Value::String(text)) if text.trim().is_empty() => (None, ""),
            Some(Value::String(_)) if matches!(method.to_ascii_uppercase().as_str(), "GET" | "HEAD") => (
                None,
                "a request with GET or HEAD has no body, and failed with one: empty the body, or choose another method",
            ),
            Some(Value::String(text)) => (Some(text), ""),
            Some(_) => (None, "its body is no text, with which it failed"),
        };
        if !wrong_body.is_empty() {
            return self.sketch.give_up(id, "ApiCall", "parameters.body", wrong_body, self.notes);
        }
        let why = if url.is_empty() {
            "it has no URL"
        } else if has_user(&url) {
            "its URL has a user name or password: write a header with a secret instead"
        } else {
            ""
        };
        if !why.is_empty() {
            return self.sketch.give_up(id, "ApiCall", "parameters.url", why, self.notes);
        }
        let url = self.without_credentials(&url);
        let mut parameters = Map::new();
        parameters.insert("method".to_owned(), json!(method));
        parameters.insert("url".to_owned(), json!(self.template(index, "parameters.url", &url)));
        let mut headers = self.headers(index, headers);
        if let Some(body) = body {
            parameters.insert("body".to_owned(), json!(self.json_template(index, "parameters.body", &body)));
            if !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
                headers.insert("Content-Type".to_owned(), json!("application/json"));
            }
        }
        if !headers.is_empty() {
            parameters.insert("headers".to_owned(), Value::Object(headers));
        }
        match timeout {
            Some(ms) if ms >= 1.0 => {
                let ms = ms.min(LONGEST_MS) as u64;
                let text =
                    if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") };
                parameters.insert("timeout".to_owned(), json!(text));
            }
            Some(ms) if ms != 0.0 => self.notes.dropped("parameters.timeout", "is no time that is possible"),
            _ => {}
        }
        self.notes.changed("", "a status of 400 or more is a failure, and ends the execution");
        self.sketch.become_kind(id, "ApiCall", Value::Object(parameters));
    }

    fn headers(&mut self, index: usize, headers: Option<Value>) -> Map<String, Value> {
        let pairs: Vec<(String, String, String)> = match headers {
            Some(Value::Array(items)) => {
                let mut pairs = Vec::new();
                for (place, item) in items.into_iter().enumerate() {
                    let path = format!("parameters.headers[{place}]");
                    let Value::Object(map) = item else {
                        self.notes.dropped(&path, "is no header and was left out");
                        continue;
                    };
                    let mut fields = Fields::new(map, "parameters.headers[]");
                    let key = fields.text("key", self.notes).unwrap_or_default();
                    let value = fields.text("value", self.notes).unwrap_or_default();
                    fields.finish(self.notes);
                    pairs.push((format!("{path}.value"), key, value));
                }
                pairs
            }
            Some(Value::Object(map)) => {
                let pair = |(key, value): (String, Value)| {
                    let path = format!("parameters.headers.{key}");
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    (path, key, value)
                };
                map.into_iter().map(pair).collect()
            }
            Some(_) => {
                self.notes.dropped("parameters.headers", "is no list and was left out");
                Vec::new()
            }
            None => Vec::new(),
        };
        let mut headers = Map::new();
        for (path, key, value) in pairs {
            let key = key.trim();
            if key.is_empty() {
                if !value.is_empty() {
                    self.notes.dropped(&path, "has no name and was left out");
                }
                continue;
            }
            if OWN_HEADERS.contains(&key.to_ascii_lowercase().as_str()) {
                self.notes.dropped(
                    &path,
                    format!("{} is set by Flowtrail itself", super::super::note::quoted(key)),
                );
                continue;
            }
            let value = self.header(index, &path, key, &value);
            let before = headers.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned();
            if let Some(before) = before {
                headers.remove(&before);
                self.notes.dropped(&path, "there are several of this name: the last was taken, as before");
            }
            headers.insert(key.to_owned(), Value::String(value));
        }
        headers
    }

    fn header(&mut self, index: usize, path: &str, key: &str, value: &str) -> String {
        if value.contains("{{") || !looks_like_credential(key, value) {
            return self.template(index, path, value);
        }
        let scheme =
            ["Bearer ", "Basic "].into_iter().find(|scheme| value.starts_with(scheme)).unwrap_or_default();
        let name = self.credential(path, key);
        format!("{scheme}{{{{ secrets.{name} }}}}")
    }

    /// A URL with secrets instead of the credentials in its query.
    fn without_credentials(&mut self, url: &str) -> String {
        let Some((before, query)) = url.split_once('?') else { return url.to_owned() };
        let mut pairs = Vec::new();
        for pair in query.split('&') {
            pairs.push(match pair.split_once('=') {
                Some((key, value)) if !value.contains("{{") && looks_like_credential(key, value) => {
                    format!("{key}={{{{ secrets.{} }}}}", self.credential("parameters.url", key))
                }
                _ => pair.to_owned(),
            });
        }
        format!("{before}?{}", pairs.join("&"))
    }

    /// The secret that stands for a credential of the file, which is told to nobody.
    fn credential(&mut self, field: &str, of: &str) -> String {
        let spell = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name: String = format!("{}_{of}", self.tool_name()).chars().take(100).map(spell).collect();
        let name =
            if name.starts_with(|first: char| first.is_ascii_digit()) { format!("N_{name}") } else { name };
        self.credentials.insert(name.clone());
        let message =
            format!("the credential that stood here was left out: configure it as the secret {name}");
        self.notes.configure(field, message);
        name
    }
}

/// Whether a user stands before the host.
fn has_user(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    authority[..end].contains('@')
}
