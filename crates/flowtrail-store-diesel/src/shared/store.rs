//! The accessor, its connections, and the processes that use it.

use std::fmt::{self, Debug};
use std::sync::{Mutex, PoisonError};

use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, PooledConnection};
use flowtrail_store::{ExecutionStore, FlowStore, InstanceStore, KeyStore, Store, StoreError, UserStore};
use flowtrail_types::InstanceId;
use time::OffsetDateTime;

use super::Schema;
use super::backend::{self, Conn, Liveness, Readers};
use super::schema::instances;
use crate::DatabaseUrl;
use crate::columns::{At, Id};

/// A store in a database.
///
/// One connection writes, behind a lock, so that the writers of this process queue up here instead of polling
/// the database's lock; a few others read.
pub struct DieselStore {
    url: DatabaseUrl,
    writer: Mutex<Conn>,
    readers: Readers,
    liveness: Liveness,
}

impl DieselStore {
    /// Opens a database, making it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when the file cannot be opened or is no database;
    /// [`StoreError::Schema`] when a newer version made it, or a migration fails.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let mut schema = Schema::open(url)?;
        for migration in schema.up()? {
            log::info!("applied migration {migration}");
        }
        Self::with(url, schema)
    }

    /// Opens a database whose schema must be current already.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`StoreError::Schema`] when migrations are missing.
    pub fn open_without_migrating(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let mut schema = Schema::open_existing(url)?;
        schema.check()?;
        Self::with(url, schema)
    }

    fn with(url: &DatabaseUrl, schema: Schema) -> Result<Self, StoreError> {
        Ok(Self {
            url: url.clone(),
            writer: Mutex::new(schema.into_connection()),
            readers: backend::open_readers(url.path())?,
            // Whatever name the file was reached by, all who have it open must find each other.
            liveness: Liveness::beside(&backend::real_path(url.path())?),
        })
    }

    /// Runs `work` as one transaction that writes.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, WriteError>,
    ) -> Result<T, StoreError> {
        let mut conn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        backend::write(&mut conn, work).map_err(WriteError::into_store_error)
    }

    /// A connection for reading.
    pub(super) fn reader(&self) -> Result<PooledConnection<ConnectionManager<Conn>>, StoreError> {
        self.readers.get().map_err(|error| StoreError::Busy(Some(Box::new(error))))
    }
}

impl Debug for DieselStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DieselStore").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a transaction was rolled back: the database failed, or the store's own rules refuse it.
pub(super) enum WriteError {
    Diesel(diesel::result::Error),
    Store(StoreError),
}

impl From<diesel::result::Error> for WriteError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Diesel(error)
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl WriteError {
    fn into_store_error(self) -> StoreError {
        match self {
            Self::Diesel(error) => backend::translate(error),
            Self::Store(error) => error,
        }
    }
}

impl Store for DieselStore {
    fn executions(&self) -> &dyn ExecutionStore {
        self
    }

    fn flows(&self) -> &dyn FlowStore {
        self
    }

    fn users(&self) -> &dyn UserStore {
        self
    }

    fn keys(&self) -> &dyn KeyStore {
        self
    }

    fn instances(&self) -> &dyn InstanceStore {
        self
    }

    fn check(&self) -> Result<(), StoreError> {
        // Asked of a connection of its own, so that a write that takes long does not look like a dead database.
        Schema::open_existing(&self.url)?.check()
    }

    fn foreign_changes(&self) -> Result<Option<i64>, StoreError> {
        let mut conn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        backend::foreign_changes(&mut conn).map_err(backend::translate)
    }
}

impl InstanceStore for DieselStore {
    fn register(&self, id: InstanceId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.liveness.show(id)?;
        self.write(|conn| {
            diesel::insert_into(instances::table)
                .values((instances::id.eq(Id(*id.as_uuid())), instances::started_at.eq(At(at))))
                .on_conflict_do_nothing()
                .execute(conn)?;
            Ok(())
        })
    }

    fn list_dead(&self) -> Result<Vec<InstanceId>, StoreError> {
        let registered: Vec<Id> = instances::table
            .select(instances::id)
            .order(instances::id)
            .load(&mut *self.reader()?)
            .map_err(backend::translate)?;
        let mut dead = Vec::new();
        for Id(uuid) in registered {
            let id = InstanceId::from_uuid(uuid);
            match self.liveness.is_alive(id) {
                Ok(true) => {}
                Ok(false) => dead.push(id),
                // Of one that cannot be looked at nothing is known: it counts as alive, and hides no other.
                Err(error) => log::warn!("whether {id} lives cannot be told: {error}"),
            }
        }
        Ok(dead)
    }

    fn forget(&self, id: InstanceId) -> Result<(), StoreError> {
        self.write(|conn| {
            diesel::delete(instances::table.find(Id(*id.as_uuid()))).execute(conn)?;
            Ok(())
        })?;
        self.liveness.forget(id);
        Ok(())
    }

    fn release(&self, id: InstanceId) -> Result<(), StoreError> {
        self.liveness.release(id);
        Ok(())
    }
}
