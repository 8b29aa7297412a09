//! Who may ask, and what was done to that.

use flowtrail_types::{AuditAction, Role};
use serde_json::{Value, json};

use super::{any, both, id, list, object, or_null, schema, shown, text, time, whole};
use crate::openapi::{example, words};

pub(super) fn schemas() -> Value {
    json!({
        "Me": shown(whole(me()), "Who you are.", json!({"id": example::USER, "name": "Ada", "role": "user"})),
        "User": shown(whole(both(me(), json!({"createdAt": time("Since when they are known.")}))), "A person or a program that has keys.", user()),
        "UserList": shown(whole(json!({"items": list(schema("User"), "The users.")})), "All users.", json!({"items": [user()]})),
        "NewUser": shown(
            object(&["name"], json!({
                "name": name("Their name."),
                "role": {"enum": [Role::User.as_str(), Role::Admin.as_str(), null], "default": Role::User.as_str(), "description": "What they may do."},
            })),
            "A user to make.",
            json!({"name": "Ada", "role": "user"}),
        ),
        "Key": shown(whole(key()), "A key as it is shown: never the key itself.", shown_key()),
        "KeyList": shown(whole(json!({"items": list(schema("Key"), "The keys.")})), "Keys.", json!({"items": [shown_key()]})),
        "NewKey": shown(
            object(&["name"], json!({
                "name": name("What it is for."),
                "userId": or_null(id("Whose it will be; an administrator makes keys for others.")),
                "expiresAt": or_null(time("When it ends; never, when absent.")),
            })),
            "A key to make.",
            json!({"name": "nightly job"}),
        ),
        "MadeKey": shown(
            whole(both(key(), json!({"key": text("The key itself, shown this once.")}))),
            "A key that was just made.",
            with(shown_key(), "key", "ft_3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ),
        "LogIn": {
            "description": "A key, or the code of a login link.",
            "oneOf": [
                object(&["key"], json!({"key": text("A key.")})),
                object(&["code"], json!({"code": text("The code of a login link, which works once.")})),
            ],
            "examples": [{"key": "ft_3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}],
        },
        "Session": shown(
            whole(json!({
                "user": schema("Me"),
                "csrf": text("The value of the header `X-Flowtrail-CSRF`, which a write by cookie needs."),
                "expiresAt": time("When it ends."),
            })),
            "Who is logged in.",
            json!({"user": {"id": example::USER, "name": "Ada", "role": "user"}, "csrf": "b1946ac92492d2347c6235b4d2611184", "expiresAt": "2026-12-22T10:00:00.000Z"}),
        ),
        "NewEmbedToken": shown(
            object(&["flowIds"], json!({
                "flowIds": {"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 1, "maxItems": 100, "description": "The flows whose history it reads."},
                "ttlSeconds": {"type": ["integer", "null"], "minimum": 1, "maximum": 86_400, "default": 3_600, "description": "For how long."},
            })),
            "A token to make for a page of another origin.",
            json!({"flowIds": [example::FLOW], "ttlSeconds": 3600}),
        ),
        "EmbedToken": shown(
            whole(json!({
                "token": text("The token: it goes where a key goes, and only reads."),
                "flowIds": list(id("A flow."), "The flows whose history it reads."),
                "expiresAt": time("When it ends."),
            })),
            "A token that was just made.",
            json!({"token": "fte_3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "flowIds": [example::FLOW], "expiresAt": "2026-11-22T11:00:00.000Z"}),
        ),
        "AuditPage": shown(
            whole(json!({
                "items": list(entry(), "What was done, newest first."),
                "after": or_null(id("Goes on after this page; null on the last one.")),
            })),
            "A page of the audit log.",
            json!({"items": [example::audit()], "after": null}),
        ),
    })
}

/// Printable characters, not all of them blank.
fn name(means: &str) -> Value {
    let pattern =
        r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
    json!({"type": "string", "minLength": 1, "maxLength": 100, "pattern": pattern, "description": means})
}

fn me() -> Value {
    json!({
        "id": id("The user's id."),
        "name": text("Their name."),
        "role": words(Role::ALL, Role::as_str),
    })
}

fn user() -> Value {
    json!({"id": example::USER, "name": "Ada", "role": "user", "createdAt": "2026-11-22T10:00:00.000Z"})
}

fn key() -> Value {
    json!({
        "id": id("Its id."),
        "name": text("What it is for."),
        "userId": id("Whose it is."),
        "prefix": text("How it begins."),
        "createdAt": time("When it was made."),
        "lastUsedAt": or_null(time("When it was last used.")),
        "expiresAt": or_null(time("When it ends.")),
    })
}

fn shown_key() -> Value {
    json!({
        "id": "7d444840-9dc0-41d1-b245-5ffdce74fad2", "name": "nightly job", "userId": example::USER, "prefix": "ft_3q2-7wAA",
        "createdAt": "2026-11-22T10:00:00.000Z", "lastUsedAt": null, "expiresAt": null,
    })
}

fn with(mut value: Value, name: &str, also: &str) -> Value {
    value[name] = json!(also);
    value
}

fn entry() -> Value {
    whole(json!({
        "id": id("Its id."),
        "at": time("When."),
        "userId": id("Who did it."),
        "userName": text("Their name as it was."),
        "action": words(AuditAction::ALL, AuditAction::as_str),
        "subjectId": or_null(id("What it was done to.")),
        "subject": {"type": ["string", "null"], "description": "Its name as it was."},
        "detail": any("What else there is to know."),
    }))
}
