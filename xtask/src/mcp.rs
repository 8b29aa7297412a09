//! Other people's MCP servers, clients and conformance suite, as they are, against Flowtrail.

use crate::command::{binary, cargo, skipped};
use crate::node::{self, npm};
use crate::tools;

/// Where the tests are.
const FOLDER: &str = "crates/flowtrail/tests/mcp";
/// The clients and servers that are Python's.
const REQUIREMENTS: [&str; 1] = ["crates/flowtrail/tests/mcp/requirements.txt"];

/// Brings what they need and runs them. Says loudly what it lacks.
pub(crate) fn test() -> Result<(), String> {
    let path = match node::bring() {
        Ok(path) => path,
        Err(reason) => {
            skipped("other people's MCP servers and clients", &reason);
            return Ok(());
        }
    };
    node::install(FOLDER, &path)?;
    cargo(&["build", "--package", "flowtrail"])?;
    let mut variables = [path, vec![("FLOWTRAIL_BIN", binary())]].concat();
    let python = tools::environment("python-mcp", &REQUIREMENTS);
    match python.as_ref().map(|python| python.parent()) {
        Ok(Some(folder)) => variables.push(("FLOWTRAIL_MCP_PYTHON", folder.display().to_string())),
        Ok(None) => skipped("MCP servers and clients of Python", "its path has no folder"),
        Err(reason) => skipped("MCP servers and clients of Python", reason),
    }
    npm(FOLDER, &["test", "--silent"], &variables)
}
