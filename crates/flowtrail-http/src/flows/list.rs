//! `GET /api/flows`: one page of the flows that the caller may see, by name.

use actix_web::{HttpResponse, web};
use flowtrail_types::FlowQuery;

use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

/// The longest text that is searched for.
const LONGEST_SEARCH: usize = 200;

pub(super) async fn handle(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["page", "limit", "q"])?;
    if query.text("q").is_some_and(|text| text.chars().count() > LONGEST_SEARCH) {
        return Err(ApiError::invalid("q", format!("expected at most {LONGEST_SEARCH} characters")));
    }
    let wanted =
        FlowQuery { text: query.text("q").map(str::to_owned), page: query.page()?, ..FlowQuery::default() };
    let tracker = app.tracker().clone();
    let page = blocking(move || tracker.flows(&principal, wanted)).await?;
    Ok(HttpResponse::Ok().json(page))
}
