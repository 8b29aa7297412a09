//! A database of a test's own.

use std::io::Write;
use std::sync::OnceLock;

use super::folder::random;
use super::programs::Psql;
use super::{PostgresError, PostgresServer, PostgresServerBuilder};

/// Holds the address of a server in which tests make their databases, instead of starting one.
const SERVER: &str = "FLOWTRAIL_TEST_POSTGRES";

/// Set to 1, a test fails where it could not have a database.
const REQUIRED: &str = "FLOWTRAIL_TEST_POSTGRES_REQUIRED";

/// A fresh database. It is dropped with its value, if its server still runs.
#[derive(Debug)]
pub struct TestDatabase {
    psql: Psql,
    server: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// Makes a database in a server, told by the address of another database.
    pub(super) fn create(psql: Psql, server: &str) -> Result<Self, PostgresError> {
        let name = format!("flowtrail_test_{:016x}", random());
        let url = with_database(server, &name)?;
        // From template0, because nobody can be connected to it: that would keep it from being copied.
        psql.query(server, &format!("create database {name} template template0 encoding 'UTF8'"))?;
        Ok(Self { psql, server: server.to_owned(), name, url })
    }

    /// Its address: `postgres://…`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // The server may have ended before, and the database with it.
        let _ = self.psql.query(&self.server, &format!("drop database if exists {} with (force)", self.name));
    }
}

/// An empty database for one test, or `None` where no PostgreSQL is installed, which is said on standard error.
///
/// It is made in the server whose address the variable `FLOWTRAIL_TEST_POSTGRES` holds, otherwise in one that this
/// process starts for all its tests.
///
/// # Panics
///
/// When there is a server and it gives no database. When there is none and the variable
/// `FLOWTRAIL_TEST_POSTGRES_REQUIRED` is 1.
#[must_use]
pub fn test_database() -> Option<TestDatabase> {
    // Never dropped: it ends with the process.
    static OWN: OnceLock<Result<PostgresServer, PostgresError>> = OnceLock::new();
    let created = match std::env::var(SERVER) {
        Ok(url) if !url.is_empty() => Psql::find().and_then(|psql| TestDatabase::create(psql, &url)),
        _ => match OWN.get_or_init(PostgresServer::start) {
            Ok(server) => server.create_database(),
            Err(PostgresError::NotInstalled) => Err(PostgresError::NotInstalled),
            Err(error) => panic!("no server for the tests of this process: {error}"),
        },
    };
    unless_not_installed(created)
}

/// A server for one test, which may end it, or `None` where no PostgreSQL is installed, which is said on standard
/// error.
///
/// # Panics
///
/// When the server does not start. When none is installed and the variable `FLOWTRAIL_TEST_POSTGRES_REQUIRED` is 1.
#[must_use]
pub fn test_server(builder: PostgresServerBuilder) -> Option<PostgresServer> {
    unless_not_installed(builder.start())
}

/// What a test asked for, or `None` and a line on standard error where it may go without.
fn unless_not_installed<T>(tried: Result<T, PostgresError>) -> Option<T> {
    let is_required = std::env::var(REQUIRED).is_ok_and(|value| value == "1");
    match tried {
        Ok(value) => Some(value),
        Err(error @ PostgresError::NotInstalled) if !is_required => {
            let thread = std::thread::current();
            // Not by `eprintln!`, which the test runner keeps to itself as long as the test does not fail.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {}: {error}", thread.name().unwrap_or("a test"));
            None
        }
        Err(error) => panic!("no PostgreSQL for this test: {error}"),
    }
}

/// The address of another database in the same server.
fn with_database(url: &str, name: &str) -> Result<String, PostgresError> {
    let invalid = || PostgresError::InvalidUrl { url: url.to_owned() };
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    if !["postgres", "postgresql"].contains(&scheme) {
        return Err(invalid());
    }
    let (place, parameters) = match rest.find('?') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (authority, _) = place.split_once('/').unwrap_or((place, ""));
    Ok(format!("{scheme}://{authority}/{name}{parameters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_a_server_keeps_the_rest_of_the_address() {
        for (server, expected) in [
            ("postgres://127.0.0.1", "postgres://127.0.0.1/x"),
            ("postgres://me:word@host:5433/postgres", "postgres://me:word@host:5433/x"),
            ("postgresql://host/a?sslmode=require", "postgresql://host/x?sslmode=require"),
            ("postgres:///a?host=/run/postgresql", "postgres:///x?host=/run/postgresql"),
        ] {
            assert_eq!(with_database(server, "x").unwrap(), expected, "for {server}");
        }
        for wrong in ["", "sqlite://a.db", "host=127.0.0.1"] {
            assert!(
                matches!(with_database(wrong, "x"), Err(PostgresError::InvalidUrl { .. })),
                "for {wrong}"
            );
        }
    }
}
