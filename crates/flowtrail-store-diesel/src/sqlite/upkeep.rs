//! What a SQLite file takes, and how it is kept within bounds.

use std::path::Path;
use std::sync::atomic::Ordering;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use flowtrail_store::{Job, PoolState, StorageSize, StoreError, TableSize, Upkeep};

use super::backend::{self, Conn};
use super::backup;
use super::log;
use super::room;
use super::shared::DieselStore;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

pub(super) fn number(conn: &mut Conn, pragma: &str) -> QueryResult<u64> {
    let row: Number =
        diesel::sql_query(format!("SELECT {pragma} AS value FROM pragma_{pragma}")).get_result(conn)?;
    Ok(u64::try_from(row.value).unwrap_or(0))
}

fn file_size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// How much of a ceiling is left to the log: as much as some batches take before they are moved to the database.
fn log_share(ceiling: u64) -> u64 {
    (ceiling / 4).min(64 << 20)
}

/// Before a write: moves the log to the database when it has grown to half of its share of the ceiling, which is 0 where
/// there is none, or to more than the disk has room for.
pub(super) fn keep_log_small(conn: &mut Conn, path: &Path, ceiling: u64) {
    let size = file_size(&log::path_of(path));
    let by_ceiling = if ceiling > 0 { log_share(ceiling) / 2 } else { u64::MAX };
    if size > by_ceiling.min(room::log_limit(path, size))
        && let Err(error) = move_log(conn)
    {
        ::log::debug!("the log cannot be moved yet: {error}");
    }
}

/// Moves as much of the log as can be moved now, and cuts it off. A reader may hold the rest back for long, such as a copy
/// that is being made; it is not waited for, since the next write tries again.
pub(super) fn move_log(conn: &mut Conn) -> QueryResult<()> {
    #[derive(QueryableByName)]
    struct Timeout {
        #[diesel(sql_type = BigInt)]
        timeout: i64,
    }
    let Timeout { timeout } = diesel::sql_query("PRAGMA busy_timeout").get_result(conn)?;
    let moved = conn.batch_execute("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)");
    conn.batch_execute(&format!("PRAGMA busy_timeout = {timeout}"))?;
    moved
}

/// Bounds the pages of the file, for a connection that writes.
pub(super) fn bound_pages(conn: &mut Conn, ceiling: u64) -> QueryResult<()> {
    let page_size = number(conn, "page_size")?;
    let pages = (ceiling - log_share(ceiling)) / page_size.max(1);
    conn.batch_execute(&format!("PRAGMA max_page_count = {}", pages.max(1)))
}

#[derive(QueryableByName)]
struct Part {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = BigInt)]
    free: i64,
}

impl Upkeep for DieselStore {
    fn pool(&self) -> Option<PoolState> {
        Some(self.pool_state())
    }

    fn lead(&self, job: Job) -> Result<bool, StoreError> {
        self.own().lead(job)
    }

    fn size(&self) -> Result<StorageSize, StoreError> {
        let conn = &mut *self.reader()?;
        let parts: Vec<Part> = diesel::sql_query(
            "SELECT coalesce(m.tbl_name, s.name) AS name, sum(s.pgsize) AS bytes, sum(s.unused) AS free \
             FROM dbstat AS s LEFT JOIN sqlite_master AS m ON m.name = s.name \
             WHERE s.aggregate = TRUE GROUP BY 1 ORDER BY 2 DESC",
        )
        .load(conn)
        .map_err(backend::translate)?;
        let bytes = |value: i64| u64::try_from(value).unwrap_or(0);
        let tables = parts
            .into_iter()
            .map(|part| TableSize { name: part.name, bytes: bytes(part.bytes), free: bytes(part.free) })
            .collect();
        let free_pages = number(conn, "freelist_count").map_err(backend::translate)?;
        let page_size = number(conn, "page_size").map_err(backend::translate)?;
        Ok(StorageSize {
            tables,
            bytes: self.bytes_on_disk()?,
            reclaimable: free_pages * page_size,
            how: "freed pages are given back to the file system by incremental vacuum, in the background",
        })
    }

    fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        let path = self.address();
        Ok(file_size(path) + file_size(&log::path_of(path)))
    }

    fn bytes_in_use(&self) -> Result<u64, StoreError> {
        let conn = &mut *self.reader()?;
        let used = |conn: &mut Conn| -> QueryResult<u64> {
            let pages = number(conn, "page_count")?.saturating_sub(number(conn, "freelist_count")?);
            Ok(pages * number(conn, "page_size")?)
        };
        used(conn).map_err(backend::translate)
    }

    fn bytes_to_give_back(&self) -> Result<u64, StoreError> {
        let conn = &mut *self.reader()?;
        let free = |conn: &mut Conn| Ok(number(conn, "freelist_count")? * number(conn, "page_size")?);
        free(conn).map_err(backend::translate)
    }

    fn set_ceiling(&self, bytes: u64) -> Result<(), StoreError> {
        self.own().ceiling.store(bytes, Ordering::Relaxed);
        self.on_writer(|conn| bound_pages(conn, bytes))
    }

    fn give_back(&self, most: u64) -> Result<u64, StoreError> {
        self.on_writer(|conn| {
            let page_size = number(conn, "page_size")?.max(1);
            let free = number(conn, "freelist_count")?;
            let pages = (most / page_size).min(free);
            if pages == 0 {
                return Ok(0);
            }
            conn.batch_execute(&format!("PRAGMA incremental_vacuum({pages})"))?;
            Ok(free.saturating_sub(number(conn, "freelist_count")?) * page_size)
        })
    }

    fn settle(&self) -> Result<u64, StoreError> {
        let before = self.bytes_on_disk()?;
        if file_size(&log::path_of(self.address())) == 0 {
            return Ok(0);
        }
        // The file shrinks only when the log, which says so, is moved to it. One that a reader holds back is left alone.
        self.on_writer(move_log)?;
        log::moved(self);
        Ok(before.saturating_sub(self.bytes_on_disk()?))
    }

    fn backup(&self, to: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<(), StoreError> {
        backup::copy(self.address(), to, progress)
    }
}
