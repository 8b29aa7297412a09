//! Why a command failed, for a person at a terminal.

use std::fmt::{self, Display};
use std::process::ExitCode;

use flowtrail_tracker::TrackerError;

use crate::ConfigError;

/// Why a command failed: one line that says what happened and, where there is one, a hint at what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    /// Whether the command line could never work as it is written.
    is_bad_argument: bool,
}

impl Failure {
    /// A command that did not work, for this reason. Exit code 1.
    #[must_use]
    pub fn new(message: impl Display) -> Self {
        Self { message: message.to_string(), is_bad_argument: false }
    }

    /// A command line that cannot work as it is written. Exit code 2, as for what clap refuses.
    #[must_use]
    pub fn bad_argument(message: impl Display) -> Self {
        Self { message: message.to_string(), is_bad_argument: true }
    }

    /// How the process ends.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        if self.is_bad_argument { ExitCode::from(2) } else { ExitCode::FAILURE }
    }

    /// Writes the reason to standard error.
    #[expect(clippy::print_stderr, reason = "this is where reasons go")]
    pub fn print(&self) {
        eprintln!("flowtrail: {}", self.message);
    }
}

/// A text without what stands before the host in addresses.
#[must_use]
pub fn without_passwords(text: &str) -> String {
    let hidden = text.split("://").enumerate().map(|(index, part)| {
        let end = part.find(|c: char| c.is_whitespace() || c == '\'').unwrap_or(part.len());
        match part[..end].rfind('@').filter(|_| index > 0) {
            Some(at) => format!("***{}", &part[at..]),
            None => part.to_owned(),
        }
    });
    hidden.collect::<Vec<_>>().join("://")
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Says what was being done when an error came up.
pub(crate) trait Doing<T> {
    /// `what` failed, and why.
    fn doing(self, what: impl Display) -> Result<T, Failure>;

    /// The argument `flag` cannot be used, and why.
    fn argument(self, flag: impl Display) -> Result<T, Failure>;
}

impl<T, E: Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format_args!("{what}: {error}")))
    }

    fn argument(self, flag: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::bad_argument(format_args!("{flag}: {error}")))
    }
}

impl From<TrackerError> for Failure {
    fn from(error: TrackerError) -> Self {
        match error {
            // What a command hands to the tracker comes from its arguments.
            TrackerError::Invalid { field, message } => {
                Self::bad_argument(format_args!("{}: {message}", argument_of(&field)))
            }
            other => Self::new(other),
        }
    }
}

/// The argument that stands for a field at the terminal.
fn argument_of(field: &str) -> &str {
    match field {
        "name" => "NAME",
        "expiresAt" => "--expires",
        "page" => "--page",
        other => other,
    }
}

impl From<flowtrail_store::StoreError> for Failure {
    fn from(error: flowtrail_store::StoreError) -> Self {
        Self::new(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Secret(_)
            | ConfigError::Database(_)
            | ConfigError::NoOrigin(_)
            | ConfigError::MemoryTooSmall { .. }
            | ConfigError::DiskTooSmall
            | ConfigError::DiskOnPostgres => Self::bad_argument(error),
            ConfigError::Read { .. }
            | ConfigError::File { .. }
            | ConfigError::SecretNotText(_)
            | ConfigError::Upstream(_)
            | ConfigError::NoDataDir => Self::new(error),
        }
    }
}
