//! `/api/users` and `/api/keys`: who may ask.

mod keys;
mod users;

use actix_web::web;

use crate::app::wrong_method;

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/users")
                .route(web::get().to(users::list))
                .route(web::post().to(users::create))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/keys")
                .route(web::get().to(keys::list))
                .route(web::post().to(keys::create))
                .default_service(web::to(wrong_method)),
        )
        .service(
            web::resource("/keys/{key_id}")
                .route(web::delete().to(keys::revoke))
                .default_service(web::to(wrong_method)),
        );
}
