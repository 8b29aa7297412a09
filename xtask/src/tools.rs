//! What some tests need besides a Rust toolchain: curl, and Python with packages.

use std::path::PathBuf;

use crate::command::{has_program, program, skipped, target};
use crate::debian;

/// Where the tests find Python with those packages. Without it they leave out what needs it.
const PYTHON: &str = "FLOWTRAIL_TEST_PYTHON";

/// The packages, each with its version: those of an example, and schemathesis.
const REQUIREMENTS: [&str; 2] =
    ["docs/recording/requirements.txt", "crates/flowtrail/tests/schemathesis/requirements.txt"];

/// Brings the tools, and gives the variables by which the tests find them. Says loudly what cannot be brought.
pub(crate) fn bring() -> Vec<(&'static str, String)> {
    if !has_program("curl") && debian::install(&["curl"]).is_err() {
        skipped("the example for curl", "install curl");
    }
    match python() {
        Ok(path) => vec![(PYTHON, path.display().to_string())],
        Err(reason) => {
            skipped("the example for Python, and schemathesis", &reason);
            Vec::new()
        }
    }
}

/// The environment of those packages.
fn python() -> Result<PathBuf, String> {
    environment("python", &REQUIREMENTS)
}

/// An environment of its own below the target folder, so that nothing else is touched, with these packages. Gives the
/// path of its Python.
pub(crate) fn environment(name: &str, requirements: &[&str]) -> Result<PathBuf, String> {
    let folder = target().join(name);
    let python = folder.join("bin").join("python");
    let folder_path = folder.clone();
    let folder = folder.display().to_string();
    let make = || program("python3", &["-m", "venv", "--clear", &folder], &[]);
    // Without the package that brings pip a half of it is made.
    let has_pip = folder_path.join("bin").join("pip").exists();
    if !has_pip && make().is_err() {
        debian::install(&["python3", "python3-venv"])?;
        make()?;
    }
    let path = python.display().to_string();
    let mut install = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    for file in requirements {
        install.extend(["--requirement", file]);
    }
    program(&path, &install, &[])?;
    Ok(python)
}
