//! The TypeScript client: its types are those of the description, its tests run in Node against a real server.

use std::path::PathBuf;
use std::process::Command;

use crate::command::{cargo, has_program, program, skipped, target};
use crate::debian;

/// Where it is.
const FOLDER: &str = "clients/typescript";

/// The least version of Node that the client runs in, and the one that is brought where there is an older one.
const NODE: (u32, &str) = (20, "node@20.19.5");

/// Checks the types and runs the tests. Says loudly what it lacks.
pub(crate) fn test() -> Result<(), String> {
    let path = match bring_node() {
        Ok(path) => path,
        Err(reason) => {
            skipped("the TypeScript client", &reason);
            return Ok(());
        }
    };
    npm(&["ci", "--no-audit", "--no-fund", "--silent"], &path)?;
    npm(&["run", "--silent", "check"], &path)?;
    cargo(&["build", "--package", "flowtrail"])?;
    let binary: PathBuf = target().join("debug").join("flowtrail");
    let variables = [path, vec![("FLOWTRAIL_BIN", binary.display().to_string())]].concat();
    npm(&["test", "--silent"], &variables)
}

/// Writes the types anew, after the description has changed.
pub(crate) fn types() -> Result<(), String> {
    let path = bring_node()?;
    npm(&["ci", "--no-audit", "--no-fund", "--silent"], &path)?;
    npm(&["run", "--silent", "types"], &path)
}

type Variables = Vec<(&'static str, String)>;

fn npm(arguments: &[&str], variables: &[(&str, String)]) -> Result<(), String> {
    program("npm", &[&["--prefix", FOLDER], arguments].concat(), variables)
}

/// Makes sure that there is a Node which is new enough, and gives the variables by which it is found.
fn bring_node() -> Result<Variables, String> {
    if !(has_program("node") && has_program("npm")) {
        debian::install(&["nodejs", "npm"])?;
    }
    let (least, package) = NODE;
    if version().is_some_and(|version| version >= least) {
        return Ok(Vec::new());
    }
    // Distributions have older ones; npm has any.
    let folder = target().join("node").display().to_string();
    program("npm", &["--prefix", &folder, "install", "--no-audit", "--no-fund", "--silent", package], &[])?;
    let path = std::env::var("PATH").unwrap_or_default();
    Ok(vec![("PATH", format!("{folder}/node_modules/.bin:{path}"))])
}

/// The major version of the Node that is there.
fn version() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
