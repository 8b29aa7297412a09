//! The program that runs scripts as a process of its own.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A program that runs scripts when it is started: its `main` calls [`run_script_worker`](crate::run_script_worker) then.
///
/// It is opened once, so that all workers of a process are of one version, also while the file is replaced. Where the
/// system has no way to start an open file, it is started by its path.
#[derive(Debug, Clone)]
pub struct WorkerProgram {
    path: PathBuf,
    argument: OsString,
    /// Open as long as it may be started.
    _file: Arc<File>,
}

impl WorkerProgram {
    /// The program at this path, to be started with this argument.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(path: &Path, argument: impl Into<OsString>) -> io::Result<Self> {
        let file = Arc::new(File::open(path)?);
        Ok(Self { path: path_of(&file, path), argument: argument.into(), _file: file })
    }

    /// The command that starts it, with nothing of ours: no environment but the time zone, no files but its pipes.
    pub(super) fn command(&self) -> io::Result<(Command, io::PipeReader)> {
        let mut command = Command::new(&self.path);
        let (reader, writer) = io::pipe()?;
        command.arg(&self.argument).env_clear().stdin(Stdio::piped());
        // Whatever a library may print goes where it is refused, so that there is no third file.
        command.stdout(writer.try_clone()?).stderr(writer);
        if let Some(zone) = std::env::var_os("TZ") {
            command.env("TZ", zone);
        }
        #[cfg(unix)]
        {
            std::os::unix::process::CommandExt::arg0(&mut command, "flowtrail-script");
            command.current_dir("/");
        }
        Ok((command, reader))
    }
}

#[cfg(target_os = "linux")]
fn path_of(file: &File, _path: &Path) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(not(target_os = "linux"))]
fn path_of(_file: &File, path: &Path) -> PathBuf {
    path.to_path_buf()
}
