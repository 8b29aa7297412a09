//! `cargo xtask tidy`: the rules of the house that no compiler knows.

mod documentation;
mod edges;
mod lengths;

use std::path::{Path, PathBuf};

use crate::command::root;
use crate::vendor;

/// Checks everything and says all that is wrong.
pub(crate) fn run() -> Result<(), String> {
    println!("── tidy");
    let root = root();
    let mut wrong = Vec::new();
    edges::check(&root, &mut wrong)?;
    vendor::check(&mut wrong)?;
    let sources = rust_files(&root)?;
    for path in &sources {
        let shown = path.strip_prefix(&root).unwrap_or(path).display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        lengths::check(&shown, &text, &mut wrong);
        documentation::check(&shown, &text, &mut wrong);
    }
    if wrong.is_empty() {
        println!("   {} files are tidy", sources.len());
        return Ok(());
    }
    for line in &wrong {
        println!("   {line}");
    }
    Err(format!("{} things are not tidy", wrong.len()))
}

/// Every Rust file of the workspace.
fn rust_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("xtask")];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
