//! The TypeScript client: its types are those of the description, its tests run in Node against a real server.

use crate::command::{binary, cargo, skipped};
use crate::node::{self, npm};

/// Where it is.
const FOLDER: &str = "clients/typescript";

/// Checks the types and runs the tests. Says loudly what it lacks.
pub(crate) fn test() -> Result<(), String> {
    let path = match node::bring() {
        Ok(path) => path,
        Err(reason) => {
            skipped("the TypeScript client", &reason);
            return Ok(());
        }
    };
    node::install(FOLDER, &path)?;
    npm(FOLDER, &["run", "--silent", "check"], &path)?;
    cargo(&["build", "--package", "flowtrail"])?;
    let variables = [path, vec![("FLOWTRAIL_BIN", binary())]].concat();
    npm(FOLDER, &["test", "--silent"], &variables)
}

/// Writes the types anew, after the description has changed.
pub(crate) fn types() -> Result<(), String> {
    let path = node::bring()?;
    node::install(FOLDER, &path)?;
    npm(FOLDER, &["run", "--silent", "types"], &path)
}
