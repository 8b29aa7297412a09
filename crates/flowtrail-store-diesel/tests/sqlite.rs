//! The store on SQLite passes the suite.

use flowtrail_store::conformance::Subject;
use flowtrail_store_diesel::{DatabaseUrl, SqliteStore};

fn fresh() -> Subject {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    Subject::new(SqliteStore::open(&url).expect("a fresh store opens"), folder)
}

flowtrail_store::conformance_suite!(fresh);
