//! Node and npm, which the TypeScript client and the tests of the web UI run in.

use std::process::Command;

use crate::command::{has_program, program, target};
use crate::debian;

/// The least version of Node that is needed, and the one that is brought where there is an older one.
const NODE: (u32, &str) = (20, "node@20.19.5");

/// The variables by which it is found.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// Runs npm in a folder.
pub(crate) fn npm(folder: &str, arguments: &[&str], variables: &[(&str, String)]) -> Result<(), String> {
    program("npm", &[&["--prefix", folder], arguments].concat(), variables)
}

/// Installs what a folder needs, in the versions of its lock.
pub(crate) fn install(folder: &str, variables: &[(&str, String)]) -> Result<(), String> {
    npm(folder, &["ci", "--no-audit", "--no-fund", "--silent"], variables)
}

/// Makes sure that there is a Node which is new enough, and gives the variables by which it is found.
pub(crate) fn bring() -> Result<Variables, String> {
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
