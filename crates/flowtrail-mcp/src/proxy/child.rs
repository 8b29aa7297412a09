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

/// Starts a server with these ends of its pipes. It is killed when what is returned is dropped.
pub(crate) fn start(
    command: &Command,
    stdin: Stdio,
    stdout: Stdio,
) -> Result<tokio::process::Child, ChildError> {
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
    starting.spawn().map_err(|source| ChildError::new(command, source))
}

/// Waits for a server whose standard input is closed; asks it to end, and kills it, when it takes too long.
pub(super) async fn end(child: &mut tokio::process::Child) -> Ended {
    if let Ok(Ok(status)) = tokio::time::timeout(GRACE, child.wait()).await {
        return Ended::Exited(status);
    }
    stop(child).await
}

/// Asks a server to end, and kills it when it takes too long.
pub(super) async fn stop(child: &mut tokio::process::Child) -> Ended {
    if ask_to_end(child) {
        let ended = tokio::time::timeout(GRACE, child.wait()).await;
        if matches!(ended, Ok(Ok(_))) {
            return Ended::Stopped;
        }
    }
    if let Err(error) = child.kill().await {
        log::warn!("a server did not end and cannot be killed: {error}");
    }
    Ended::Stopped
}

/// Asks a process to end. False where a process cannot be asked.
fn ask_to_end(child: &tokio::process::Child) -> bool {
    #[cfg(unix)]
    {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok())
    }
    #[cfg(not(unix))]
    {
        let _ = child;
        false
    }
}
