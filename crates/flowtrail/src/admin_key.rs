//! The file `admin.key` with the first administrator's key, which only its owner may read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use flowtrail_store_diesel::private;

/// The file's name, in the data folder.
pub(crate) const FILE: &str = "admin.key";

/// Writes a key for its owner alone, or returns the one that is there already. The file appears whole or not at all, whenever
/// the process dies and however many start at once.
///
/// # Errors
///
/// When the system refuses, or as [`check`].
pub(crate) fn keep(path: &Path, key: &str) -> io::Result<String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    private::make_folder(folder)?;
    // Temporary files are made with mode 0600.
    let mut file = tempfile::Builder::new().prefix("admin.key.").tempfile_in(folder)?;
    file.write_all(format!("{key}\n").as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key.to_owned()),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
            let mut key = String::new();
            let mut file = File::open(path)?;
            protect(path, &file)?;
            file.read_to_string(&mut key)?;
            Ok(key.trim().to_owned())
        }
        Err(failed) => Err(failed.error),
    }
}

/// Takes the right to read an existing file from everybody but its owner.
///
/// # Errors
///
/// When others can read the file and it belongs to another user.
pub(crate) fn check(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => protect(path, &file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn protect(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let about = file.metadata()?;
    match finding(about.mode(), about.uid(), rustix::process::geteuid().as_raw()) {
        Finding::Private => Ok(()),
        Finding::Open => {
            file.set_permissions(PermissionsExt::from_mode(0o600))?;
            log::warn!(
                "{} could be read by other users; it is now private. Replace the key if somebody may have read it",
                path.display()
            );
            Ok(())
        }
        Finding::OfAnother => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "other users can read it, and it belongs to one of them: remove it, or give it to the user that runs Flowtrail",
        )),
    }
}

#[cfg(not(unix))]
fn protect(_path: &Path, _file: &File) -> io::Result<()> {
    Ok(())
}

/// The state of a key file.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Private,
    /// Others can read it, and this process can change that.
    Open,
    /// Others can read it, and another user owns it.
    OfAnother,
}

#[cfg(unix)]
fn finding(mode: u32, owner: u32, own: u32) -> Finding {
    if mode & 0o077 == 0 {
        Finding::Private
    } else if owner == own {
        Finding::Open
    } else {
        Finding::OfAnother
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_others_can_read_is_touched() {
        assert_eq!(finding(0o100_600, 7, 7), Finding::Private);
        assert_eq!(finding(0o100_400, 8, 0), Finding::Private, "root may run commands on a service's data");
        assert_eq!(finding(0o100_640, 7, 7), Finding::Open);
        assert_eq!(finding(0o100_604, 7, 7), Finding::Open);
        assert_eq!(finding(0o100_644, 8, 7), Finding::OfAnother);
        assert_eq!(finding(0o100_644, 8, 0), Finding::OfAnother);
    }
}
