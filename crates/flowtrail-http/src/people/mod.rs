//! Who may ask: users, keys, tokens for pages of other origins, and the log of what was done to them.

mod audit;
mod embed;
mod keys;
mod me;
mod users;

use actix_web::web;

use crate::routes::Route;

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/api/me", || web::get().to(me::handle)),
    Route::get("/api/users", || web::get().to(users::list)),
    Route::post("/api/users", || web::post().to(users::create)),
    Route::delete("/api/users/{user_id}", || web::delete().to(users::delete)),
    Route::get("/api/keys", || web::get().to(keys::list)),
    Route::post("/api/keys", || web::post().to(keys::create)),
    Route::delete("/api/keys/{key_id}", || web::delete().to(keys::revoke)),
    Route::post("/api/embed-tokens", || web::post().to(embed::create)),
    Route::get("/api/audit", || web::get().to(audit::list)),
];
