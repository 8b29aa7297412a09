//! A call of a tool, from the request to the answer.

use std::sync::Arc;

use flowtrail_runner::{Call, RunError, TraceContext, output_schema};
use flowtrail_tracker::{Ack, RejectedCall, RejectedTool, Sent, TrackerError};
use flowtrail_types::{Principal, Source};
use rmcp::model::{CallToolRequestParams, CallToolResult, ErrorCode, Implementation, RequestId};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::progress::{self, Steps};
use crate::{FlowServer, answer, as_sent, trace};

/// Runs the flow behind a tool.
pub(crate) async fn call(
    server: &FlowServer,
    principal: Principal,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    let name = request.name.as_ref();
    let flow = match server.runner().tracker().flow_by_tool_name(&principal, name) {
        Ok(flow) => flow,
        Err(TrackerError::NotFound(_)) => return Err(unknown_tool(server, principal, request, context).await),
        Err(error) => return Err(failed(&error)),
    };
    let is_declared = output_schema(&flow.definition).is_some();
    let arguments = as_sent::arguments(request.arguments, &context.meta);
    let mut call = Call::new(principal, flow, arguments.members, Source::Mcp);
    call.arguments_replaced = arguments.replaced;
    call.meta = Some(said(context));
    // Fires when the client cancels, or hangs up where the protocol says that this cancels, and when the server
    // shuts down. It fires after the answer too, but then the flow has ended.
    call.cancel = context.ct.child_token();
    let progress_token = context.meta.get_progress_token();
    let (steps, mut told) = mpsc::unbounded_channel();
    if progress_token.is_some() {
        call.observer = Some(Arc::new(Steps(steps)));
    }
    let finish = server.runner().run(call);
    tokio::pin!(finish);
    loop {
        tokio::select! {
            // What the flow has told is passed on before the answer, in its order.
            biased;
            Some(step) = told.recv(), if progress_token.is_some() => {
                if let Some(token) = &progress_token {
                    progress::notify(context, token, step).await;
                }
            }
            finished = &mut finish => {
                while let (Some(token), Ok(step)) = (&progress_token, told.try_recv()) {
                    progress::notify(context, token, step).await;
                }
                return match finished {
                    Ok(finished) => Ok(answer::finished(&finished, is_declared)),
                    Err(error) => refused(name, &error),
                };
            }
        }
    }
}

/// The answer to a call of a tool that does not exist, when it has been recorded where that is wanted.
async fn unknown_tool(
    server: &FlowServer,
    principal: Principal,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> ErrorData {
    let answer = ErrorData::invalid_params(format!("Unknown tool: {}", request.name), None);
    let tracker = server.runner().tracker();
    if !tracker.records_rejected() {
        return answer;
    }
    let arguments = as_sent::arguments(request.arguments, &context.meta);
    let (tracker, meta, name) = (tracker.clone(), said(context), request.name);
    let reject = move || {
        let params = Value::Object(arguments.members);
        let call = RejectedCall {
            tool: RejectedTool::Unknown(&name),
            source: Source::Mcp,
            params: Sent { value: &params, replaced: arguments.replaced },
            meta: Some(&meta),
            replay_of: None,
        };
        tracker.reject(&principal, &call)?.map_or(Ok(()), Ack::wait)
    };
    match tokio::task::spawn_blocking(reject).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::warn!("a call of an unknown tool is not recorded: {error}"),
        Err(error) => log::error!("a call of an unknown tool is not recorded: {error}"),
    }
    answer
}

/// A call that was not run.
fn refused(name: &str, error: &RunError) -> Result<CallToolResult, ErrorData> {
    match error {
        RunError::Arguments(problems) => Ok(answer::invalid_arguments(problems)),
        RunError::Inactive | RunError::NotRunnable => {
            Err(ErrorData::invalid_params(format!("The tool {name} is switched off"), None))
        }
        RunError::TooDeep => Ok(answer::failure("The flow calls flows too deeply")),
        RunError::Invalid(problems) => Ok(answer::failure(&format!("The flow cannot run:\n{problems}"))),
        RunError::ShareUsed(_) => Err(share_used(error)),
        RunError::Tracker(error) => Err(failed(error)),
    }
}

/// The error of a user whose share is used up, in the words of the protocol.
pub(crate) fn share_used(error: &RunError) -> ErrorData {
    const SERVER_ERROR: ErrorCode = ErrorCode(-32_000);
    ErrorData::new(SERVER_ERROR, error.to_string(), None)
}

/// A failure of the server, in the words of the protocol.
pub(crate) fn failed(error: &TrackerError) -> ErrorData {
    match error {
        TrackerError::Invalid { .. } | TrackerError::HoldsSecret { .. } | TrackerError::Conflict { .. } => {
            ErrorData::invalid_params(error.to_string(), None)
        }
        TrackerError::NotFound(_) | TrackerError::Forbidden(_) | TrackerError::Unauthenticated(_) => {
            ErrorData::invalid_request(error.to_string(), None)
        }
        TrackerError::Busy | TrackerError::Closed | TrackerError::Unknown { .. } => {
            ErrorData::internal_error(error.to_string(), None)
        }
        TrackerError::Taken { .. }
        | TrackerError::Changed
        | TrackerError::AlreadyEnded { .. }
        | TrackerError::RunsHere
        | TrackerError::Incomplete(_)
        | TrackerError::Pending
        | TrackerError::Store(_) => {
            log::error!("an MCP request failed: {error}");
            ErrorData::internal_error("Flowtrail could not record the call, so it was not run", None)
        }
    }
}

/// What a call says of itself and of who sent it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) client: Option<&'a Implementation>,
    pub(crate) protocol: Option<&'a str>,
    pub(crate) id: &'a RequestId,
    pub(crate) session: Option<&'a str>,
    pub(crate) trace: &'a TraceContext,
}

/// The same as the SDK has it.
fn said(context: &RequestContext<RoleServer>) -> Value {
    let version = context.protocol_version();
    let is_stateless = version.as_ref().is_some_and(|version| !version.has_initialize());
    // Without a handshake the SDK makes a client up; only what the request says is true.
    let client = if is_stateless { context.meta.client_info() } else { context.client_info() };
    let parts = context.extensions.get::<http::request::Parts>();
    let header = |name: &str| parts?.headers.get(name)?.to_str().ok().map(str::to_owned);
    let headers = TraceContext {
        traceparent: header("traceparent"),
        tracestate: header("tracestate"),
        baggage: header("baggage"),
    };
    let about = serde_json::to_value(&context.meta).unwrap_or_default();
    meta(Said {
        client: client.as_ref(),
        protocol: version.as_ref().map(|version| version.as_str()),
        id: &context.id,
        session: header("mcp-session-id").as_deref(),
        trace: &trace::of_request(&about, &headers),
    })
}

/// What is recorded of it: who the client is, which protocol it speaks, and its trace.
pub(crate) fn meta(said: Said<'_>) -> Value {
    let mut meta = Map::new();
    if let Some(client) = said.client {
        meta.insert("client".to_owned(), serde_json::json!({"name": client.name, "version": client.version}));
    }
    let mut note = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            meta.insert(name.to_owned(), Value::String(value.to_owned()));
        }
    };
    note("protocol", said.protocol);
    note("session", said.session);
    for (name, value) in said.trace.fields() {
        note(name, Some(value));
    }
    // As JSON has it: `1` and `"1"` are two requests.
    meta.insert("requestId".to_owned(), serde_json::to_value(said.id).unwrap_or_default());
    Value::Object(meta)
}
