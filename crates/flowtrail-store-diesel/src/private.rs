//! Folders and files that only their owner may use, whatever the umask of the process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a folder, and those above it that are missing, with mode 0700.
///
/// # Errors
///
/// When the system refuses.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a file, and makes it with mode 0600 if the options say that it may be made.
///
/// # Errors
///
/// When the system refuses.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

/// Takes every right on a folder or file of this process's user from everybody else. Earlier versions left some to the umask.
pub(crate) fn close_to_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let Ok(about) = std::fs::metadata(path) else { return };
        let mode = about.permissions().mode();
        if mode & 0o077 != 0
            && let Err(error) = std::fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o700))
        {
            log::warn!("{} is open to other users, and stays so: {error}", path.display());
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}
