//! The shell that a server runs under.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::PostgresError;
use super::programs::{LIMIT, run};
use super::user::User;

/// What the shell runs; its orders and answers stand there.
const SCRIPT: &str = include_str!("supervisor.sh");

/// How long an answer may take: the script gives up on its own before that, and can say more.
const ANSWER_LIMIT: Duration = LIMIT.saturating_add(Duration::from_secs(5));

/// A shell that runs a server. It ends with the pipe to it: when this is dropped, and when the process ends.
#[derive(Debug)]
pub(super) struct Supervisor {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
}

/// Why an order was not obeyed.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It was tried and did not work.
    Failed,
    /// The shell does not answer, or has ended.
    Silent,
}

impl Supervisor {
    /// Starts the shell in a server's folder. What it and its server say goes to `log` there.
    pub(super) fn start(programs: &Path, user: &User, folder: &Path) -> Result<Self, PostgresError> {
        let log = folder.join("log");
        let complaints =
            std::fs::File::create(&log).map_err(PostgresError::system("the log cannot be written"))?;
        user.give(&log)?;
        let mut command = user.shell(SCRIPT)?;
        without_settings(&mut command)
            .env("PROGRAMS", programs)
            .env("TENTHS", (LIMIT.as_secs() * 10).to_string())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints)
            // Ctrl-C on the terminal is for the test; the shell cleans up when the test has ended.
            .process_group(0);
        let mut shell =
            command.spawn().map_err(PostgresError::system("the server's shell cannot be started"))?;
        let (send, answers) = channel();
        let (orders, lines) = (shell.stdin.take(), shell.stdout.take());
        thread::spawn(move || {
            for line in lines.map(BufReader::new).into_iter().flat_map(BufRead::lines) {
                // When nobody listens any more, or the shell writes no text, there is nothing left to hear.
                let Ok(line) = line else { return };
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { shell, orders, answers })
    }

    /// Gives an order and waits until it is obeyed.
    pub(super) fn order(&mut self, order: &str) -> Result<(), Refusal> {
        let Some(orders) = &mut self.orders else { return Err(Refusal::Silent) };
        if writeln!(orders, "{order}").is_err() {
            return Err(Refusal::Silent);
        }
        match self.answers.recv_timeout(ANSWER_LIMIT).as_deref() {
            Ok("done") => Ok(()),
            Ok(_) => Err(Refusal::Failed),
            Err(_) => {
                self.kill();
                Err(Refusal::Silent)
            }
        }
    }

    /// Waits until the shell has closed its end of the pipe.
    fn has_ended(&self) -> bool {
        loop {
            match self.answers.recv_timeout(ANSWER_LIMIT) {
                // An answer that came too late for its order.
                Ok(_) => {}
                Err(error) => return error == RecvTimeoutError::Disconnected,
            }
        }
    }

    /// Kills the shell and all that runs under it, for when it does not answer.
    fn kill(&mut self) {
        self.orders = None;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "kill -s KILL -- \"-$1\"", "sh", &self.shell.id().to_string()]);
        // It may have ended in this moment; then there is nothing to kill.
        let _ = run(command, "kill");
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.orders = None;
        // The pipe of the answers ends when the shell does, which is when the server has ended.
        if !self.has_ended() {
            self.kill();
        }
        let _ = self.shell.wait();
    }
}

/// Takes away what the environment says about servers, languages and zones: a server is the same everywhere.
fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") || name == "LANG" || name == "LANGUAGE" {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C").env("TZ", "UTC")
}
