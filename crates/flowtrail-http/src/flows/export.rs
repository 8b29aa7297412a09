//! `GET /api/flows/{flowId}/export`: the flow as a file that can be imported.

use actix_web::http::header::{ContentDisposition, DispositionParam, DispositionType};
use actix_web::{HttpRequest, HttpResponse, web};

use super::view::flow_id;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let id = flow_id(&request)?;
    let tracker = app.tracker().clone();
    let flow = blocking(move || tracker.flow(&principal, id)).await?;
    let name = flow.tool_name.as_ref().map_or_else(|| flow.id.to_string(), ToString::to_string);
    let disposition = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(format!("{name}.json"))],
    };
    Ok(HttpResponse::Ok().insert_header(disposition).json(flowtrail_runner::write_flow_file(&flow)))
}
