//! `cargo xtask openapi`: writes the API's description, which the documentation keeps, and the client's types by it.

use std::fs;
use std::process::{Command, Stdio};

use crate::client;
use crate::command::root;

/// Where it is kept.
const KEPT: &str = "docs/openapi.json";

pub(crate) fn run() -> Result<(), String> {
    let printed = Command::new("cargo")
        .args(["run", "--quiet", "--package", "flowtrail", "--", "openapi"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !printed.status.success() {
        return Err("`flowtrail openapi` failed".to_owned());
    }
    fs::write(root().join(KEPT), printed.stdout).map_err(|error| format!("{KEPT}: {error}"))?;
    println!("{KEPT} is current");
    client::types()
}
