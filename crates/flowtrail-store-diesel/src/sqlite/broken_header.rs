//! Databases that SQLite does not take for one because the beginning of the file is damaged.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use flowtrail_store::StoreError;

use super::backend::{self, Conn};
use super::shared::Schema;

/// The size of the pages of every database that Flowtrail makes.
const PAGE: usize = 4096;

/// The header, which is the beginning of the first page.
const HEADER: usize = 100;

/// A file that SQLite reads: the database itself, or else a copy at `repaired` with the beginning of a new database. The first
/// page tells where the tables begin, which is the same for all that one version made.
pub(super) fn readable(from: &Path, repaired: &Path) -> Result<PathBuf, StoreError> {
    if has_schema(from) {
        return Ok(from.to_path_buf());
    }
    let failed = |error: std::io::Error| StoreError::NoCopy(format!("{}: {error}", repaired.display()));
    let fresh = fresh_page(repaired).map_err(|error| StoreError::NoCopy(error.to_string()))?;
    for length in [HEADER, PAGE] {
        copy_with(from, repaired, &fresh[..length]).map_err(failed)?;
        if has_schema(repaired) {
            return Ok(repaired.to_path_buf());
        }
    }
    Err(StoreError::Damaged {
        reason: format!(
            "{}: neither its first page nor that of a new database leads to any table",
            from.display()
        ),
        source: None,
    })
}

/// True when the tables can be found.
fn has_schema(path: &Path) -> bool {
    let Ok(mut conn) = Conn::establish(&backend::read_only(path)) else { return false };
    let query = "SELECT count(version) FROM __diesel_schema_migrations";
    diesel::sql_query(query).execute(&mut conn).is_ok()
}

/// The first page of a new database.
fn fresh_page(path: &Path) -> Result<[u8; PAGE], StoreError> {
    let fresh = path.with_extension("fresh");
    let made = Schema::open(&fresh).and_then(|mut schema| schema.up()).and_then(|_| {
        let failed = |error: std::io::Error| StoreError::NoCopy(format!("{}: {error}", fresh.display()));
        let mut page = [0; PAGE];
        File::open(&fresh).and_then(|mut file| file.read_exact(&mut page)).map_err(failed)?;
        Ok(page)
    });
    for ending in ["fresh", "fresh-wal", "fresh-shm"] {
        drop(std::fs::remove_file(path.with_extension(ending)));
    }
    made
}

/// Copies a database and its log, with another beginning.
fn copy_with(from: &Path, to: &Path, beginning: &[u8]) -> std::io::Result<()> {
    backend::make_private(to)?;
    std::fs::copy(from, to)?;
    let log = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    if log(from).is_file() {
        backend::make_private(&log(to))?;
        std::fs::copy(log(from), log(to))?;
    }
    let mut file = OpenOptions::new().write(true).open(to)?;
    let pages = u32::try_from(file.metadata()?.len() / PAGE as u64).unwrap_or(u32::MAX);
    file.write_all(beginning)?;
    // The number of pages, and no list of free ones: that of a new database leads nowhere.
    file.seek(SeekFrom::Start(28))?;
    file.write_all(&pages.to_be_bytes())?;
    file.write_all(&[0; 8])?;
    Ok(())
}
