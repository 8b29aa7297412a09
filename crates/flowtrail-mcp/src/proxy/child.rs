//! A server as a process: started, and ended as the protocol says (2025-11-25, "Lifecycle", "Shutdown").

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use super::upstream::Command;

/// How long a server may take to end once nobody speaks to it any more, and then once it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {program}: {source}")]
pub struct ChildError {
    program: String,
    #[source]
    source: std::io::Error,
}

impl ChildError {
    pub(super) fn new(command: &Command, source: std::io::Error) -> Self {
        Self { program: command.program.clone(), source }
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It had to be stopped.
    Stopped,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "the server ended ({status})"),
            Self::Stopped => f.write_str("the server did not end by itself and was stopped"),
        }
    }
}

/// Starts a server with these ends of its pipes, as the first of a group of processes: whoever starts one by `npx` or a
/// script starts more than one, and [`stop`] stops them together. It is killed when what is returned is dropped.
pub(super) fn start_group(
    command: &Command,
    stdin: Stdio,
    stdout: Stdio,
) -> Result<tokio::process::Child, ChildError> {
    let mut starting = prepared(command, stdin, stdout);
    #[cfg(unix)]
    starting.process_group(0);
    starting.spawn().map_err(|source| ChildError::new(command, source))
}

/// Starts a server with these ends of its pipes. It is killed when what is returned is dropped.
pub(crate) fn start(
    command: &Command,
    stdin: Stdio,
    stdout: Stdio,
) -> Result<tokio::process::Child, ChildError> {
    prepared(command, stdin, stdout).spawn().map_err(|source| ChildError::new(command, source))
}

fn prepared(command: &Command, stdin: Stdio, stdout: Stdio) -> tokio::process::Command {
    let mut starting = tokio::process::Command::new(&command.program);
    // Flowtrail's own keys and secrets are nobody else's; what a server needs of them its configuration names.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("FLOWTRAIL_") || name == "DATABASE_URL") {
            starting.env_remove(&name);
        }
    }
    starting
        .args(&command.arguments)
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .stdin(stdin)
        .stdout(stdout)
        // What it says to people goes where it would go without us.
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    if let Some(folder) = &command.folder {
        starting.current_dir(folder);
    }
    starting
}

/// Waits for a server whose standard input is closed; asks it to end, and kills it, when it takes too long.
pub(super) async fn end(child: &mut tokio::process::Child) -> Ended {
    if let Ok(Ok(status)) = tokio::time::timeout(GRACE, child.wait()).await {
        return Ended::Exited(status);
    }
    stop(child).await
}

/// Asks a server to end, and kills it when it takes too long; with it whatever it has started and not let go of.
pub(super) async fn stop(child: &mut tokio::process::Child) -> Ended {
    let group = Group::of(child);
    if group.signal(Signal::End) {
        let ended = tokio::time::timeout(GRACE, child.wait()).await;
        if matches!(ended, Ok(Ok(_))) {
            // The first of them was asked with all others. Those who did not listen are of no use to anybody now.
            group.signal(Signal::Kill);
            return Ended::Stopped;
        }
    }
    group.signal(Signal::Kill);
    if let Err(error) = child.kill().await {
        log::warn!("a server did not end and cannot be killed: {error}");
    }
    Ended::Stopped
}

#[derive(Debug, Clone, Copy)]
enum Signal {
    End,
    Kill,
}

/// A server with the processes that it has started: it is the first of a group of its own.
#[derive(Debug, Clone, Copy)]
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    #[cfg(unix)]
    fn of(child: &tokio::process::Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Self { leader: leader.and_then(rustix::process::Pid::from_raw) }
    }

    #[cfg(not(unix))]
    fn of(_: &tokio::process::Child) -> Self {
        Self {}
    }

    /// False where there is nobody to be told, or no way to.
    #[cfg(unix)]
    fn signal(self, signal: Signal) -> bool {
        let signal = match signal {
            Signal::End => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        self.leader.is_some_and(|leader| rustix::process::kill_process_group(leader, signal).is_ok())
    }

    #[cfg(not(unix))]
    fn signal(self, _: Signal) -> bool {
        false
    }
}
