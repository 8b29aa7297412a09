//! Calling the tools of other servers, for `McpTool` nodes. A server is connected to when its first tool is called, and
//! stays connected; one that has gone is connected to again.

mod exact;
mod tasks;

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::Arc;

use flowtrail_runner::{UpstreamAnswer, UpstreamCall, UpstreamError, Upstreams};
use flowtrail_types::ErrorKind;
use futures_util::future::BoxFuture;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CancelledNotificationParam, ClientCapabilities, ClientConfig,
    ClientRequest, Implementation, ProtocolVersion, RequestId, RequestMetaObject, ServerResult,
};
use rmcp::service::{PeerRequestOptions, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt, Peer, RoleClient};
use serde_json::Value;
use tokio::io::BufReader;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use self::exact::ExactClient;
use crate::proxy::{Reach, Upstream, client_builder, start_child};
use crate::unanswered;

type Client = RunningService<RoleClient, ClientConfig>;

/// The configured servers, as flows call them. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct UpstreamCaller(Arc<BTreeMap<String, Server>>);

#[derive(Debug)]
struct Server {
    reach: Reach,
    /// Held while it is connected to, so that those who call at the same time share one connection.
    connection: Mutex<Option<Arc<Connection>>>,
}

/// A connection, and the process that is at its other end, if it is one, with what reads its output.
#[derive(Debug)]
struct Connection {
    client: Client,
    _process: Option<(tokio::process::Child, AbortOnDropHandle<()>)>,
}

impl UpstreamCaller {
    /// A caller of these servers. Nothing is connected to yet.
    #[must_use]
    pub fn new(upstreams: impl IntoIterator<Item = Upstream>) -> Self {
        let servers = upstreams.into_iter().map(|upstream| {
            let server = Server { reach: upstream.reach, connection: Mutex::default() };
            (upstream.name, server)
        });
        Self(Arc::new(servers.collect()))
    }
}

impl Upstreams for UpstreamCaller {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn call<'a>(&'a self, call: UpstreamCall<'a>) -> BoxFuture<'a, Result<UpstreamAnswer, UpstreamError>> {
        Box::pin(async move {
            let Some(server) = self.0.get(call.upstream) else {
                let message = format!("there is no upstream {:?}", call.upstream);
                return Err(UpstreamError { kind: ErrorKind::Failed, message, is_transient: false });
            };
            let connection = server.connection().await?;
            let called = ask(&connection.client, call).await;
            if connection.client.is_closed() || matches!(called, Err(ServiceError::TransportClosed)) {
                server.forget(&connection).await;
            }
            let answered = called.map_err(|error| unanswered::refused(&error))?;
            tasks::result_of(&connection.client, answered).await
        })
    }
}

impl Server {
    async fn connection(&self) -> Result<Arc<Connection>, UpstreamError> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| !connection.client.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(connect(&self.reach).await?);
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn forget(&self, gone: &Arc<Connection>) {
        let mut current = self.connection.lock().await;
        if current.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, gone)) {
            *current = None;
        }
    }
}

async fn connect(reach: &Reach) -> Result<Connection, UpstreamError> {
    let implementation = Implementation::new("flowtrail", env!("CARGO_PKG_VERSION"));
    let config = ClientConfig::new(ClientCapabilities::builder().enable_tasks().build(), implementation);
    let lifecycle = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::V_2025_11_25),
    };
    match reach {
        Reach::Command(command) => {
            let mut process = start_child(command, Stdio::piped(), Stdio::piped())
                .map_err(|error| unanswered::not_started(&error))?;
            let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
                return Err(unanswered::not_started(&"it has no pipes"));
            };
            let (stdout, reading) = exact::lines_for_sdk(BufReader::new(stdout));
            // Lines are bounded where they are read; what is carried beside a result makes them longer.
            let transport = AsyncRwTransport::new(stdout, stdin).with_max_line_length(usize::MAX);
            let client = config.serve_with_lifecycle(transport, lifecycle).await;
            let client = client.map_err(|error| unanswered::not_connected(&error))?;
            Ok(Connection { client, _process: Some((process, reading)) })
        }
        Reach::Url(target) => {
            let headers: HashMap<_, _> =
                target.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            let http =
                StreamableHttpClientTransportConfig::with_uri(target.url().as_str()).custom_headers(headers);
            // Without idle connections, as the SDK has it: a body that was not read to its end delays the next request.
            let client =
                client_builder().pool_max_idle_per_host(0).build().map_err(|error| UpstreamError {
                    kind: ErrorKind::Internal,
                    message: format!("the HTTP client cannot be made: {error}"),
                    is_transient: false,
                })?;
            let transport = StreamableHttpClientTransport::with_client(ExactClient(client), http);
            let client = config.serve_with_lifecycle(transport, lifecycle).await;
            let client = client.map_err(|error| unanswered::not_connected(&error))?;
            // Some tools want arguments repeated in headers, which the SDK does once it has seen their schemas.
            if let Err(error) = client.list_all_tools().await {
                log::debug!("an upstream does not list its tools: {error}");
            }
            Ok(Connection { client, _process: None })
        }
    }
}

async fn ask(client: &Client, call: UpstreamCall<'_>) -> Result<ServerResult, ServiceError> {
    let mut request =
        CallToolRequest::new(CallToolRequestParams::new(call.tool.to_owned()).with_arguments(call.arguments));
    let mut meta = RequestMetaObject::default();
    meta.insert("flowtrail/executionId".to_owned(), Value::String(call.execution.to_string()));
    for (name, value) in call.trace.fields() {
        meta.insert(name.to_owned(), Value::from(value));
    }
    request.extensions.insert(meta);
    let request = ClientRequest::CallToolRequest(request);
    let handle = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    let mut on_its_way = OnItsWay { peer: handle.peer.clone(), id: Some(handle.id.clone()) };
    let answered = handle.await_response().await;
    on_its_way.id = None;
    answered
}

/// A call that has not been answered: dropped, it tells the server that nobody waits any more.
struct OnItsWay {
    peer: Peer<RoleClient>,
    id: Option<RequestId>,
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let peer = self.peer.clone();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let cancelled =
                CancelledNotificationParam::new(Some(id), Some("the flow was stopped".to_owned()));
            if let Err(error) = peer.notify_cancelled(cancelled).await {
                log::debug!("a server was not told that a call is over: {error}");
            }
        });
    }
}
