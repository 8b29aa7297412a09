//! Which database is meant.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A database's address: `sqlite://PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
}

/// Why a text is no database's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// It names a database that this version does not have.
    #[error("this version of Flowtrail has no {0}; use sqlite://PATH")]
    NotSupported(&'static str),
    /// It has no scheme that is known.
    #[error("expected sqlite://PATH, got {0:?}")]
    Scheme(String),
    /// It names no file.
    #[error("sqlite:// must be followed by the path of a file, for example sqlite:///var/lib/flowtrail.db")]
    NoPath,
}

impl DatabaseUrl {
    /// The file that the database is in.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Sqlite(path) => path,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Err(InvalidDatabaseUrl::NotSupported("PostgreSQL"));
        }
        match text.strip_prefix("sqlite://") {
            Some("") => Err(InvalidDatabaseUrl::NoPath),
            Some(path) => Ok(Self::Sqlite(PathBuf::from(path))),
            // The text may hold a password, so no more than its scheme is shown.
            None => Err(InvalidDatabaseUrl::Scheme(
                text.split_once("://").map_or("no scheme", |(scheme, _)| scheme).to_owned(),
            )),
        }
    }
}

impl Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_decides() {
        let url: DatabaseUrl = "sqlite:///tmp/x.db".parse().unwrap();
        assert_eq!(url, DatabaseUrl::Sqlite(PathBuf::from("/tmp/x.db")));
        assert_eq!(url.to_string(), "sqlite:///tmp/x.db");
        let error = |text: &str| text.parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(error("sqlite://"), InvalidDatabaseUrl::NoPath);
        assert_eq!(error("postgres://h/db"), InvalidDatabaseUrl::NotSupported("PostgreSQL"));
        let mysql = error("mysql://root:hunter2@h/db").to_string();
        assert!(mysql.contains("mysql") && !mysql.contains("hunter2"), "{mysql}");
    }
}
