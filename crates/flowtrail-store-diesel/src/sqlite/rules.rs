//! How processes on one SQLite file know that a key, a token, a user or a flow has changed: each that changes one makes a
//! file beside the database longer by a byte, once it is written. Its length is asked for in a microsecond, where looking into
//! the database takes a hundred.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::own::Own;
use crate::private;

/// The file's name.
const FILE: &str = "rules.mark";

fn path(own: &Own) -> PathBuf {
    own.liveness.folder().join(FILE)
}

/// How often rules have changed; none when that is not known.
pub(crate) fn rules_mark(own: &Own) -> Option<u64> {
    let failed = own.unmarked.load(Ordering::Acquire);
    let file = own.rules.get_or_init(|| File::open(path(own)).ok()).as_ref()?;
    let about = file.metadata().ok().filter(is_there)?;
    Some(about.len() + failed)
}

/// Whether the file is the one that others write to: somebody may have removed it.
fn is_there(about: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(about) > 0;
    #[cfg(not(unix))]
    true
}

/// Leaves a mark. To be called when what was changed can be read.
pub(crate) fn mark_rules(own: &Own) {
    let append = || -> io::Result<()> {
        private::make_folder(own.liveness.folder())?;
        private::open(OpenOptions::new().create(true).append(true), &path(own))?.write_all(b".")
    };
    if let Err(error) = append() {
        // This process knows all the same. Others may trust what they know for no longer than a second.
        own.unmarked.fetch_add(1, Ordering::Release);
        log::warn!("{} cannot be written: {error}", path(own).display());
    }
}
