//! The accessor, its connections, and the processes that use it.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::r2d2::{ConnectionManager, PooledConnection};
use flowtrail_store::{
    AuditStore, ExecutionStore, FlowStore, InstanceStore, KeyStore, PoolState, Store, StoreError, TokenStore,
    Upkeep, UserStore,
};
use flowtrail_types::ExecutionId;

use super::Schema;
use super::backend::{self, Address, Conn, Own, Purpose, Readers};
use super::prune::Settled;
use super::statistics::{Slots, StatsWriter};
use crate::DatabaseUrl;

/// A store in a database.
///
/// One connection writes, behind a lock, so that the writers of this process queue up here instead of polling
/// the database's lock; a few others read.
pub struct DieselStore {
    url: DatabaseUrl,
    address: Address,
    writer: Mutex<Writer>,
    readers: Readers,
    own: Own,
    /// Executions whose rows are corrupt, so that their data cannot be packed.
    unpackable: Mutex<BTreeSet<ExecutionId>>,
    /// How far this process has come with counting what a prune of all has deleted.
    settled: Mutex<Option<Settled>>,
}

/// The connection that writes, and what is known of what it wrote.
struct Writer {
    /// Absent while the database is away.
    conn: Option<Conn>,
    stats: StatsWriter,
}

impl DieselStore {
    /// Opens a database, making it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when it cannot be opened or is none;
    /// [`StoreError::Schema`] when a newer version made it, or a migration fails.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let address = backend::address(url)?;
        let mut schema = Schema::open(&address)?;
        if schema.only_reads()? {
            log::error!("the disk is full: what is there can be read, and nothing can be written");
            schema.check()?;
        } else {
            for migration in schema.up()? {
                log::info!("applied migration {migration}");
            }
        }
        Self::with(url, address, schema)
    }

    /// Opens a database whose schema must be current already.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`StoreError::Schema`] when migrations are missing.
    pub fn open_without_migrating(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let address = backend::address(url)?;
        let mut schema = Schema::open_existing(&address)?;
        schema.check()?;
        Self::with(url, address, schema)
    }

    fn with(url: &DatabaseUrl, address: Address, mut schema: Schema) -> Result<Self, StoreError> {
        // It is there now: what stands beside it is looked for beside the file itself, and not beside a link to it.
        let address = backend::resolved(&address)?;
        let own = Own::open(&address, schema.only_reads()?)?;
        Ok(Self {
            url: url.clone(),
            writer: Mutex::new(Writer {
                conn: Some(unflushed(schema.into_connection())?),
                stats: StatsWriter::default(),
            }),
            readers: backend::open_readers(&address, &own)?,
            own,
            address,
            unpackable: Mutex::default(),
            settled: Mutex::default(),
        })
    }

    /// Runs `work` as one transaction that writes. What it wrote is on disk when this returns.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&mut Conn, &mut StatsWriter) -> Result<T, WriteError>,
    ) -> Result<T, StoreError> {
        let done = self.write_unflushed(Purpose::Other, work)?;
        // Outside of the lock: while the disk takes this, others write.
        backend::flush(self)?;
        Ok(done)
    }

    /// The same for what decides who may do what, and leaves a mark of it for every process.
    pub(super) fn write_rules<T>(
        &self,
        work: impl FnOnce(&mut Conn, &mut StatsWriter) -> Result<T, WriteError>,
    ) -> Result<T, StoreError> {
        let done = self.write(work);
        // Also after a failure: it may have been written all the same.
        backend::mark_rules(&self.own);
        done
    }

    /// The same, but the disk may still have to take it.
    pub(crate) fn write_unflushed<T>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&mut Conn, &mut StatsWriter) -> Result<T, WriteError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.lock_writer();
        let Writer { conn, stats } = &mut *writer;
        stats.begin();
        // Taken out while it works: should the work panic, its transaction goes with the connection.
        let mut open = match conn.take() {
            Some(open) => open,
            None => {
                stats.forget_slot();
                backend::writer_is_new(&self.own);
                open_unflushed(&self.address)?
            }
        };
        if let Err(error) = backend::prepare(&mut open, &self.own, &self.address, purpose) {
            if backend::is_lost(&mut open, Some(&error)) {
                stats.forget_slot();
            } else {
                *conn = Some(open);
            }
            return Err(error);
        }
        let result =
            backend::write(&mut open, |conn| work(conn, stats)).map_err(WriteError::into_store_error);
        stats.settle(result.is_ok());
        backend::after_write(&self.own, &mut open, result.is_ok());
        if backend::is_lost(&mut open, result.as_ref().err()) {
            // The next write opens another one. What this one held in the database's locks is gone with it.
            stats.forget_slot();
        } else {
            *conn = Some(open);
        }
        result
    }

    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on the connection that writes, outside of a transaction.
    #[allow(dead_code, reason = "only one of the databases needs it")]
    pub(crate) fn on_writer<T>(
        &self,
        work: impl FnOnce(&mut Conn) -> diesel::QueryResult<T>,
    ) -> Result<T, StoreError> {
        let mut writer = self.lock_writer();
        let conn = match &mut writer.conn {
            Some(open) => open,
            closed => closed.insert(open_unflushed(&self.address)?),
        };
        work(conn).map_err(backend::translate)
    }

    /// A connection for reading.
    pub(crate) fn reader(&self) -> Result<PooledConnection<ConnectionManager<Conn>>, StoreError> {
        backend::checked_out(self.readers.get(), self.address())
    }

    /// The connections for reading.
    pub(crate) fn pool_state(&self) -> PoolState {
        let state = self.readers.state();
        PoolState { connections: state.connections, idle: state.idle_connections }
    }

    /// Reads what belongs together, in one snapshot.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut conn = self.reader()?;
        backend::snapshot(&mut conn, |conn| work(conn).map_err(WriteError::Store))
            .map_err(WriteError::into_store_error)
    }

    /// Where this process gets its place in the statistics from.
    pub(super) fn slots(&self) -> &impl Slots {
        &self.own
    }

    /// What this process has of its own in the database.
    pub(crate) fn own(&self) -> &Own {
        &self.own
    }

    /// The executions that were found to be corrupt when they were to be packed.
    pub(super) fn unpackable(&self) -> MutexGuard<'_, BTreeSet<ExecutionId>> {
        self.unpackable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far counting what a prune of all has deleted has come.
    pub(super) fn settled(&self) -> MutexGuard<'_, Option<Settled>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the database is.
    #[allow(dead_code, reason = "only one of the databases needs it")]
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }
}

/// Opens the connection that writes.
fn open_unflushed(address: &Address) -> Result<Conn, StoreError> {
    unflushed(backend::open_writer(address)?)
}

/// Makes a connection the one that writes: what it commits is flushed apart.
fn unflushed(mut conn: Conn) -> Result<Conn, StoreError> {
    backend::write_unflushed(&mut conn).map_err(backend::translate)?;
    Ok(conn)
}

impl Debug for DieselStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DieselStore").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a transaction was rolled back: the database failed, or the store's own rules refuse it.
pub(crate) enum WriteError {
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
    pub(crate) fn into_store_error(self) -> StoreError {
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

    fn tokens(&self) -> &dyn TokenStore {
        self
    }

    fn audit(&self) -> &dyn AuditStore {
        self
    }

    fn instances(&self) -> &dyn InstanceStore {
        self
    }

    fn upkeep(&self) -> &dyn Upkeep {
        self
    }

    fn check(&self) -> Result<(), StoreError> {
        // Asked of a connection of its own, so that a write that takes long does not look like a dead database.
        let mut schema = Schema::open_existing(&self.address)?;
        schema.check()?;
        backend::check_room(&mut schema.into_connection(), &self.own, &self.address)
    }

    fn foreign_changes(&self) -> Result<Option<i64>, StoreError> {
        backend::foreign_changes(self)
    }

    fn rules_mark(&self) -> Option<u64> {
        backend::rules_mark(&self.own)
    }

    fn content_mark(&self) -> Option<u64> {
        backend::content_mark(self)
    }
}
