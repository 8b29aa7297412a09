//! Processes that run executions, on PostgreSQL.

use std::sync::atomic::Ordering;

use diesel::prelude::*;
use flowtrail_store::{InstanceStore, StoreError};
use flowtrail_types::InstanceId;
use time::OffsetDateTime;

use super::backend;
use super::lease;
use super::shared::{DieselStore, instances};
use crate::columns::Id;

impl InstanceStore for DieselStore {
    fn register(&self, id: InstanceId, _at: OffsetDateTime) -> Result<(), StoreError> {
        // The database's clock, not this machine's.
        self.own().leases.hold(&mut *self.reader()?, id)?;
        look_for_company(self)
    }

    fn list_dead(&self) -> Result<Vec<InstanceId>, StoreError> {
        look_for_company(self)?;
        let may_judge = self.own().leases.may_judge();
        lease::run_out(&mut *self.reader()?, may_judge).map_err(backend::translate)
    }

    fn forget(&self, id: InstanceId) -> Result<(), StoreError> {
        self.own().leases.release(id);
        self.write(|conn, _| {
            diesel::delete(instances::table.find(Id(*id.as_uuid()))).execute(conn)?;
            Ok(())
        })
    }

    fn release(&self, id: InstanceId) -> Result<(), StoreError> {
        self.own().leases.release(id);
        // Who says so itself need not be waited for.
        self.write(|conn, _| {
            diesel::sql_query("UPDATE instances SET renewed_at = '-infinity' WHERE id = $1")
                .bind::<diesel::sql_types::Uuid, _>(Id(*id.as_uuid()))
                .execute(conn)?;
            Ok(())
        })
    }
}

/// Whether other processes are there, whom writes must be told.
fn look_for_company(store: &DieselStore) -> Result<(), StoreError> {
    let there: i64 =
        instances::table.count().get_result(&mut *store.reader()?).map_err(backend::translate)?;
    store.own().has_company.store(there > 1, Ordering::Relaxed);
    Ok(())
}
