//! `/api/executions`, and the executions of one flow.

mod cancel;
mod detail;
mod list;

use std::str::FromStr;

use actix_web::{HttpRequest, web};

use crate::app::wrong_method;
use crate::{ApiError, ErrorCode};

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/flows/{flow_id}/executions")
                .route(web::get().to(list::of_flow))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/flows/{flow_id}/executions/{execution_id}")
                .route(web::get().to(detail::of_flow))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/executions")
                .route(web::get().to(list::all))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/executions/{execution_id}")
                .route(web::get().to(detail::by_id))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/executions/{execution_id}/cancel")
                .route(web::post().to(cancel::handle))
                .default_service(web::to(wrong_method)),
        );
}

/// An id in the address. What is no id names nothing that exists.
pub(crate) fn path_id<T: FromStr>(request: &HttpRequest, name: &str, what: &str) -> Result<T, ApiError> {
    request
        .match_info()
        .get(name)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("there is no such {what}")))
}
