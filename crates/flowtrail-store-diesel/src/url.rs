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
    #[error("expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE, got {0}")]
    Scheme(&'static str),
    /// It could be read in several ways.
    #[error(
        "a character in its user name, password or options must be percent-encoded: @ is %40, / is %2F, \
         ? is %3F, : is %3A, [ is %5B and % is %25"
    )]
    NotEncoded,
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
            // libpq would show what it takes for a host or an option, which may be a part of the password.
            return if is_clear(text) {
                Ok(Self::Postgres(text.to_owned()))
            } else {
                Err(InvalidDatabaseUrl::NotEncoded)
            };
        }
        match text.strip_prefix("sqlite://") {
            Some("") => Err(InvalidDatabaseUrl::NoPath),
            Some(path) => Ok(Self::Sqlite(PathBuf::from(path))),
            // The text may hold a password, also in the place of a scheme.
            None => Err(InvalidDatabaseUrl::Scheme(other_scheme(text))),
        }
    }
}

/// The scheme of another kind of database, if it is one; other text is not shown.
fn other_scheme(text: &str) -> &'static str {
    const KNOWN: [&str; 8] =
        ["mysql://", "mariadb://", "mssql://", "mongodb://", "redis://", "file://", "http://", "https://"];
    let known = KNOWN.iter().find(|scheme| text.starts_with(**scheme));
    known.copied().unwrap_or(if text.contains("://") { "another scheme" } else { "no scheme" })
}

/// Whether everybody who reads an address takes the same parts of it for the user, the password, the host and the options.
fn is_clear(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let (before, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = before.split_once('/').unwrap_or((before, ""));
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let are_options = options.is_empty()
        || options.split('&').all(|option| {
            option.split_once('=').is_some_and(|(name, value)| is_name(name) && is_encoded(value))
        });
    !user.contains(['@', '[', ']'])
        && !text.contains(char::is_whitespace)
        && !path.contains('@')
        && is_encoded(user)
        && are_options
}

/// Whether each percent sign begins a byte.
fn is_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00")
    })
}

/// What must not be shown of an address: its passwords, as they are written and as they are meant, and that of the environment.
pub(crate) fn passwords(address: &str) -> Vec<String> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (before, options) = rest.split_once('?').unwrap_or((rest, ""));
    let user = before.rsplit_once('@').map_or("", |(user, _)| user);
    let of_user = user.split_once(':').map(|(_, password)| password);
    let of_options = options.split('&').filter_map(|option| {
        option.split_once('=').filter(|(name, _)| name.contains("password")).map(|(_, value)| value)
    });
    let written: Vec<String> = of_user.into_iter().chain(of_options).map(str::to_owned).collect();
    let meant = written.iter().map(|password| decoded(password)).collect::<Vec<_>>();
    let mut all: Vec<String> =
        written.into_iter().chain(meant).chain(std::env::var("PGPASSWORD").ok()).collect();
    // Shorter ones stand in every other word.
    all.retain(|password| password.len() >= 3);
    all.sort_by_key(|password| std::cmp::Reverse(password.len()));
    all.dedup();
    all
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => bytes.extend_from_slice(part.as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
        for text in [
            "postgres://ana:hunter2@h:5432/db",
            "postgresql://ana:hun%40ter2@h/db?password=hunter2",
            "postgres://h/db?password=hunter2&sslmode=disable",
            "postgres://ana:a:hunter2@[::1]:5432/db",
            "postgres:///db?host=/run/postgresql",
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert!(matches!(&url, DatabaseUrl::Postgres(address) if address == text));
            let shown = format!("{url} {url:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("ter2"), "{shown}");
        }
        let mysql = error("mysql://root:hunter2@h/db").to_string();
        assert!(mysql.contains("mysql") && !mysql.contains("hunter2"), "{mysql}");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_without_a_word_of_it() {
        for text in [
            "postgres://ana:hun@ter2@h/db",
            "postgres://ana:hun/ter2@h/db",
            "postgres://ana:hun?ter2@h/db",
            "postgres://ana:hun%zzter2@h/db",
            "postgres://ana:hun%00ter2@h/db",
            "postgres://ana:hun[ter2@h/db",
            "postgres://ana:hun ter2@h/db",
            "postgres://h/db?password=hun%ter2",
            "postgres://h/db?hunter2",
            "hunter2://h/db",
            "host=h password=hun://ter2",
            "ana:hunter2://h",
        ] {
            let refused = text.parse::<DatabaseUrl>().unwrap_err();
            let shown = format!("{refused} {refused:?}");
            assert!(!shown.contains("hun") && !shown.contains("ter2"), "{text}: {shown}");
        }
    }

    #[test]
    fn passwords_are_known_in_all_their_forms() {
        let found = passwords("postgres://ana:hun%40ter2@h/db?sslpassword=other&x=y");
        for password in ["hun%40ter2", "hun@ter2", "other"] {
            assert!(found.iter().any(|one| one == password), "{password}: {found:?}");
        }
        assert!(passwords("postgres://ana@h/db").iter().all(|one| one != "ana"));
    }
}
