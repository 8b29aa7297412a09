//! `/api/v1`: the history API of Open WebUI's flows, so that its client works against Flowtrail unchanged but for the
//! base address.
//!
//! Its words are others, and so are some of its rules: an execution is reported once, when it is over; what its nodes
//! produced and why they failed are two objects by node; the order is that of arrival, and the time that is told is that
//! of the arrival, too. A stranger is told that a flow is there and not theirs.

mod delete;
mod error;
mod read;
mod save;
mod shape;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use self::error::Detail;
use crate::openapi::{Answer, Operation};
use crate::routes::Route;
use crate::{ApiError, Caller, ErrorCode};

pub(crate) const ROUTES: &[Route] =
    &[
        Route::post(
            "/api/v1/flows/{flow_id}/executions",
            || web::post().to(save::handle),
            Operation::new("saveFlowExecution", "Records an execution that is over")
                .body("SavedExecution")
                .details("A flow id that is not known becomes an external flow, owned by you.")
                .gives(&[Answer::json(200, "RecordedExecution", "The execution.")])
                .fails(&[ErrorCode::Busy]),
        ),
        Route::get(
            "/api/v1/flows/{flow_id}/executions",
            || web::get().to(read::list),
            Operation::new("getFlowExecutions", "A page of 60 executions, the last to arrive first")
                .takes(&[&["page"]])
                .gives(&[Answer::json(200, "RecordedItems", "The page.")]),
        ),
        Route::delete(
            "/api/v1/flows/{flow_id}/executions",
            || web::delete().to(delete::all),
            Operation::new("deleteAllFlowExecutions", "Deletes all executions of a flow that are over")
                .gives(&[Answer::json(200, "Done", "They are gone.")])
                .fails(&[ErrorCode::Busy]),
        ),
        Route::get(
            "/api/v1/flows/{flow_id}/executions/stats",
            || web::get().to(read::stats),
            Operation::new("getFlowExecutionStats", "Figures over a flow's executions")
                .gives(&[Answer::json(200, "RecordedStats", "The figures.")]),
        ),
        Route::get(
            "/api/v1/flows/{flow_id}/executions/{execution_id}",
            || web::get().to(read::one),
            Operation::new("getFlowExecutionById", "An execution").gives(&[Answer::json(
                200,
                "RecordedExecution",
                "The execution.",
            )]),
        ),
        Route::delete(
            "/api/v1/flows/{flow_id}/executions/{execution_id}",
            || web::delete().to(delete::one),
            Operation::new("deleteFlowExecution", "Deletes an execution").gives(&[Answer::json(
                200,
                "Done",
                "It is gone.",
            )]),
        ),
    ];

/// What a handler needs of a request, refused in this dialect's words.
struct Worded<T>(T);

impl<T> FromRequest for Worded<T>
where
    T: FromRequest<Error = ApiError> + 'static,
{
    type Error = Detail;
    type Future = LocalBoxFuture<'static, Result<Self, Detail>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let wanted = T::from_request(request, payload);
        Box::pin(async move { Ok(Self(wanted.await?)) })
    }
}

/// Who asks.
type Asking = Worded<Caller>;

/// An id in the address. What is no id names nothing that exists.
fn path_id<T: std::str::FromStr>(request: &HttpRequest, name: &str) -> Result<T, Detail> {
    let id = request.match_info().get(name).and_then(|text| text.parse().ok());
    id.ok_or_else(|| Detail::new(ErrorCode::NotFound, "Not found"))
}
