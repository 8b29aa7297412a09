//! What keeps a test from its database.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io;

/// Why there is no server or no database. Its text is complete: the cause does not have to be printed too.
#[derive(Debug)]
#[non_exhaustive]
pub enum PostgresError {
    /// No PostgreSQL server is installed, or not all programs of it.
    NotInstalled,
    /// The system refused something.
    System {
        /// What was to be done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program of PostgreSQL failed, or did not end in time.
    Failed {
        /// What was run.
        what: String,
        /// What it said; for a server the last lines of its log.
        said: String,
    },
    /// The address of a server cannot be understood.
    InvalidUrl {
        /// The address.
        url: String,
    },
}

impl PostgresError {
    pub(super) fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing: doing.into(), source }
    }
}

impl Display for PostgresError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled => f.write_str(
                "no PostgreSQL server is installed; install it, for example: apt-get install postgresql",
            ),
            Self::System { doing, source } => write!(f, "{doing}: {source}"),
            Self::Failed { what, said } => write!(f, "{what}\n{said}"),
            Self::InvalidUrl { url } => {
                write!(
                    f,
                    "`{url}` is no address of a PostgreSQL server, such as postgres://user@127.0.0.1/postgres"
                )
            }
        }
    }
}

impl Error for PostgresError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            Self::NotInstalled | Self::Failed { .. } | Self::InvalidUrl { .. } => None,
        }
    }
}
