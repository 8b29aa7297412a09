//! The store in memory passes the suite.

use flowtrail_store::MemoryStore;
use flowtrail_store::conformance::Subject;

flowtrail_store::conformance_suite!(|| Subject::new(MemoryStore::new(), ()));
