//! The TypeScript client: its types are those of the description, its tests run in Node against a real server.

use std::path::PathBuf;

use crate::command::{cargo, has_program, program, root, skipped, target};
use crate::debian;

/// Where it is.
const FOLDER: &str = "clients/typescript";

/// Checks the types and runs the tests. Says loudly what it lacks.
pub(crate) fn test() -> Result<(), String> {
    if let Err(reason) = bring_node() {
        skipped("the TypeScript client", &reason);
        return Ok(());
    }
    npm(&["ci", "--no-audit", "--no-fund", "--silent"])?;
    npm(&["run", "--silent", "check"])?;
    cargo(&["build", "--package", "flowtrail"])?;
    let binary: PathBuf = target().join("debug").join("flowtrail");
    let variables = [("FLOWTRAIL_BIN", binary.display().to_string())];
    program("npm", &["--prefix", FOLDER, "test", "--silent"], &variables)
}

/// Writes the types anew, after the description has changed.
pub(crate) fn types() -> Result<(), String> {
    bring_node()?;
    npm(&["ci", "--no-audit", "--no-fund", "--silent"])?;
    npm(&["run", "--silent", "types"])
}

fn npm(arguments: &[&str]) -> Result<(), String> {
    program("npm", &[&["--prefix", FOLDER], arguments].concat(), &[])
}

fn bring_node() -> Result<(), String> {
    if !root().join(FOLDER).join("package.json").exists() {
        return Err(format!("there is no {FOLDER}"));
    }
    if has_program("node") && has_program("npm") {
        return Ok(());
    }
    debian::install(&["nodejs", "npm"])
}
