//! `/api/flows`: flows, and their files.

mod change;
mod create;
mod delete;
mod export;
mod import;
mod list;
mod read;
mod run;
mod view;

use actix_web::web;

use crate::ErrorCode;
use crate::openapi::{Answer, Operation};
use crate::routes::Route;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/api/flows",
        || web::get().to(list::handle),
        Operation::new("listFlows", "The flows that you may see, by name")
            .takes(&[&["page", "limit", "flowText"]])
            .gives(&[Answer::json(200, "FlowPage", "A page of them.")]),
    ),
    Route::post(
        "/api/flows",
        || web::post().to(create::handle),
        Operation::new("createFlow", "Makes a flow")
            .body("NewFlow")
            .gives(&[Answer::json(201, "Flow", "The flow.")])
            .fails(&[ErrorCode::InvalidFlow, ErrorCode::Taken]),
    ),
    Route::post(
        "/api/flows/import",
        || web::post().to(import::handle),
        Operation::new("importFlows", "Makes the flows of a flow file, all or none")
            .body("FlowFiles")
            .details("The flows of Manifest and of Open WebUI are converted; notes tell what did not come over as it was.")
            .gives(&[Answer::json(201, "FlowList", "The flows.")])
            .fails(&[ErrorCode::InvalidFlow, ErrorCode::Taken]),
    ),
    Route::get(
        "/api/flows/{flow_id}",
        || web::get().to(read::handle),
        Operation::new("getFlow", "A flow with its graph").takes(&[&["allowed"]]).gives(&[Answer::json(
            200,
            "Flow",
            "The flow.",
        )]),
    ),
    Route::patch(
        "/api/flows/{flow_id}",
        || web::patch().to(change::handle),
        Operation::new("changeFlow", "Changes what the body names, and leaves the rest")
            .body("FlowChange")
            .details("Another graph is the next version.")
            .gives(&[Answer::json(200, "Flow", "The flow as it is now.")])
            .fails(&[ErrorCode::InvalidFlow, ErrorCode::Taken, ErrorCode::Changed]),
    ),
    Route::delete(
        "/api/flows/{flow_id}",
        || web::delete().to(delete::handle),
        Operation::new("deleteFlow", "Deletes a flow and keeps its executions")
            .gives(&[Answer::empty(204, "It is gone.")]),
    ),
    Route::get(
        "/api/flows/{flow_id}/export",
        || web::get().to(export::handle),
        Operation::new("exportFlow", "The flow as a file").gives(&[Answer::json(
            200,
            "FlowFile",
            "The file.",
        )]),
    ),
    Route::post(
        "/api/flows/{flow_id}/run",
        || web::post().to(run::handle),
        Operation::new("runFlow", "Runs a flow")
            .takes(&[&["wait"]])
            .body("Run")
            .gives(&[
                Answer::json(200, "Execution", "The finished execution."),
                Answer::json(202, "Execution", "With `wait=false`, the execution that has begun."),
            ])
            .fails(&[
                ErrorCode::InvalidArguments,
                ErrorCode::InvalidFlow,
                ErrorCode::Inactive,
                ErrorCode::NotRunnable,
                ErrorCode::Busy,
            ]),
    ),
];
