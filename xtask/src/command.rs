//! Running other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where what is built stands.
pub(crate) fn target() -> PathBuf {
    let told = std::env::var_os("CARGO_TARGET_DIR");
    root().join(told.map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

/// Where the debug build of the program stands.
pub(crate) fn binary() -> String {
    target().join("debug").join("flowtrail").display().to_string()
}

/// Runs `cargo` at the top of the workspace, saying so.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    program("cargo", arguments, &[])
}

/// Runs a program at the top of the workspace, with more variables, saying so.
pub(crate) fn program(name: &str, arguments: &[&str], variables: &[(&str, String)]) -> Result<(), String> {
    let line = format!("{name} {}", arguments.join(" "));
    println!("── {line}");
    let status = Command::new(name)
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(root())
        .status()
        .map_err(|error| format!("{name} cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed")) }
}

/// Whether a program can be run.
pub(crate) fn has_program(name: &str) -> bool {
    runs(Command::new(name).arg("--version"))
}

/// Whether `cargo` has a subcommand.
pub(crate) fn has(subcommand: &str) -> bool {
    runs(Command::new("cargo").args([subcommand, "--version"]))
}

fn runs(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Says that something was not done, so that nobody can miss it.
pub(crate) fn skipped(what: &str, how: &str) {
    println!("── SKIPPED: {what} ({how})");
}
