//! Databases to measure on.

use std::path::Path;

use flowtrail_store::Store;
use flowtrail_store_diesel::testing::{PostgresServer, TestDatabase};
use flowtrail_store_diesel::{DatabaseUrl, open_store};
use rusqlite::Connection;

use crate::options::Databases;
use crate::system;

/// A kind of database, and where new ones are made.
#[derive(Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres(PostgresServer),
}

impl Engine {
    /// Those that are asked for and there.
    pub(crate) fn all(wanted: Databases) -> Vec<Self> {
        let mut engines = Vec::new();
        if wanted != Databases::Postgres {
            engines.push(Self::Sqlite);
        }
        if wanted != Databases::Sqlite {
            // As PostgreSQL comes, but for the port: what is committed is on disk.
            let server = PostgresServer::builder().durable(true).setting("shared_buffers", "128MB").start();
            match server {
                Ok(server) => engines.push(Self::Postgres(server)),
                Err(error) => {
                    let line = "═".repeat(80);
                    println!("{line}\n  SKIPPED: every measurement on PostgreSQL: {error}\n{line}");
                }
            }
        }
        engines
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// A new one, with the schema.
    pub(crate) fn create(&self) -> Database {
        let database = match self {
            Self::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
                Database { url, _held: Held::Folder { _folder: folder } }
            }
            Self::Postgres(server) => {
                let database = server.create_database().expect("a database");
                let url = DatabaseUrl::Postgres(database.url().to_owned());
                Database { url, _held: Held::Database { _database: database } }
            }
        };
        drop(database.open());
        database
    }

    /// Seconds that the database's own processes have computed; SQLite has none.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(server) => system::family_cpu_seconds(postmaster(server)?),
        }
    }
}

fn postmaster(server: &PostgresServer) -> Option<u32> {
    let text = std::fs::read_to_string(server.folder().join("data/postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// A database, which goes with its value unless it is somebody's.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    _held: Held,
}

#[derive(Debug)]
enum Held {
    Folder { _folder: tempfile::TempDir },
    Database { _database: TestDatabase },
    Somebodys,
}

impl Database {
    /// The one at an address.
    pub(crate) fn named(url: DatabaseUrl) -> Self {
        Self { url, _held: Held::Somebodys }
    }

    /// The file at a path.
    pub(crate) fn kept(path: &Path) -> Self {
        Self::named(DatabaseUrl::Sqlite(path.to_path_buf()))
    }

    pub(crate) fn open(&self) -> Box<dyn Store> {
        open_store(&self.url, true).expect("a store")
    }

    /// Bytes on disk, with all that was written in its place.
    pub(crate) fn settled_bytes(&self, store: &dyn Store) -> u64 {
        if let DatabaseUrl::Sqlite(path) = &self.url {
            let conn = Connection::open(path).expect("the file opens");
            conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
        }
        store.upkeep().bytes_on_disk().expect("it tells")
    }

    /// A number that a query gives, asked past the store.
    pub(crate) fn number(&self, query: &str) -> i64 {
        match &self.url {
            DatabaseUrl::Sqlite(path) => {
                let conn = Connection::open(path).expect("the file opens");
                conn.busy_timeout(std::time::Duration::from_secs(5)).expect("it waits");
                conn.query_row(query, [], |row| row.get(0)).expect("a number")
            }
            DatabaseUrl::Postgres(address) => {
                let mut client = postgres::Client::connect(address, postgres::NoTls).expect("a connection");
                client.query_one(query, &[]).expect("a number").get(0)
            }
        }
    }
}
