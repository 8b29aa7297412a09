//! Which database is meant.

use std::fmt::{self, Debug, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A database's address: `sqlite://PATH` or `postgres://…`. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A PostgreSQL database, as libpq takes it: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?…`.
    Postgres(String),
}

/// Why a text is no database's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// It has no scheme that is known.
    #[error("expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE, got {0:?}")]
    Scheme(String),
    /// It names no file.
    #[error("sqlite:// must be followed by the path of a file, for example sqlite:///var/lib/flowtrail.db")]
    NoPath,
}

impl DatabaseUrl {
    /// The file that a SQLite database is in.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
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
            Self::Postgres(address) => {
                let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", address));
                // Options may hold a password as well, and what stands before the host always may.
                let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
                let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                write!(f, "{scheme}://{host}")
            }
        }
    }
}

impl Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
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
        for text in ["postgres://ana:hunter2@h:5432/db", "postgresql://ana:hun@ter2@h/db?password=hunter2"] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert!(matches!(&url, DatabaseUrl::Postgres(address) if address == text));
            let shown = format!("{url} {url:?}");
            assert!(shown.contains("@h") || shown.contains("://h"), "{shown}");
            assert!(!shown.contains("hunter2") && !shown.contains("ter2"), "{shown}");
        }
        let mysql = error("mysql://root:hunter2@h/db").to_string();
        assert!(mysql.contains("mysql") && !mysql.contains("hunter2"), "{mysql}");
    }
}
