//! A server as a process of its own, which can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{Era, McpClient, Rest};

/// The administrator's key of every test process.
const KEY: &str = "ft_testkit_administrator";

/// `flowtrail serve` on a data directory and a free port of 127.0.0.1. It is killed when it is dropped.
#[derive(Debug)]
pub struct TestProcess {
    child: Child,
    base: String,
}

impl TestProcess {
    /// Starts the binary and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start(binary: &Path, data_dir: &Path, arguments: &[&str]) -> Self {
        let data_dir = data_dir.to_str().expect("a path that is text");
        Self::start_as(binary, &[&["serve", "--data-dir", data_dir], arguments].concat())
    }

    /// The same with any command line that serves, such as `demo`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start_as(binary: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary)
            .args(arguments)
            .env("FLOWTRAIL_LISTEN", "127.0.0.1:0")
            .env("FLOWTRAIL_ADMIN_KEY", KEY)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let base = loop {
            let line = lines.next().expect("it says where it listens").expect("it writes text");
            if let Some(base) = line.strip_prefix("listening on ") {
                break base.to_owned();
            }
        };
        // Whatever it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, base }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The administrator's key.
    #[must_use]
    pub fn key(&self) -> &str {
        KEY
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A REST client with the administrator's key.
    #[must_use]
    pub fn rest(&self) -> Rest {
        Rest::new(&self.base, Some(KEY))
    }

    /// A real MCP client with the administrator's key, over HTTP.
    pub async fn mcp(&self, era: Era) -> McpClient {
        McpClient::over_http(&self.base, KEY, era).await
    }

    /// Kills it with SIGKILL, in the middle of whatever it does.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("the process is killed");
        self.child.wait().expect("the process is gone");
    }

    /// Waits until it has ended by itself, and gives its exit code.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    #[must_use]
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("the process ends").code()
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
