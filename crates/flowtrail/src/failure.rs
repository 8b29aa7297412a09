//! Why a command failed, for a person at a terminal.

use std::fmt::{self, Display};

/// Why a command failed: one line that says what happened and, where there is one, a hint at what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
}

impl Failure {
    /// A failure with this reason.
    #[must_use]
    pub fn new(message: impl Display) -> Self {
        Self { message: message.to_string() }
    }

    /// Writes the reason to standard error.
    #[expect(clippy::print_stderr, reason = "this is where reasons go")]
    pub fn print(&self) {
        eprintln!("flowtrail: {}", self.message);
    }
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
}

impl<T, E: Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format_args!("{what}: {error}")))
    }
}

impl From<flowtrail_tracker::TrackerError> for Failure {
    fn from(error: flowtrail_tracker::TrackerError) -> Self {
        Self::new(error)
    }
}

impl From<flowtrail_store::StoreError> for Failure {
    fn from(error: flowtrail_store::StoreError) -> Self {
        Self::new(error)
    }
}

impl From<crate::ConfigError> for Failure {
    fn from(error: crate::ConfigError) -> Self {
        Self::new(error)
    }
}
