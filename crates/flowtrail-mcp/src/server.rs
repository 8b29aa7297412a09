//! The handler that the SDK calls.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_runner::Runner;
use flowtrail_tracker::Tracker;
use flowtrail_types::Principal;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CustomRequest,
    CustomResult, ErrorCode, Extensions, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::tools::Made;
use crate::{call, history};

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
    made: Arc<Made>,
}

const INSTRUCTIONS: &str = "Each tool is a flow, but for those that begin with flowtrail_, which ask for history. Every \
    call of a flow is recorded: the answer's _meta[\"flowtrail/executionId\"] names its record, which shows what each node \
    of the flow did; flowtrail_get_execution reads it, and so does the resource flowtrail://executions/{id}.";

/// How long a client may take to take a notification.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether a client that waits for notifications is still there.
const LOOK: Duration = Duration::from_secs(60);

impl FlowServer {
    /// A server of the flows that a runner runs. When `shutdown` fires, those who listen are told.
    #[must_use]
    pub fn new(runner: Runner, caller: Caller, shutdown: CancellationToken) -> Self {
        Self { runner, caller, shutdown, made: Arc::default() }
    }

    pub(crate) fn runner(&self) -> &Runner {
        &self.runner
    }

    /// Asks the database, which blocks.
    async fn look_up<T: Send + 'static>(
        &self,
        context: &RequestContext<RoleServer>,
        look: impl FnOnce(&Tracker, &Principal) -> Result<T, ErrorData> + Send + 'static,
    ) -> Result<T, ErrorData> {
        let principal = self.principal(&context.extensions)?;
        let tracker = self.runner.tracker().clone();
        let looked = tokio::task::spawn_blocking(move || look(&tracker, &principal)).await;
        looked.unwrap_or_else(|error| {
            log::error!("a look at the history broke off: {error}");
            Err(ErrorData::internal_error("something went wrong inside Flowtrail", None))
        })
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

fn unknown_method(name: &str) -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("Unknown method: {name}"), None)
}

impl ServerHandler for FlowServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .build();
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
        let tracker = self.runner.tracker();
        // Before the flows: should they change in between, these are made anew the next time.
        let revision = *tracker.flow_changes().borrow();
        let mut tools = self.made.of(&tracker.tools(&principal), revision);
        tools.extend(history::tools());
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let principal = self.principal(&context.extensions)?;
        if let Some(question) = history::question(&request.name) {
            let arguments = request.arguments.unwrap_or_default();
            let answer = history::ask(question, self.runner.tracker(), principal, arguments).await;
            return Ok(CallToolResponse::from(answer));
        }
        call::call(self, principal, request, &context).await.map(CallToolResponse::from)
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        self.look_up(&context, move |tracker, principal| {
            history::listed(tracker, principal, cursor.as_deref())
        })
        .await
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(history::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let read = self.look_up(&context, move |tracker, principal| history::read(tracker, principal, &uri));
        read.await.map(ReadResourceResponse::from)
    }

    /// The SDK would answer with an empty list what is not offered.
    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(unknown_method("prompts/list"))
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(unknown_method("completion/complete"))
    }

    /// The SDK sends requests here that it knows by name but whose parameters it could not read.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let is_stateless = context.protocol_version().is_some_and(|version| !version.has_initialize());
        let expected = match request.method.as_str() {
            // Without sessions there is nothing to begin and nothing to keep alive.
            "initialize" | "ping" if is_stateless => None,
            "initialize" => Some("`protocolVersion`, `capabilities` and `clientInfo`"),
            "ping" => Some("no more than `_meta`"),
            "tools/call" => Some("a string `name` and an object `arguments`"),
            "tools/list" | "resources/list" | "resources/templates/list" => {
                Some("no more than a string `cursor`")
            }
            "resources/read" => Some("a string `uri`"),
            "subscriptions/listen" if is_stateless => Some("an object `notifications`"),
            _ => None,
        };
        let Some(expected) = expected else { return Err(unknown_method(&request.method)) };
        let message =
            format!("Malformed parameters of {}: expected an object with {expected}", request.method);
        Err(ErrorData::invalid_params(message, None))
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
