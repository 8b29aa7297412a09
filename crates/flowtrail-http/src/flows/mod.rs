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

use crate::routes::Route;

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/api/flows", || web::get().to(list::handle)),
    Route::post("/api/flows", || web::post().to(create::handle)),
    Route::post("/api/flows/import", || web::post().to(import::handle)),
    Route::get("/api/flows/{flow_id}", || web::get().to(read::handle)),
    Route::patch("/api/flows/{flow_id}", || web::patch().to(change::handle)),
    Route::delete("/api/flows/{flow_id}", || web::delete().to(delete::handle)),
    Route::get("/api/flows/{flow_id}/export", || web::get().to(export::handle)),
    Route::post("/api/flows/{flow_id}/run", || web::post().to(run::handle)),
];
