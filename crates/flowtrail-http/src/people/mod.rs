//! Who may ask: users, keys, tokens for pages of other origins, and the log of what was done to them.

mod audit;
mod embed;
mod keys;
mod me;
mod users;

use actix_web::web;

use crate::ErrorCode;
use crate::openapi::{Answer, Operation};
use crate::routes::Route;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/api/me",
        || web::get().to(me::handle),
        Operation::new("getMe", "Who you are").gives(&[Answer::json(200, "Me", "You.")]),
    ),
    Route::get(
        "/api/users",
        || web::get().to(users::list),
        Operation::new("listUsers", "All users, for administrators")
            .gives(&[Answer::json(200, "UserList", "The users.")])
            .fails(&[ErrorCode::Forbidden]),
    ),
    Route::post(
        "/api/users",
        || web::post().to(users::create),
        Operation::new("createUser", "Makes a user, for administrators")
            .body("NewUser")
            .gives(&[Answer::json(201, "User", "The user.")]),
    ),
    Route::delete(
        "/api/users/{user_id}",
        || web::delete().to(users::delete),
        Operation::new("deleteUser", "Deletes a user with their keys and sessions, for administrators")
            .details("Their flows, and what they did, stay under their name. The first administrator stays.")
            .gives(&[Answer::empty(204, "They are gone.")]),
    ),
    Route::get(
        "/api/keys",
        || web::get().to(keys::list),
        Operation::new("listKeys", "Your keys; an administrator's everybody's")
            .gives(&[Answer::json(200, "KeyList", "The keys.")])
            .fails(&[ErrorCode::Forbidden]),
    ),
    Route::post(
        "/api/keys",
        || web::post().to(keys::create),
        Operation::new("createKey", "Makes a key, which is shown this once")
            .body("NewKey")
            .gives(&[Answer::json(201, "MadeKey", "The key.")])
            .fails(&[ErrorCode::NotFound]),
    ),
    Route::delete(
        "/api/keys/{key_id}",
        || web::delete().to(keys::revoke),
        Operation::new("revokeKey", "Revokes a key at once")
            .details("The sessions and tokens that were made by means of it go with it.")
            .gives(&[Answer::empty(204, "It is no key any more.")]),
    ),
    Route::post(
        "/api/embed-tokens",
        || web::post().to(embed::create),
        Operation::new("createEmbedToken", "Makes a token for a page of another origin")
            .body("NewEmbedToken")
            .gives(&[Answer::json(
                201,
                "EmbedToken",
                "The token, which reads what you may read of these flows, and does nothing else.",
            )])
            .fails(&[ErrorCode::NotFound]),
    ),
    Route::get(
        "/api/audit",
        || web::get().to(audit::list),
        Operation::new(
            "listAudit",
            "Who did what to keys, users and access, and who deleted what, for administrators",
        )
        .takes(&[&["action", "user", "auditAfter", "limit"]])
        .gives(&[Answer::json(200, "AuditPage", "The newest entries.")])
        .fails(&[ErrorCode::Forbidden]),
    ),
];
