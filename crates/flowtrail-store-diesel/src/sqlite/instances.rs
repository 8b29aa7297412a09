//! Processes that run executions on a SQLite file.

use std::sync::atomic::Ordering;

use diesel::prelude::*;
use flowtrail_store::{InstanceStore, StoreError};
use flowtrail_types::InstanceId;
use time::OffsetDateTime;

use super::backend;
use super::shared::{DieselStore, instances};
use crate::columns::{At, Id};

impl InstanceStore for DieselStore {
    fn register(&self, id: InstanceId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.own().liveness.show(id)?;
        self.write(|conn, _| {
            diesel::insert_into(instances::table)
                .values((instances::id.eq(Id(*id.as_uuid())), instances::started_at.eq(At(at))))
                .on_conflict_do_nothing()
                .execute(conn)?;
            let there: i64 = instances::table.count().get_result(conn)?;
            self.own().has_company.store(there > 1, Ordering::Relaxed);
            Ok(())
        })
    }

    fn list_dead(&self) -> Result<Vec<InstanceId>, StoreError> {
        let registered: Vec<Id> = instances::table
            .select(instances::id)
            .order(instances::id)
            .load(&mut *self.reader()?)
            .map_err(backend::translate)?;
        self.own().has_company.store(registered.len() > 1, Ordering::Relaxed);
        let mut dead = Vec::new();
        for Id(uuid) in registered {
            let id = InstanceId::from_uuid(uuid);
            match self.own().liveness.is_alive(id) {
                Ok(true) => {}
                Ok(false) => dead.push(id),
                // Of one that cannot be looked at nothing is known: it counts as alive, and hides no other.
                Err(error) => log::warn!("whether {id} lives cannot be told: {error}"),
            }
        }
        Ok(dead)
    }

    fn forget(&self, id: InstanceId) -> Result<(), StoreError> {
        self.write(|conn, _| {
            diesel::delete(instances::table.find(Id(*id.as_uuid()))).execute(conn)?;
            Ok(())
        })?;
        self.own().liveness.forget(id);
        Ok(())
    }

    fn release(&self, id: InstanceId) -> Result<(), StoreError> {
        self.own().liveness.release(id);
        Ok(())
    }
}
