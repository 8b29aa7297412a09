//! PostgreSQL's programs: where they are, and running them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::PostgresError;

/// How long anything may take.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// The folder that has what a server of our own needs.
pub(super) fn server_folder() -> Result<PathBuf, PostgresError> {
    folder_with(&["initdb", "pg_isready", "postgres", "psql"]).ok_or(PostgresError::NotInstalled)
}

/// PostgreSQL's own client.
#[derive(Debug, Clone)]
pub(super) struct Psql {
    program: PathBuf,
}

impl Psql {
    /// The client that belongs to the server's programs, otherwise any: on Debian, the one in PATH is a script that
    /// looks for clusters first.
    pub(super) fn find() -> Result<Self, PostgresError> {
        let folder =
            server_folder().ok().or_else(|| folder_with(&["psql"])).ok_or(PostgresError::NotInstalled)?;
        Ok(Self { program: folder.join("psql") })
    }

    /// Runs SQL and gives what it printed: a line for each row, its columns parted by `|`.
    pub(super) fn query(&self, url: &str, sql: &str) -> Result<String, PostgresError> {
        let mut command = Command::new(&self.program);
        command.args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]);
        command.args(["--set", "ON_ERROR_STOP=1", "--dbname", url, "--command", sql]);
        command.env("PGCONNECT_TIMEOUT", "10");
        run(command, &format!("psql: {sql}"))
    }
}

/// What a program prints, when it ends well and in time.
pub(super) fn run(mut command: Command, what: &str) -> Result<String, PostgresError> {
    let could_not = |doing: &str| PostgresError::system(format!("{what}: {doing}"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(could_not("it cannot be started"))?;
    let texts = (read_all(child.stdout.take()), read_all(child.stderr.take()));
    let end = Instant::now() + LIMIT;
    let text = |receiver: &mpsc::Receiver<String>| {
        receiver.recv_timeout(end.saturating_duration_since(Instant::now()))
    };
    let (Ok(printed), Ok(complaints)) = (text(&texts.0), text(&texts.1)) else {
        // It may have ended in this moment; then there is nothing to kill.
        let _ = child.kill();
        let _ = child.wait();
        return Err(PostgresError::Failed {
            what: what.to_owned(),
            said: format!("did not end within {} s", LIMIT.as_secs()),
        });
    };
    let status = child.wait().map_err(could_not("its end cannot be awaited"))?;
    if status.success() {
        Ok(printed.trim_end().to_owned())
    } else {
        Err(PostgresError::Failed { what: what.to_owned(), said: format!("{status}\n{printed}{complaints}") })
    }
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before a failure is worth showing, and nobody listens any more after the limit.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

fn folder_with(programs: &[&str]) -> Option<PathBuf> {
    let has_all = |folder: &PathBuf| programs.iter().all(|program| folder.join(program).is_file());
    folders_of_path().find(has_all).or_else(|| told_folder().filter(has_all)).or_else(|| {
        let mut packaged = packaged_folders();
        packaged.retain(has_all);
        packaged.pop()
    })
}

fn folders_of_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A relative entry would mean another folder as soon as a program runs elsewhere.
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect::<Vec<_>>().into_iter()
}

/// The folder that `pg_config` tells.
fn told_folder() -> Option<PathBuf> {
    let mut command = Command::new("pg_config");
    command.arg("--bindir");
    run(command, "pg_config --bindir").ok().map(PathBuf::from)
}

/// The folders that Debian's packages install to, the newest version last.
fn packaged_folders() -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut versions: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path())).collect();
    versions.sort_by_key(|folder| version(folder));
    versions.into_iter().map(|folder| folder.join("bin")).collect()
}

/// A folder's version as numbers: 9.6 comes before 15.
fn version(folder: &Path) -> Vec<u32> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}
