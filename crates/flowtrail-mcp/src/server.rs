//! The handler that the SDK calls.

use std::time::Duration;

use flowtrail_runner::Runner;
use flowtrail_types::Principal;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode, Extensions,
    Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    SubscriptionFilter,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{call, tools};

/// Who calls.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Always the same principal, as over stdio.
    Fixed(Principal),
    /// The principal that whoever mounts the server has put into each request's extensions.
    OfRequest,
}

/// Flows as MCP tools. Cheap to clone; all clones share one runner.
#[derive(Debug, Clone)]
pub struct FlowServer {
    runner: Runner,
    caller: Caller,
    shutdown: CancellationToken,
}

const INSTRUCTIONS: &str = "Each tool is a flow. Every call is recorded: the answer's \
    _meta[\"flowtrail/executionId\"] names its record, which shows what each node of the flow did.";

/// How long a client may take to take a notification.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether a client that waits for notifications is still there.
const LOOK: Duration = Duration::from_secs(60);

impl FlowServer {
    /// A server of the flows that a runner runs. When `shutdown` fires, those who listen are told.
    #[must_use]
    pub fn new(runner: Runner, caller: Caller, shutdown: CancellationToken) -> Self {
        Self { runner, caller, shutdown }
    }

    pub(crate) fn runner(&self) -> &Runner {
        &self.runner
    }

    fn principal(&self, extensions: &Extensions) -> Result<Principal, ErrorData> {
        match &self.caller {
            Caller::Fixed(principal) => Ok(principal.clone()),
            Caller::OfRequest => extensions
                .get::<http::request::Parts>()
                .and_then(|parts| parts.extensions.get::<Extensions>())
                .and_then(|extensions| extensions.get::<Principal>())
                .cloned()
                // Nobody gets here without a key; should it happen all the same, nothing is shown.
                .ok_or_else(|| ErrorData::invalid_request("not authenticated", None)),
        }
    }
}

impl ServerHandler for FlowServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build();
        ServerConfig::new(capabilities)
            .with_server_info(
                Implementation::new("flowtrail", env!("CARGO_PKG_VERSION")).with_title("Flowtrail"),
            )
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let principal = self.principal(&context.extensions)?;
        let flows = self.runner.tracker().tools(&principal);
        Ok(ListToolsResult::with_all_items(flows.iter().filter_map(|flow| tools::tool(flow)).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let principal = self.principal(&context.extensions)?;
        call::call(self, principal, request, &context).await.map(CallToolResponse::from)
    }

    /// The SDK sends requests here that it knows by name but whose parameters it could not read.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let known = ["tools/call", "tools/list", "initialize", "ping"];
        if known.contains(&request.method.as_str()) {
            let message = format!(
                "Malformed parameters of {}: expected an object with a string `name` and an object `arguments`",
                request.method
            );
            return Err(ErrorData::invalid_params(message, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("Unknown method: {}", request.method), None))
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let changes = self.runner.tracker().flow_changes();
        tokio::spawn(tell_of_changes(context.peer, changes, self.shutdown.clone()));
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.runner.tracker().flow_changes();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                () = self.shutdown.cancelled() => return Ok(()),
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let wanted = context.accepted().tools_list_changed == Some(true);
                    if wanted && context.sink().notify_tool_list_changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Tells a client with a session whenever the list of tools has changed, until one of them ends.
async fn tell_of_changes(
    peer: Peer<RoleServer>,
    mut changes: watch::Receiver<i64>,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
            changed = changes.changed() => {
                let told = tokio::time::timeout(PATIENCE, peer.notify_tool_list_changed());
                if changed.is_err() || matches!(told.await, Ok(Err(_))) {
                    return;
                }
            }
        }
        if peer.is_transport_closed() {
            return;
        }
    }
}
