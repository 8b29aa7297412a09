//! A copy of a SQLite database while it is in use.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use flowtrail_store::StoreError;

use super::backend::{self, Conn};
use crate::Finding;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Copies the database at `from`. One read transaction sees it as it was when it began; those who write are not kept
/// waiting. The copy has its final name only when it is whole, checked and on disk.
pub(super) fn copy(from: &Path, to: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<(), StoreError> {
    let failed = StoreError::NoCopy;
    if to.exists() {
        return Err(failed(format!(
            "{} is there already: name a new file, or remove it first",
            to.display()
        )));
    }
    let name = to.file_name().ok_or_else(|| failed(format!("{} is no name of a file", to.display())))?;
    let mut partial = std::ffi::OsString::from(".");
    partial.push(name);
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = to.with_file_name(partial);
    let result = write(from, &partial, progress)
        .and_then(|()| check(&partial))
        .and_then(|()| publish(&partial, to).map_err(|error| failed(format!("{}: {error}", to.display()))));
    if let Err(error) = std::fs::remove_file(&partial)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!("cannot remove {}: {error}", partial.display());
    }
    result
}

fn write(from: &Path, partial: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<(), StoreError> {
    backend::make_private(partial)
        .map_err(|error| StoreError::NoCopy(format!("cannot write {}: {error}", partial.display())))?;
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                progress(std::fs::metadata(partial).map_or(0, |file| file.len()));
                std::thread::park_timeout(TELL_EVERY);
            }
        });
        let mut conn = Conn::establish(&from.to_string_lossy()).map_err(|error| StoreError::Unavailable {
            reason: format!("cannot open {}: {error}", from.display()),
            source: Some(Box::new(error)),
        })?;
        let quoted = partial.to_string_lossy().replace('\'', "''");
        let copied = conn.batch_execute(&format!("PRAGMA busy_timeout = 5000; VACUUM INTO '{quoted}';"));
        is_done.store(true, Ordering::Relaxed);
        copied.map_err(backend::translate)
    })
}

fn check(partial: &Path) -> Result<(), StoreError> {
    #[derive(QueryableByName)]
    struct Finding {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let mut conn = Conn::establish(&partial.to_string_lossy()).map_err(|error| StoreError::Unavailable {
        reason: format!("the copy does not open: {error}"),
        source: Some(Box::new(error)),
    })?;
    let finding: Finding =
        diesel::sql_query("PRAGMA integrity_check(1)").get_result(&mut conn).map_err(backend::translate)?;
    if finding.integrity_check == "ok" {
        Ok(())
    } else {
        let reason = format!("the copy is not sound: {}", finding.integrity_check);
        Err(StoreError::Internal { reason, source: None })
    }
}

/// Tells what SQLite finds to be broken in a file.
pub(crate) fn check_file(path: &Path, found: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let mut conn = backend::open_existing(&path.to_path_buf())?;
    let lines: Result<Vec<Line>, _> = diesel::sql_query("PRAGMA integrity_check").load(&mut conn);
    match lines {
        Ok(lines) => {
            let broken = lines.into_iter().map(|line| line.integrity_check).filter(|line| line != "ok");
            broken.for_each(|line| found(Finding::File(line)));
            Ok(())
        }
        Err(error) => match backend::translate(error) {
            StoreError::Damaged { reason, .. } => {
                found(Finding::File(reason));
                Ok(())
            }
            other => Err(other),
        },
    }
}

/// Brings the copy to the disk, and gives it its name unless somebody else took that meanwhile.
pub(super) fn publish(partial: &Path, to: &Path) -> std::io::Result<()> {
    File::open(partial)?.sync_all()?;
    std::fs::hard_link(partial, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
