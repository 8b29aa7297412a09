//! `/api/executions`, and the executions of one flow.

mod append;
mod batch;
mod cancel;
mod create;
mod delete;
mod detail;
mod end;
mod export;
mod import;
mod list;
mod node;
pub(crate) mod nodes;
mod points;
mod replay;
mod report;
mod stats;

use std::str::FromStr;

use actix_web::{HttpRequest, web};
use flowtrail_types::FlowId;

use crate::openapi::{Answer, FILTERS, Operation, PAGING, RANGE};
use crate::routes::Route;
use crate::{ApiError, ErrorCode};

/// An execution, or that the client has it already.
const DETAIL: &[Answer] = &[
    Answer::json(200, "ExecutionDetail", "The execution.").with(&["ETag"]),
    Answer::empty(304, "The client has it already.").with(&["ETag"]),
];

/// A list as a file.
const EXPORTED: &[Answer] = &[
    Answer::of(
        200,
        "application/x-ndjson",
        "ExportedExecution",
        "Full executions as lines of JSON, or what lists show as CSV.",
    ),
    Answer::of(200, "text/csv", "", ""),
];

/// Refusals of what takes much memory to answer.
const TOO_MUCH: &[ErrorCode] = &[ErrorCode::TooLarge, ErrorCode::ShareUsed, ErrorCode::Busy];

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/api/flows/{flow_id}/executions", || web::get().to(list::handle),
        Operation::new("listFlowExecutions", "A flow's executions, newest first").takes(&[FILTERS, PAGING])
            .gives(&[Answer::json(200, "ExecutionPage", "A page of them.")])),
    Route::post("/api/flows/{flow_id}/executions", || web::post().to(create::handle),
        Operation::new("recordExecution", "Records an execution that runs elsewhere: begun, or whole").body("NewExecution")
            .details("The same request twice is one record.")
            .gives(&[
                Answer::json(200, "Execution", "It was recorded before, with the same content.").with(&["Location"]),
                Answer::json(201, "Execution", "The execution.").with(&["Location"]),
            ])
            .fails(&[ErrorCode::Conflict, ErrorCode::AlreadyEnded, ErrorCode::RunsHere, ErrorCode::Busy])),
    Route::delete("/api/flows/{flow_id}/executions", || web::delete().to(delete::many),
        Operation::new("deleteExecutions", "Deletes what a filter finds; what is pending stays").takes(&[FILTERS, &["dryRun"]])
            .gives(&[Answer::json(200, "Deleted", "How many are gone.")]).fails(&[ErrorCode::Busy])),
    Route::get("/api/flows/{flow_id}/executions/stats", || web::get().to(stats::figures),
        Operation::new("getFlowStatistics", "Figures over a flow's executions").takes(&[RANGE])
            .gives(&[Answer::json(200, "Statistics", "The figures.")]).fails(&[ErrorCode::Forbidden])),
    Route::get("/api/flows/{flow_id}/executions/timeseries", || web::get().to(stats::series),
        Operation::new("getFlowTimeSeries", "The same figures by hour or day").takes(&[RANGE, &["step"]])
            .gives(&[Answer::json(200, "TimeSeries", "The figures.")]).fails(&[ErrorCode::Forbidden])),
    Route::get("/api/flows/{flow_id}/executions/points", || web::get().to(points::handle),
        Operation::new("getFlowPoints", "A flow's executions as points of a plot").takes(&[&["from", "to"]])
            .gives(&[Answer::json(200, "Points", "The points.")]).fails(&[ErrorCode::Forbidden])),
    Route::get("/api/flows/{flow_id}/executions/export", || web::get().to(export::handle),
        Operation::new("exportFlowExecutions", "A filtered list of a flow, streamed, whatever its size")
            .takes(&[FILTERS, &["format"]]).gives(EXPORTED)),
    Route::post("/api/flows/{flow_id}/executions/prune", || web::post().to(delete::prune),
        Operation::new("pruneFlow", "Deletes the older part of a flow's history").takes(&[&["dryRun"]]).body("Prune")
            .gives(&[Answer::json(200, "Deleted", "How many are gone.")]).fails(&[ErrorCode::Busy])),
    Route::get("/api/flows/{flow_id}/executions/{execution_id}", || web::get().to(detail::handle),
        Operation::new("getFlowExecution", "An execution of a flow with all its data").takes(&[&["data", "nodes", "allowed", "If-None-Match"]])
            .gives(DETAIL).fails(TOO_MUCH)),
    Route::delete("/api/flows/{flow_id}/executions/{execution_id}", || web::delete().to(delete::one),
        Operation::new("deleteExecution", "Deletes an execution that has ended")
            .gives(&[Answer::empty(204, "It is gone.")]).fails(&[ErrorCode::Pending, ErrorCode::Busy])),
    Route::get("/api/executions", || web::get().to(list::handle),
        Operation::new("listExecutions", "The executions of all flows that you may see").takes(&[FILTERS, PAGING])
            .gives(&[Answer::json(200, "ExecutionPage", "A page of them.")])),
    Route::get("/api/executions/stats", || web::get().to(stats::figures),
        Operation::new("getStatistics", "Figures over the executions of all flows that you may see").takes(&[RANGE])
            .gives(&[Answer::json(200, "Statistics", "The figures.")]).fails(&[ErrorCode::Forbidden])),
    Route::get("/api/executions/timeseries", || web::get().to(stats::series),
        Operation::new("getTimeSeries", "The same figures by hour or day").takes(&[RANGE, &["step"]])
            .gives(&[Answer::json(200, "TimeSeries", "The figures.")]).fails(&[ErrorCode::Forbidden])),
    Route::get("/api/executions/export", || web::get().to(export::handle),
        Operation::new("exportExecutions", "A filtered list, streamed, whatever its size")
            .takes(&[FILTERS, &["format"]]).gives(EXPORTED)),
    Route::post("/api/executions/batch", || web::post().to(batch::handle),
        Operation::new("recordBatch", "Records whole executions, one a line").lines("BatchLine")
            .details("Both ways are streamed; the limit of a body holds for each line, and a bad line sinks no other.")
            .gives(&[Answer::of(200, "application/x-ndjson", "BatchOutcome", "What became of each line, in order.")])),
    Route::post("/api/executions/import", || web::post().to(import::handle),
        Operation::new("importExecutions", "Restores executions of an export, one a line, as they were").lines("ExportedExecution")
            .details("For administrators. Both ways are streamed as in a batch; a line that is here already is no error.")
            .gives(&[Answer::of(200, "application/x-ndjson", "BatchOutcome", "What became of each line, in order.")])
            .fails(&[ErrorCode::Forbidden])),
    Route::get("/api/executions/{execution_id}", || web::get().to(detail::handle),
        Operation::new("getExecution", "An execution with all its data").takes(&[&["data", "nodes", "allowed", "If-None-Match"]])
            .gives(DETAIL).fails(TOO_MUCH)),
    Route::patch("/api/executions/{execution_id}", || web::patch().to(end::handle),
        Operation::new("endExecution", "Ends an execution that runs elsewhere").body("EndedExecution")
            .gives(&[Answer::json(200, "Execution", "The execution.")])
            .fails(&[ErrorCode::Conflict, ErrorCode::AlreadyEnded, ErrorCode::RunsHere, ErrorCode::Busy])),
    Route::post("/api/executions/{execution_id}/nodes", || web::post().to(append::handle),
        Operation::new("appendNodes", "Appends node executions to an execution that runs elsewhere").body("AppendedNodes")
            .gives(&[Answer::json(200, "Appended", "They are recorded.")])
            .fails(&[ErrorCode::Conflict, ErrorCode::AlreadyEnded, ErrorCode::RunsHere, ErrorCode::Busy])),
    Route::get("/api/executions/{execution_id}/nodes", || web::get().to(nodes::handle),
        Operation::new("listNodeExecutions", "The nodes' parts in an execution, by number").takes(&[&["afterSeq", "nodeLimit"]])
            .gives(&[Answer::json(200, "NodePage", "A page of them.")]).fails(TOO_MUCH)),
    Route::get("/api/executions/{execution_id}/nodes/{seq}", || web::get().to(node::handle),
        Operation::new("getNodeExecution", "A node's part in an execution, with its data").takes(&[&["If-None-Match"]])
            .gives(&[
                Answer::json(200, "NodeExecution", "The node's part.").with(&["ETag"]),
                Answer::empty(304, "The client has it already.").with(&["ETag"]),
            ])),
    Route::post("/api/executions/{execution_id}/replay", || web::post().to(replay::handle),
        Operation::new("replayExecution", "Runs it again with the same parameters")
            .gives(&[Answer::json(202, "Execution", "The new execution.")])
            .fails(&[ErrorCode::InvalidArguments, ErrorCode::InvalidFlow, ErrorCode::Inactive, ErrorCode::NotRunnable, ErrorCode::Incomplete, ErrorCode::Busy])),
    Route::post("/api/executions/{execution_id}/cancel", || web::post().to(cancel::handle),
        Operation::new("cancelExecution", "Asks an execution to stop")
            .gives(&[Answer::json(202, "CancelRequested", "It was asked to.")])
            .fails(&[ErrorCode::AlreadyEnded, ErrorCode::Busy])),
];

/// The flow that the address names; none where it names none, which is all flows. So one handler serves both.
fn scope(request: &HttpRequest) -> Result<Option<FlowId>, ApiError> {
    let names_flow = request.match_info().get("flow_id").is_some();
    names_flow.then(|| path_id(request, "flow_id", "flow")).transpose()
}

/// An id in the address. What is no id names nothing that exists.
pub(crate) fn path_id<T: FromStr>(request: &HttpRequest, name: &str, what: &str) -> Result<T, ApiError> {
    request
        .match_info()
        .get(name)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("there is no such {what}")))
}
