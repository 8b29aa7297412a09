//! The user that a server runs as: PostgreSQL refuses to run as root.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use super::PostgresError;
use super::programs::run;

/// Who owns a server and its folder.
#[derive(Debug)]
pub(super) enum User {
    /// Whoever runs the test.
    Myself,
    /// The test runs as root, so another one.
    Other { name: &'static str, user_id: u32, group_id: u32 },
}

/// The users that root may become, the best first.
const OTHERS: &[&str] = &["postgres", "nobody"];

impl User {
    pub(super) fn choose() -> Result<Self, PostgresError> {
        if ask_id(&["-u"])? != 0 {
            return Ok(Self::Myself);
        }
        for name in OTHERS {
            if let (Ok(user_id), Ok(group_id)) = (ask_id(&["-u", name]), ask_id(&["-g", name])) {
                return Ok(Self::Other { name, user_id, group_id });
            }
        }
        Err(PostgresError::Failed {
            what: "PostgreSQL refuses to run as root".to_owned(),
            said: format!("make one of these users: {}", OTHERS.join(", ")),
        })
    }

    /// Makes a file or folder this user's.
    pub(super) fn give(&self, path: &Path) -> Result<(), PostgresError> {
        match self {
            Self::Myself => Ok(()),
            Self::Other { user_id, group_id, .. } => chown(path, Some(*user_id), Some(*group_id))
                .map_err(PostgresError::system(format!("the owner of {} cannot be changed", path.display()))),
        }
    }

    /// A shell that runs a script as this user.
    pub(super) fn shell(&self, script: &str) -> Result<Command, PostgresError> {
        let Self::Other { name, user_id, group_id } = self else {
            return Ok(command("/bin/sh", ["-c", script]));
        };
        let (user, group) = (format!("--reuid={user_id}"), format!("--regid={group_id}"));
        let ways = [
            ("setpriv", vec![&user, &group, "--clear-groups", "--", "/bin/sh", "-c", script]),
            ("runuser", vec!["-u", name, "--", "/bin/sh", "-c", script]),
            ("su", vec!["-s", "/bin/sh", "-c", script, name]),
        ];
        for (program, arguments) in ways {
            // Where a user's PATH leaves out the administrator's programs, they are here.
            for folder in ["/usr/bin", "/usr/sbin", "/bin", "/sbin"] {
                let path = Path::new(folder).join(program);
                if path.is_file() {
                    return Ok(command(path, arguments));
                }
            }
        }
        Err(PostgresError::Failed {
            what: format!("PostgreSQL refuses to run as root, and nothing can run it as {name}"),
            said: "install setpriv, runuser or su, for example: apt-get install util-linux".to_owned(),
        })
    }
}

fn command<'a>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn ask_id(arguments: &[&str]) -> Result<u32, PostgresError> {
    let what = format!("id {}", arguments.join(" "));
    let said = run(command("id", arguments.iter().copied()), &what)?;
    said.parse().map_err(|_| PostgresError::Failed { what, said })
}
