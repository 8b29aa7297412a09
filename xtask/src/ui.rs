//! The web UI: its types are checked, and it is tried in a real browser against a real server.

use crate::command::{binary, cargo, has_program, skipped, target};
use crate::debian;
use crate::node::{self, Variables, npm};

/// Where its tests are.
const FOLDER: &str = "crates/flowtrail/tests/ui";

/// By which names Chromium goes.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Checks the types and runs the tests. Says loudly what it lacks.
pub(crate) fn test() -> Result<(), String> {
    let Some(variables) = bring()? else { return Ok(()) };
    npm(FOLDER, &["run", "--silent", "check"], &variables)?;
    match browser() {
        Ok(browser) => {
            let variables = [variables, vec![("FLOWTRAIL_CHROMIUM", browser)]].concat();
            npm(FOLDER, &["test", "--silent"], &variables)
        }
        Err(reason) => {
            skipped("the web UI in a browser", &reason);
            Ok(())
        }
    }
}

/// Makes a picture of each page, in a folder that is not kept.
pub(crate) fn screenshots() -> Result<(), String> {
    let Some(variables) = bring()? else { return Ok(()) };
    let variables = [variables, vec![("FLOWTRAIL_CHROMIUM", browser()?)]].concat();
    // Names and payloads in other scripts are shown as they are, and not as boxes.
    let fonts = ["fonts-dejavu-core", "fonts-droid-fallback", "fonts-noto-color-emoji"];
    if let Err(reason) = debian::install(&fonts) {
        skipped("the fonts of other scripts", &reason);
    }
    npm(FOLDER, &["run", "--silent", "screenshots"], &variables)
}

/// Measures, with the release build.
pub(crate) fn bench(arguments: &[&str]) -> Result<(), String> {
    cargo(&["build", "--release", "--package", "flowtrail"])?;
    let path = node::bring()?;
    node::install(FOLDER, &path)?;
    let binary = target().join("release").join("flowtrail").display().to_string();
    let told = vec![("FLOWTRAIL_BIN", binary), ("FLOWTRAIL_CHROMIUM", browser()?)];
    npm(FOLDER, &[&["run", "--silent", "bench", "--"], arguments].concat(), &[path, told].concat())
}

/// Node, the packages, and the program; none where there is no Node.
fn bring() -> Result<Option<Variables>, String> {
    let path = match node::bring() {
        Ok(path) => path,
        Err(reason) => {
            skipped("the web UI", &reason);
            return Ok(None);
        }
    };
    node::install(FOLDER, &path)?;
    cargo(&["build", "--package", "flowtrail"])?;
    Ok(Some([path, vec![("FLOWTRAIL_BIN", binary())]].concat()))
}

/// The path of Chromium, which is installed where that can be done.
fn browser() -> Result<String, String> {
    if let Ok(told) = std::env::var("FLOWTRAIL_CHROMIUM") {
        return Ok(told);
    }
    let found = || BROWSERS.into_iter().find(|name| has_program(name)).and_then(path_of);
    if let Some(path) = found() {
        return Ok(path);
    }
    debian::install(&["chromium", "fonts-dejavu-core"])?;
    found().ok_or_else(|| "Chromium was installed and cannot be started".to_owned())
}

/// Where a program is.
fn path_of(name: &str) -> Option<String> {
    let folders = std::env::var_os("PATH")?;
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())?;
    Some(found.display().to_string())
}
