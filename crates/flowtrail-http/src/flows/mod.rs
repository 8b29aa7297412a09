//! `/api/flows`: flows, and their files.

mod change;
mod create;
mod delete;
mod export;
mod import;
mod list;
mod me;
mod read;
mod run;
mod view;

use actix_web::web;

use crate::app::wrong_method;

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/flows")
                .route(web::get().to(list::handle))
                .route(web::post().to(create::handle))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/flows/import")
                .route(web::post().to(import::handle))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/flows/{flow_id}")
                .route(web::get().to(read::handle))
                .route(web::patch().to(change::handle))
                .route(web::delete().to(delete::handle))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/flows/{flow_id}/export")
                .route(web::get().to(export::handle))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/flows/{flow_id}/run")
                .route(web::post().to(run::handle))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/me").route(web::get().to(me::handle)).default_service(web::to(wrong_method)),
        );
}
