//! What a PostgreSQL database takes.

use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use flowtrail_store::{Job, PoolState, StorageSize, Store, StoreError, TableSize, Upkeep};
use flowtrail_types::StatsQuery;

use super::backend::{self, Conn};
use super::shared::DieselStore;

#[derive(QueryableByName)]
struct Part {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = BigInt)]
    free: i64,
}

/// The tables of the schema with their indexes, and how much of them is of rows that are gone. The server keeps count of
/// those; how large they were is taken from the others of their table.
const TABLES: &str = "SELECT c.relname::text AS name, pg_total_relation_size(c.oid) AS bytes, \
     coalesce((pg_total_relation_size(c.oid) * s.n_dead_tup::numeric \
         / nullif(s.n_live_tup + s.n_dead_tup, 0))::bigint, 0) AS free \
     FROM pg_class AS c LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid \
     WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 2 DESC";

fn tables(conn: &mut Conn) -> QueryResult<Vec<TableSize>> {
    let parts: Vec<Part> = diesel::sql_query(TABLES).load(conn)?;
    let bytes = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(parts
        .into_iter()
        .map(|part| TableSize { name: part.name, bytes: bytes(part.bytes), free: bytes(part.free) })
        .collect())
}

/// Why the size on disk cannot be bounded here.
const NO_CEILING: &str = "the size of a PostgreSQL database cannot be bounded by deleting: its files do not shrink, and its log \
     is shared. Use a retention rule by bytes instead, which bounds the data of the executions";

/// About what an execution takes besides its data, with all indexes and its share of the statistics.
const ROW_BYTES: i64 = 1_000;

impl Upkeep for DieselStore {
    fn pool(&self) -> Option<PoolState> {
        Some(self.pool_state())
    }

    fn lead(&self, job: Job) -> Result<bool, StoreError> {
        self.own().lead(job)
    }

    fn size(&self) -> Result<StorageSize, StoreError> {
        let tables = tables(&mut *self.reader()?).map_err(backend::translate)?;
        Ok(StorageSize {
            bytes: tables.iter().map(|table| table.bytes).sum(),
            reclaimable: tables.iter().map(|table| table.free).sum(),
            tables,
            how: "autovacuum makes what is free usable for new rows; VACUUM FULL gives it back to the file system, and \
                  keeps everybody waiting meanwhile",
        })
    }

    fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        Ok(tables(&mut *self.reader()?).map_err(backend::translate)?.iter().map(|table| table.bytes).sum())
    }

    fn bytes_in_use(&self) -> Result<u64, StoreError> {
        // From the counters, which know of a deletion at once: the server's own count of dead rows comes later, and whoever
        // made room by it would not know when to stop.
        let tally = self.executions().tally(&StatsQuery::of_all())?;
        let in_use = tally.bytes + tally.total() * ROW_BYTES;
        Ok(u64::try_from(in_use).unwrap_or(0))
    }

    fn bytes_to_give_back(&self) -> Result<u64, StoreError> {
        // Autovacuum's work.
        Ok(0)
    }

    fn set_ceiling(&self, _bytes: u64) -> Result<(), StoreError> {
        Err(StoreError::NoCeiling(NO_CEILING))
    }

    fn give_back(&self, _most: u64) -> Result<u64, StoreError> {
        // Autovacuum's work.
        Ok(0)
    }

    fn backup(&self, _to: &Path, _progress: &(dyn Fn(u64) + Sync)) -> Result<(), StoreError> {
        Err(StoreError::NoCopy(
            "a PostgreSQL database is copied by its own tools: pg_dump --format=custom --file=FILE \
                     DATABASE_URL, or pg_basebackup for the whole server"
                .to_owned(),
        ))
    }
}
