//! The folder that a server lives in.

use std::fs::DirBuilder;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::PostgresError;
use super::programs::LIMIT;
use super::supervisor::Refusal;
use super::user::User;

/// How often another port, or a folder's name, is tried when somebody else was faster.
pub(super) const ATTEMPTS: usize = 20;

/// The longest path of a folder for temporary files that leaves room for the name of a socket in it: the system
/// allows 103 bytes and more.
const MAX_FOLDER_BYTES: usize = 60;

/// A folder that goes away with its value.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A folder that nobody but the server's user can look into.
    pub(super) fn create(user: &User) -> Result<Self, PostgresError> {
        let base = base_folder(user);
        let mut attempts = ATTEMPTS;
        loop {
            let path = base.join(format!("flowtrail-{:08x}", random() >> 32));
            attempts -= 1;
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let folder = Self { path };
                    user.give(&folder.path)?;
                    return Ok(folder);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && attempts > 0 => {}
                Err(error) => {
                    let doing = format!("{} cannot be made", path.display());
                    return Err(PostgresError::system(doing)(error));
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All that the server has said.
    pub(super) fn log(&self) -> String {
        let bytes = std::fs::read(self.path.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What to tell when an order was not obeyed: the last lines of the log, too.
    pub(super) fn failure(&self, what: &str, refusal: &Refusal) -> PostgresError {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        let end = match refusal {
            Refusal::Failed => "it failed".to_owned(),
            Refusal::Silent => format!("it has ended, or did not answer within {} s", LIMIT.as_secs()),
        };
        PostgresError::Failed { what: format!("{what} in {}: {end}", self.path.display()), said: last }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nearly always it is gone already: the server's shell removes it.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Where temporary files are, if that is a good place for a server's socket, otherwise `/tmp`.
fn base_folder(user: &User) -> PathBuf {
    let told = std::env::temp_dir();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let name = told.as_os_str().as_encoded_bytes();
    // Every user must be able to pass through the folders above, or the server's user cannot.
    let is_open = |folder: &Path| folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0);
    let is_reachable = matches!(user, User::Myself) || told.ancestors().all(is_open);
    let is_good =
        told.is_absolute() && name.len() <= MAX_FOLDER_BYTES && name.iter().all(|byte| is_plain(*byte));
    if is_good && is_reachable { told } else { PathBuf::from("/tmp") }
}

/// A number that hardly any other call gives, here or in another process. The standard library has no other source of them.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
