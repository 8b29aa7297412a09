//! `flowtrail user`: the people and programs that have keys.

use flowtrail_types::timestamp;

use super::open;
use crate::cli::UserCommand;
use crate::terminal::{self, Table, say};
use crate::wiring::Access;
use crate::{Config, Failure};

pub(super) fn run(config: &Config, command: UserCommand) -> Result<(), Failure> {
    let access = match command {
        UserCommand::List { .. } => Access::Read,
        UserCommand::Create { .. } => Access::Write,
    };
    let (tracker, me) = open(config, access)?;
    match command {
        UserCommand::Create { name, role, json } => {
            let user = tracker.create_user(&me, &name, role)?;
            if json {
                return terminal::json(&user);
            }
            say(user.id);
            terminal::hint(format_args!("make a key: flowtrail key create NAME --user {:?}", user.name));
            Ok(())
        }
        UserCommand::List { json } => {
            let users = tracker.users(&me)?;
            if json {
                return terminal::json(&users);
            }
            let mut table = Table::new(&["NAME", "ROLE", "CREATED", "ID"]);
            for user in users {
                let created_at = timestamp::format(user.created_at);
                table.row([user.name, user.role.as_str().to_owned(), created_at, user.id.to_string()]);
            }
            table.print();
            Ok(())
        }
    }
}
