//! Running other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Runs `cargo` at the top of the workspace, saying so.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    println!("── cargo {}", arguments.join(" "));
    let status = Command::new("cargo")
        .args(arguments)
        .current_dir(root())
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`cargo {}` failed", arguments.join(" "))) }
}

/// Whether `cargo` has a subcommand.
pub(crate) fn has(subcommand: &str) -> bool {
    Command::new("cargo")
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Says that something was not done, so that nobody can miss it.
pub(crate) fn skipped(what: &str, how: &str) {
    println!("── SKIPPED: {what} ({how})");
}
