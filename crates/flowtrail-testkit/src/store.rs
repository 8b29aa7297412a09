//! A store in a temporary folder.

use std::ops::Deref;
use std::path::Path;

use flowtrail_store_diesel::{DatabaseUrl, SqliteStore};
use tempfile::TempDir;

/// A SQLite store whose file goes away with it.
#[derive(Debug)]
pub struct TestStore {
    store: SqliteStore,
    folder: TempDir,
}

impl TestStore {
    /// The folder that the database is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The store alone, and the folder that must outlive it.
    #[must_use]
    pub fn into_parts(self) -> (SqliteStore, TempDir) {
        (self.store, self.folder)
    }
}

impl Deref for TestStore {
    type Target = SqliteStore;

    fn deref(&self) -> &SqliteStore {
        &self.store
    }
}

/// A fresh SQLite store.
///
/// # Panics
///
/// When it cannot be made.
#[must_use]
pub fn sqlite_store() -> TestStore {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    TestStore { store: SqliteStore::open(&url).expect("a fresh store opens"), folder }
}
