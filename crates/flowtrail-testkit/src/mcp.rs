//! Real MCP clients, in both eras of the protocol.

use std::path::Path;
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ClientRequest,
    Implementation, ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestHandle, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{ConfigureCommandExt, IntoTransport, StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::http_client;

/// An era of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Sessions that begin with `initialize`: 2025-11-25.
    Session,
    /// Requests that stand for themselves: 2026-07-28.
    Stateless,
}

impl Era {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Session, Self::Stateless];

    /// The revision of the protocol that stands for it.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Session => "2025-11-25",
            Self::Stateless => "2026-07-28",
        }
    }
}

/// A client that notes what it is told.
#[derive(Debug, Clone)]
struct Notes {
    config: ClientConfig,
    progress: mpsc::UnboundedSender<String>,
    changes: mpsc::UnboundedSender<()>,
}

impl ClientHandler for Notes {
    fn get_info(&self) -> ClientConfig {
        self.config.clone()
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let total = params.total.map_or_else(String::new, |total| format!("/{total}"));
        let message = params.message.unwrap_or_default();
        // Nobody looks any more when the test is over.
        let _ = self.progress.send(format!("{}{total} {message}", params.progress));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        let _ = self.changes.send(());
    }
}

/// A connected MCP client.
#[derive(Debug)]
pub struct McpClient {
    service: RunningService<RoleClient, Notes>,
    progress: mpsc::UnboundedReceiver<String>,
    changes: mpsc::UnboundedReceiver<()>,
}

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

impl McpClient {
    /// Connects over streamable HTTP.
    ///
    /// # Panics
    ///
    /// When the server does not answer as it should.
    pub async fn over_http(base: &str, key: &str, era: Era) -> Self {
        Self::at(&format!("{base}/mcp"), key, era).await
    }

    /// The same at any address, such as that of another server which Flowtrail stands before.
    ///
    /// # Panics
    ///
    /// When the server does not answer as it should.
    pub async fn at(url: &str, key: &str, era: Era) -> Self {
        let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(key);
        Self::connect(StreamableHttpClientTransport::with_client(http_client(), config), era).await
    }

    /// Starts `flowtrail mcp` on a data directory and connects over its standard input and output.
    ///
    /// # Panics
    ///
    /// When it does not answer as it should.
    pub async fn over_stdio(binary: &Path, data_dir: &Path, era: Era) -> Self {
        Self::over_stdio_with(binary, data_dir, era, &[]).await
    }

    /// The same, with variables in the process's environment.
    ///
    /// # Panics
    ///
    /// When it does not answer as it should.
    pub async fn over_stdio_with(
        binary: &Path,
        data_dir: &Path,
        era: Era,
        environment: &[(&str, &str)],
    ) -> Self {
        let command = tokio::process::Command::new(binary).configure(|command| {
            command.arg("mcp").arg("--data-dir").arg(data_dir).env("RUST_LOG", "warn");
            command.envs(environment.iter().copied());
        });
        Self::connect(TokioChildProcess::new(command).expect("the binary starts"), era).await
    }

    async fn connect<E, A>(transport: impl IntoTransport<RoleClient, E, A>, era: Era) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let (progress, progress_told) = mpsc::unbounded_channel();
        let (changes, changes_told) = mpsc::unbounded_channel();
        let version = match era {
            Era::Session => ProtocolVersion::V_2025_11_25,
            Era::Stateless => ProtocolVersion::V_2026_07_28,
        };
        let config =
            ClientConfig::new(ClientCapabilities::default(), Implementation::new("flowtrail-testkit", "1"))
                .with_protocol_version(version.clone());
        let mode = match era {
            Era::Session => ClientLifecycleMode::Initialize,
            Era::Stateless => ClientLifecycleMode::Discover { preferred_versions: vec![version] },
        };
        let notes = Notes { config, progress, changes };
        let service = notes
            .serve_with_lifecycle(transport, mode)
            .await
            .unwrap_or_else(|error| panic!("no MCP connection in the era {era:?}: {error:?}"));
        // Answers from a cache would hide what the server does.
        service.set_response_cache_config(rmcp::ClientCacheConfig::disabled()).await;
        Self { service, progress: progress_told, changes: changes_told }
    }

    /// The SDK's own client, for what this one does not have.
    #[must_use]
    pub fn inner(&self) -> &RunningService<RoleClient, impl ClientHandler> {
        &self.service
    }

    /// The names of the tools that are flows, in the server's order: those of Flowtrail's own, which ask for history, are
    /// left out.
    ///
    /// # Panics
    ///
    /// When the server answers with an error.
    pub async fn tool_names(&self) -> Vec<String> {
        let tools = self.service.list_all_tools().await.expect("the tools are listed");
        let names = tools.into_iter().map(|tool| tool.name.into_owned());
        names.filter(|name| !name.starts_with("flowtrail_")).collect()
    }

    /// Calls a tool and waits for its answer.
    ///
    /// # Panics
    ///
    /// When the server answers with an error of the protocol.
    pub async fn call(&self, tool: &str, arguments: Value) -> Answered {
        self.try_call(tool, arguments)
            .await
            .unwrap_or_else(|error| panic!("the call of {tool} was answered with an error: {error:?}"))
    }

    /// Calls a tool and waits for its answer, or the error.
    ///
    /// # Errors
    ///
    /// When the server answers with an error of the protocol.
    pub async fn try_call(&self, tool: &str, arguments: Value) -> Result<Answered, ServiceError> {
        let request = params(tool, arguments);
        let answer = tokio::time::timeout(PATIENCE, self.service.call_tool(request)).await;
        answer.unwrap_or_else(|_| panic!("the call of {tool} was not answered in time")).map(Answered)
    }

    /// Calls a tool and does not wait: the handle can cancel it.
    ///
    /// # Panics
    ///
    /// When it cannot be sent.
    pub async fn begin(&self, tool: &str, arguments: Value) -> RequestHandle<RoleClient> {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params(tool, arguments)));
        self.service
            .send_cancellable_request(request, PeerRequestOptions::no_options())
            .await
            .expect("the call is sent")
    }

    /// The next progress notification, as `done/total message`.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    pub async fn next_progress(&mut self) -> String {
        let told = tokio::time::timeout(PATIENCE, self.progress.recv()).await;
        told.ok().flatten().expect("a progress notification comes in time")
    }

    /// Waits until the server has said that its list of tools has changed.
    ///
    /// # Panics
    ///
    /// When it does not in time.
    pub async fn tools_changed(&mut self) {
        let told = tokio::time::timeout(PATIENCE, self.changes.recv()).await;
        told.ok().flatten().expect("the server says in time that its tools have changed");
    }

    /// Hangs up.
    ///
    /// # Panics
    ///
    /// When the client's task died.
    pub async fn close(self) {
        self.service.cancel().await.expect("the client ends");
    }
}

fn params(tool: &str, arguments: Value) -> CallToolRequestParams {
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        Value::Null => Map::new(),
        other => panic!("arguments are an object, not {other}"),
    };
    CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments)
}

/// A tool's answer.
#[derive(Debug, Clone)]
pub struct Answered(pub CallToolResult);

impl Answered {
    /// Its texts, one a line.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.0.content.iter().filter_map(|block| block.as_text());
        texts.map(|text| text.text.clone()).collect::<Vec<_>>().join("\n")
    }

    /// Whether it is a failure.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.0.is_error == Some(true)
    }

    /// Its structured content; null when there is none.
    #[must_use]
    pub fn structured(&self) -> Value {
        self.0.structured_content.clone().unwrap_or_default()
    }

    /// The execution that it tells.
    ///
    /// # Panics
    ///
    /// When it tells none.
    #[must_use]
    #[track_caller]
    pub fn execution_id(&self) -> &str {
        self.0
            .meta
            .as_ref()
            .and_then(|meta| meta.get("flowtrail/executionId"))
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("the answer names no execution: {:?}", self.0))
    }
}
