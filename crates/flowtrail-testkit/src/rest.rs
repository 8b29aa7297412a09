//! A REST client that says what it got when it got something else.

use reqwest::{Client, Method};
use serde_json::Value;

/// A client of the REST API with one key.
#[derive(Debug, Clone)]
pub struct Rest {
    client: Client,
    base: String,
    key: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was asked, for messages.
    request: String,
    /// The status.
    pub status: u16,
    /// The body as JSON; as a string when it is none, null when it is empty.
    pub body: Value,
}

/// An HTTP client for tests. It has its own TLS: what a test set up for the whole process would hide that the server, which
/// shares it here, does not do so.
///
/// # Panics
///
/// When no client can be made.
#[must_use]
pub fn http_client() -> Client {
    let plain = Client::builder().no_brotli().no_deflate().no_gzip().no_zstd();
    let client = plain.no_proxy().tls_backend_preconfigured(flowtrail_runner::tls_config());
    client.build().expect("an HTTP client")
}

impl Rest {
    /// A client of the server at this address, with a key or without.
    ///
    /// # Panics
    ///
    /// When no client can be made.
    #[must_use]
    pub fn new(base: &str, key: Option<&str>) -> Self {
        Self { client: http_client(), base: base.to_owned(), key: key.map(str::to_owned) }
    }

    /// The same client with another key, or none.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body.to_string().into_bytes())).await
    }

    /// `POST` with any bytes.
    pub async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body.to_string().into_bytes())).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// `POST` with a JSON body; nothing when the server goes away before it has answered.
    pub async fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        self.try_send(Method::POST, path, Some(body.to_string().into_bytes())).await.ok()
    }

    async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Answer {
        let request = format!("{method} {path}");
        self.try_send(method, path, body).await.unwrap_or_else(|error| panic!("{request}: {error:?}"))
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, reqwest::Error> {
        let request = format!("{method} {path}");
        let mut sending = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            sending = sending.bearer_auth(key);
        }
        if let Some(body) = body {
            sending = sending.header("content-type", "application/json").body(body);
        }
        let answer = sending.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let body = match flowtrail_types::read_json_value(text.as_bytes()) {
            Ok(json) => json,
            Err(_) if text.is_empty() => Value::Null,
            Err(_) => Value::String(text),
        };
        Ok(Answer { request, status, body })
    }
}

impl Answer {
    /// The body, if the status is this one.
    ///
    /// # Panics
    ///
    /// When it is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} was answered with\n{:#}", self.request, self.body);
        self.body
    }

    /// The error's message, if the status and the code are these.
    ///
    /// # Panics
    ///
    /// When they are others, or the error is not as the contract has it.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> String {
        let request = self.request.clone();
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{request} was answered with\n{body:#}");
        assert_eq!(body["statusCode"], status, "{request} was answered with\n{body:#}");
        assert!(body["error"].is_string(), "{request} was answered with\n{body:#}");
        body["message"].as_str().unwrap_or_else(|| panic!("{request}: no message in\n{body:#}")).to_owned()
    }
}
