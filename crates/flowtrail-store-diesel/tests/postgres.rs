//! The store on PostgreSQL passes the suite. Without an installed server nothing is tested, which is said aloud.

use flowtrail_store::MemoryStore;
use flowtrail_store::conformance::Subject;
use flowtrail_store_diesel::{PostgresStore, testing};

fn fresh() -> Subject {
    let Some(database) = testing::test_database() else { return Subject::new(MemoryStore::new(), ()) };
    let url = database.url().parse().expect("a database's address");
    Subject::new(PostgresStore::open(&url).expect("a fresh store opens"), database)
}

flowtrail_store::conformance_suite!(fresh);
