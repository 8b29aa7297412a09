//! `cargo xtask vendor`: browser libraries, unmodified, from npm packages; and the check that they are what was brought.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::command::{program, root};

/// Where the libraries are, each in a folder with the name of its package, beside the list of them.
const FOLDER: &str = "crates/flowtrail-http/vendor";
const LIST: &str = "vendor.toml";

/// A package, and the files of it that are kept.
struct Package {
    name: String,
    version: String,
    /// Each with its checksum.
    files: Vec<(String, String)>,
}

fn folder() -> PathBuf {
    root().join(FOLDER)
}

fn packages(text: &str) -> Result<Vec<Package>, String> {
    let list: Table = text.parse().map_err(|error| format!("{LIST}: {error}"))?;
    let packages = list.get("package").and_then(Value::as_array).cloned().unwrap_or_default();
    let package = |value: &Value| {
        let text = |name: &str| {
            let found = value.get(name).and_then(Value::as_str);
            found.map(str::to_owned).ok_or_else(|| format!("{LIST}: a package has no {name}"))
        };
        // Said of every package, for whoever reads the list.
        text("licence")?;
        text("why")?;
        let files = value.get("sha256").and_then(Value::as_table).cloned().unwrap_or_default();
        let files = files.into_iter().map(|(name, sum)| (name, sum.as_str().unwrap_or_default().to_owned()));
        Ok(Package { name: text("name")?, version: text("version")?, files: files.collect() })
    };
    packages.iter().map(package).collect()
}

fn checksum(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut sum = String::new();
    for byte in Sha256::digest(&bytes) {
        let _ = write!(sum, "{byte:02x}");
    }
    Ok(sum)
}

/// Brings the files of every package of the list, and writes their checksums there.
pub(crate) fn run() -> Result<(), String> {
    let list = folder().join(LIST);
    let mut text = fs::read_to_string(&list).map_err(|error| format!("{LIST}: {error}"))?;
    for package in packages(&text)? {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let there = place.path().display().to_string();
        let wanted = format!("{}@{}", package.name, package.version);
        program("npm", &["pack", "--silent", "--pack-destination", &there, &wanted], &[])?;
        let packed = format!(
            "{there}/{}-{}.tgz",
            package.name.trim_start_matches('@').replace('/', "-"),
            package.version
        );
        program("tar", &["--extract", "--file", &packed, "--directory", &there], &[])?;
        let folder = folder().join(&package.name);
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        for (name, before) in &package.files {
            let from = place.path().join("package").join(name);
            let to = folder.join(name);
            fs::create_dir_all(to.parent().unwrap_or(&folder)).map_err(|error| error.to_string())?;
            fs::copy(&from, &to).map_err(|error| format!("{wanted}: {name}: {error}"))?;
            let now = checksum(&from)?;
            // Within its own package: another one may have a file of the same name.
            let at = text.find(&format!("name = \"{}\"", package.name)).unwrap_or(0);
            let line = |sum: &str| format!("\"{name}\" = \"{sum}\"");
            let rest = text.split_off(at);
            text += &rest.replacen(&line(before), &line(&now), 1);
        }
    }
    fs::write(&list, text).map_err(|error| format!("{LIST}: {error}"))
}

/// Adds what is not as it was brought.
pub(crate) fn check(wrong: &mut Vec<String>) -> Result<(), String> {
    let text = fs::read_to_string(folder().join(LIST)).map_err(|error| format!("{LIST}: {error}"))?;
    for package in packages(&text)? {
        for (name, expected) in &package.files {
            let shown = format!("{FOLDER}/{}/{name}", package.name);
            match checksum(&folder().join(&package.name).join(name)) {
                Ok(sum) if sum == *expected => {}
                Ok(_) => wrong.push(format!("{shown} is not what `cargo xtask vendor` brought")),
                Err(reason) => wrong.push(reason),
            }
        }
    }
    Ok(())
}
