//! The program that runs scripts for a test server: the binary `flowtrail`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use flowtrail_runner::WorkerProgram;

/// The variable that names the binary, where it is not among what cargo built.
const VARIABLE: &str = "FLOWTRAIL_BINARY";

/// The worker program: the binary that the variable names, or that cargo built beside the test, or builds now. None where
/// there is none, as in a workspace that only depends on the test kit: scripts run in the test's process then.
pub(crate) fn script_worker() -> Option<WorkerProgram> {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let binary = BINARY.get_or_init(|| named().or_else(beside).or_else(built)).as_ref()?;
    WorkerProgram::open(binary, "script-worker").ok()
}

fn named() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// Tests stand in `deps`, binaries above it.
fn beside() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let binary = test.parent()?.parent()?.join(format!("flowtrail{}", std::env::consts::EXE_SUFFIX));
    binary.is_file().then_some(binary)
}

fn built() -> Option<PathBuf> {
    let cargo = std::env::var_os("CARGO")?;
    let status = Command::new(cargo).args(["build", "--quiet", "--package", "flowtrail"]).status();
    status.ok().filter(std::process::ExitStatus::success).and_then(|_| beside())
}
