//! `flowtrail key`: who may ask.

use std::time::Duration;

use flowtrail_tracker::Tracker;
use flowtrail_types::{ApiKey, KeyId, Principal, timestamp};
use serde_json::{Value, json};

use super::{find, open};
use crate::cli::KeyCommand;
use crate::failure::Doing;
use crate::terminal::{self, Table, say};
use crate::wiring::Access;
use crate::{Config, Failure};

pub(super) fn run(config: &Config, command: KeyCommand) -> Result<(), Failure> {
    let access = match command {
        KeyCommand::List { .. } => Access::Read,
        KeyCommand::Create { .. } | KeyCommand::Revoke { .. } => Access::Write,
    };
    let (tracker, me) = open(config, access)?;
    match command {
        KeyCommand::Create { name, user, expires, json } => create(&tracker, &me, &name, user, expires, json),
        KeyCommand::List { json } => list(&tracker, &me, json),
        KeyCommand::Revoke { key } => revoke(&tracker, &me, &key),
    }
}

fn create(
    tracker: &Tracker,
    me: &Principal,
    name: &str,
    user: Option<String>,
    expires: Option<Duration>,
    as_json: bool,
) -> Result<(), Failure> {
    let user = user.map(|named| find::user_id(tracker, me, &named)).transpose()?;
    let expires_at = expires
        .map(|after| {
            let now = tracker.clock().now();
            now.checked_add(after.try_into().unwrap_or(time::Duration::MAX))
                .ok_or_else(|| Failure::bad_argument("--expires: that is later than any calendar goes"))
        })
        .transpose()?;
    let made = tracker.create_key(me, name, user, expires_at)?;
    if as_json {
        let mut shown = serde_json::to_value(&made.key).doing("the key cannot be shown")?;
        if let Value::Object(fields) = &mut shown {
            fields.insert("key".to_owned(), json!(made.secret));
        }
        return terminal::json(&shown);
    }
    // The key alone, so that it can be put into a variable.
    say(&made.secret);
    terminal::hint("this is the only time that the key is shown");
    Ok(())
}

fn list(tracker: &Tracker, me: &Principal, as_json: bool) -> Result<(), Failure> {
    let keys = tracker.keys(me)?;
    if as_json {
        return terminal::json(&keys);
    }
    let mut table = Table::new(&["PREFIX", "NAME", "CREATED", "LAST USED", "EXPIRES", "ID"]);
    for key in keys {
        table.row([
            format!("{}…", key.prefix),
            key.name,
            timestamp::format(key.created_at),
            key.last_used_at.map_or_else(|| "never".to_owned(), timestamp::format),
            key.expires_at.map_or_else(|| "never".to_owned(), timestamp::format),
            key.id.to_string(),
        ]);
    }
    table.print();
    Ok(())
}

fn revoke(tracker: &Tracker, me: &Principal, named: &str) -> Result<(), Failure> {
    let keys = tracker.keys(me)?;
    let by_prefix = named.trim_end_matches('…');
    let is_it = |key: &&ApiKey| match named.parse::<KeyId>() {
        Ok(id) => key.id == id,
        Err(_) => !by_prefix.is_empty() && key.prefix == by_prefix,
    };
    let found: Vec<&ApiKey> = keys.iter().filter(is_it).collect();
    match found[..] {
        [] => Err(Failure::new(format_args!("there is no key {named:?}: `flowtrail key list` shows them"))),
        [key] => {
            tracker.revoke_key(me, key.id)?;
            say(format_args!("revoked {} ({}…)", key.name, key.prefix));
            Ok(())
        }
        _ => {
            let ids: Vec<String> = found.iter().map(|key| format!("{} ({})", key.id, key.name)).collect();
            Err(Failure::bad_argument(format_args!(
                "more than one key begins with {named:?}; name one by its id: {}",
                ids.join(", ")
            )))
        }
    }
}
