//! An MCP server of another make: it answers as a script says, also in ways that no library would.

use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Map, Value, json};

/// What a scripted server answers to a message.
#[derive(Debug, Clone)]
pub enum Said {
    /// A result.
    Result(Value),
    /// An error of JSON-RPC.
    Error(i64, &'static str),
    /// Anything else, with its status, its headers and its body.
    Raw(u16, Vec<(&'static str, String)>, Vec<u8>),
}

type Script = dyn Fn(&Value) -> Option<Said> + Send + Sync;

struct Shared {
    script: Box<Script>,
    heard: Mutex<Vec<Value>>,
}

/// The server, at an address of 127.0.0.1. It ends when it is dropped.
pub struct ScriptedServer {
    url: String,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

impl Debug for ScriptedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedServer").field("url", &self.url).finish_non_exhaustive()
    }
}

impl ScriptedServer {
    /// Starts it. The script receives each message, with the `path` that it was sent to and the request's `headers`. What the script does not answer is answered as a server of 2026-07-28 does that has one tool, `call`.
    ///
    /// # Panics
    ///
    /// When it cannot listen.
    #[must_use]
    pub fn start(script: impl Fn(&Value) -> Option<Said> + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { script: Box::new(script), heard: Mutex::default() });
        let answering = Arc::clone(&shared);
        let server = HttpServer::new(move || {
            let shared = web::Data::from(Arc::clone(&answering));
            App::new().app_data(shared).default_service(web::to(answer))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}/mcp", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, shared, handle }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The messages of this method that have come, each with the request's headers under `headers`.
    #[must_use]
    pub fn heard(&self, method: &str) -> Vec<Value> {
        let heard = self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|message| message["method"] == method).cloned().collect()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn answer(request: HttpRequest, body: Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let Ok(mut message) = flowtrail_types::read_json_value(&body) else {
        return HttpResponse::MethodNotAllowed().finish();
    };
    message["path"] = request.path().into();
    let headers: Map<String, Value> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
        .collect();
    message["headers"] = Value::Object(headers);
    let said = (shared.script)(&message);
    let id = message["id"].clone();
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    shared.heard.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    if id.is_null() && said.is_none() {
        return HttpResponse::Accepted().finish();
    }
    match said.unwrap_or_else(|| usual(&method)) {
        Said::Result(result) => {
            HttpResponse::Ok().json(json!({"jsonrpc": "2.0", "id": id, "result": result}))
        }
        Said::Error(code, text) => {
            let error = json!({"code": code, "message": text});
            HttpResponse::Ok().json(json!({"jsonrpc": "2.0", "id": id, "error": error}))
        }
        Said::Raw(status, headers, body) => {
            let mut response = HttpResponse::build(StatusCode::from_u16(status).expect("a status"));
            headers
                .into_iter()
                .fold(&mut response, |response, header| response.insert_header(header))
                .body(body)
        }
    }
}

fn usual(method: &str) -> Said {
    let server = json!({"io.modelcontextprotocol/serverInfo": {"name": "scripted", "version": "1"}});
    match method {
        "server/discover" => Said::Result(json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            "ttlMs": 0, "cacheScope": "private", "_meta": server,
        })),
        "tools/list" => Said::Result(json!({
            "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            "tools": [{"name": "call", "inputSchema": {"type": "object"}}],
        })),
        "tools/call" => Said::Result(json!({
            "resultType": "complete", "content": [{"type": "text", "text": "done"}], "_meta": server,
        })),
        _ => Said::Error(-32601, "Method not found"),
    }
}
