//! `POST /api/v1/flows/{flow_id}/executions`: an execution that is over.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::{
    Ack, FinishedExecution, FinishedNode, Recorded, Sent, StartExecution, Tracker, TrackerError,
};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    ErrorInfo, ErrorKind, Flow, FlowDraft, FlowId, FlowKind, Json, NodeStatus, Principal, Replaced, Source,
};
use serde_json::{Map, Value, json};

use super::error::Detail;
use super::{Asking, Worded, shape};
use crate::blocking::blocking;
use crate::body::Body;
use crate::{ApiError, App, Caller, ErrorCode};

/// Why a node failed when nobody says.
const NO_NODE_REASON: &str = "the node failed; its reporter gave no reason";

/// What failed when nobody says why.
const NO_REASON: &str = "the flow failed; its reporter gave no reason";

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Worded(Caller(principal)): Asking,
    Worded(body): Worded<Body>,
) -> Result<HttpResponse, Detail> {
    let text = request.match_info().get("flow_id").unwrap_or_default().to_owned();
    let flow_id: FlowId = text
        .parse()
        .map_err(|_| ApiError::invalid("flow_id", "expected a UUID, by which the flow is known"))?;
    let tracker = app.tracker().clone();
    let submitted = {
        let (tracker, principal) = (tracker.clone(), principal.clone());
        blocking(move || -> Result<_, ApiError> {
            let mut json = body.read()?;
            let own_errors = take_own_errors(&mut json.value);
            let report = Report::read(&json, own_errors, &text)?;
            let flow = flow_of(&tracker, &principal, flow_id, &report).map_err(|e| report.own_words(e))?;
            Ok(report.submit(&tracker, &principal, &flow).map_err(|e| report.own_words(e))?)
        })
        .await?
    };
    let Recorded { id, execution, .. } = submitted.await?;
    let execution = match execution {
        Some(execution) => execution,
        None => Box::new(blocking(move || tracker.execution(&principal, id)).await?),
    };
    let whole = shape::whole(flow_id, &execution);
    Ok(HttpResponse::Ok().json(whole.ok_or_else(|| Detail::new(ErrorCode::NotFound, "Not found"))?))
}

/// The flow of this id. One that is not known is made, so that a client can change over without preparation, once it is sure
/// that the report can be recorded.
fn flow_of(
    tracker: &Tracker,
    principal: &Principal,
    id: FlowId,
    report: &Report<'_>,
) -> Result<Arc<Flow>, TrackerError> {
    match tracker.known_flow(principal, id) {
        Err(TrackerError::NotFound(_)) => {}
        found => return found,
    }
    let draft = FlowDraft { id: Some(id), ..FlowDraft::new(FlowKind::External, format!("Flow {id}")) };
    report.check(tracker, principal, &draft)?;
    match tracker.create_flow(principal, draft) {
        // Of two who made it at once one did; or it was deleted, and is known no more.
        Err(TrackerError::Taken { .. }) => tracker.known_flow(principal, id),
        made => made,
    }
}

/// An execution as it is reported.
struct Report<'a> {
    outcome: Outcome,
    inputs: Option<Sent<'a>>,
    outputs: Option<Sent<'a>>,
    nodes: Vec<FinishedNode<'a>>,
    meta: Option<Value>,
    /// Whether a surrogate was replaced in what `meta` has of the report.
    is_meta_replaced: bool,
    duration: Duration,
}

impl<'a> Report<'a> {
    fn read(json: &'a Json, own_errors: Map<String, Value>, flow_id: &str) -> Result<Self, ApiError> {
        let Value::Object(fields) = &json.value else {
            return Err(ApiError::invalid("body", "expected a JSON object"));
        };
        let field = |name: &str| fields.get(name).filter(|value| !value.is_null());
        match field("flow_id") {
            None => {}
            Some(Value::String(named)) if named.eq_ignore_ascii_case(flow_id) => {}
            Some(_) => {
                return Err(ApiError::invalid("flow_id", "it names another flow than the address does"));
            }
        }
        let payload = |name: &str| Sent { value: &fields[name], replaced: json.replaced.at(name).is_any() };
        let inputs = object(fields, "inputs")?.map(|_| payload("inputs"));
        let outputs = object(fields, "outputs")?.map(|_| payload("outputs"));
        let (results, errors) = (object(fields, "node_results")?, object(fields, "errors")?);
        let status = field("status").and_then(Value::as_str);
        let outcome = match status {
            Some("success") => Outcome::Fulfilled,
            Some("error") => {
                Outcome::Error(why(errors).unwrap_or_else(|| ErrorInfo::new(ErrorKind::Failed, NO_REASON)))
            }
            Some("aborted") => Outcome::Aborted(why(errors)),
            _ => return Err(ApiError::invalid("status", "expected success, error or aborted")),
        };
        let empty: Vec<&str> = [("node_results", results), ("errors", errors)]
            .into_iter()
            .filter(|(_, object)| object.is_some_and(Map::is_empty))
            .map(|(name, _)| name)
            .collect();
        let mut meta = Map::new();
        if !empty.is_empty() {
            meta.insert(shape::EMPTY.to_owned(), json!(empty));
        }
        let is_meta_replaced = own_errors.keys().any(|node| json.replaced.at("errors").at(node).is_any());
        if !own_errors.is_empty() {
            meta.insert(shape::OWN_ERRORS.to_owned(), Value::Object(own_errors));
        }
        Ok(Self {
            outcome,
            inputs,
            outputs,
            nodes: nodes(results, errors, json.replaced.at("node_results"))?,
            is_meta_replaced,
            meta: (!meta.is_empty()).then_some(Value::Object(meta)),
            duration: duration(field("execution_time"))?,
        })
    }

    /// The same error under the name that the field has in this dialect.
    fn own_words(&self, error: TrackerError) -> TrackerError {
        let TrackerError::Invalid { field, message } = error else { return error };
        let node = field.strip_prefix("nodeExecutions[").and_then(|rest| {
            let (index, _) = rest.split_once(']')?;
            self.nodes.get(index.parse::<usize>().ok()?)
        });
        let own = match (node, field.as_str()) {
            (Some(node), _) => {
                let object = if node.output.is_some() { "node_results" } else { "errors" };
                format!("{object}.{}", node.node_id.chars().take(100).collect::<String>())
            }
            (None, "duration" | "startedAt" | "endedAt") => "execution_time".to_owned(),
            (None, "initialParams" | "params") => "inputs".to_owned(),
            (None, _) => field,
        };
        TrackerError::invalid(own, message)
    }

    fn start<'b>(&'b self, flow: &'b Flow) -> StartExecution<'b> {
        let mut start = StartExecution::of(flow, Source::Api);
        if let Some(inputs) = self.inputs {
            start = start.params(inputs);
        }
        if let Some(meta) = &self.meta {
            start = start.meta(Sent { value: meta, replaced: self.is_meta_replaced });
        }
        start
    }

    fn finished(&self, tracker: &Tracker) -> FinishedExecution<'a> {
        let finished = FinishedExecution::new(self.outcome.clone(), tracker.clock().now());
        let mut finished = finished.nodes(self.nodes.clone());
        if let Some(outputs) = self.outputs {
            finished = finished.outputs(outputs);
        }
        // It arrives now, and began so much earlier.
        finished.duration = Some(self.duration);
        finished
    }

    /// Whether it could be recorded into a flow that is not there yet.
    fn check(&self, tracker: &Tracker, principal: &Principal, draft: &FlowDraft) -> Result<(), TrackerError> {
        let flow = tracker.draft_flow(principal, draft.clone())?;
        tracker.check_record(principal, &self.start(&flow), &self.finished(tracker))
    }

    fn submit(
        &self,
        tracker: &Tracker,
        principal: &Principal,
        flow: &Flow,
    ) -> Result<Ack<Recorded>, TrackerError> {
        tracker.record_and_show(principal, &self.start(flow), &self.finished(tracker))
    }
}

fn object<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(ApiError::invalid(name, "expected an object or null")),
    }
}

fn duration(told: Option<&Value>) -> Result<Duration, ApiError> {
    let expected = || ApiError::invalid("execution_time", "expected milliseconds, 0 or more");
    let millis = told.and_then(Value::as_f64).filter(|millis| *millis >= 0.0).ok_or_else(expected)?;
    Duration::try_from_secs_f64(millis / 1_000.0).map_err(|_| expected())
}

/// Why an execution failed, as far as its nodes say: the first of them.
fn why(errors: Option<&Map<String, Value>>) -> Option<ErrorInfo> {
    let (node, message) = errors?.iter().next()?;
    Some(ErrorInfo {
        message: message.as_str().unwrap_or_default().to_owned(),
        kind: ErrorKind::Failed,
        node_id: Some(node.clone()),
        node_name: Some(node.clone()),
    })
}

/// Puts messages in the place of errors that are objects, arrays or null, and returns those as they came. The page sends the
/// `message` of whatever was thrown, which need not be a text.
fn take_own_errors(report: &mut Value) -> Map<String, Value> {
    let mut own = Map::new();
    let Some(Value::Object(errors)) = report.get_mut("errors") else { return own };
    for (node, error) in errors.iter_mut() {
        let message = match error {
            Value::Object(fields) => {
                let said = ["message", "detail", "error"].iter().find_map(|name| fields.get(*name)?.as_str());
                said.map_or_else(|| Value::Object(fields.clone()).to_string(), str::to_owned)
            }
            Value::Array(_) => error.to_string(),
            Value::Null => NO_NODE_REASON.to_owned(),
            Value::String(_) | Value::Bool(_) | Value::Number(_) => continue,
        };
        own.insert(node.clone(), std::mem::replace(error, Value::String(message)));
    }
    own
}

/// What is told of nodes, as node executions, in the order in which they are told of.
fn nodes<'a>(
    results: Option<&'a Map<String, Value>>,
    errors: Option<&'a Map<String, Value>>,
    replaced: &Replaced,
) -> Result<Vec<FinishedNode<'a>>, ApiError> {
    let error_of = |id: &str| errors.and_then(|errors| errors.get(id));
    let result_of = |id: &str| results.and_then(|results| results.get(id));
    let ids = results.into_iter().flat_map(Map::keys);
    let failed_only = errors.into_iter().flat_map(Map::keys).filter(|id| result_of(id).is_none());
    ids.chain(failed_only)
        .zip(1..)
        .map(|(id, seq)| {
            let error = match error_of(id) {
                None => None,
                Some(Value::String(message)) => Some((ErrorKind::Failed, message.as_str())),
                Some(_) => {
                    return Err(ApiError::invalid(&format!("errors.{id}"), "expected a text or an object"));
                }
            };
            let status = if error.is_some() { NodeStatus::Error } else { NodeStatus::Completed };
            Ok(FinishedNode {
                status,
                output: result_of(id).map(|value| Sent { value, replaced: replaced.at(id).is_any() }),
                error,
                ..FinishedNode::completed(seq, id, "node")
            })
        })
        .collect()
}
