//! Which crate may use which. The design's arrows, as a list: what does not stand here is not allowed.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

/// A crate, the crates of ours that it may use, and those that only its tests may use.
const EDGES: &[(&str, &[&str], &[&str])] = &[
    ("flowtrail-types", &[], &[]),
    ("flowtrail-store", &["types"], &["store"]),
    ("flowtrail-store-diesel", &["store", "types"], &["store-diesel"]),
    ("flowtrail-tracker", &["store", "types"], &["store-diesel"]),
    ("flowtrail-runner", &["tracker", "types"], &["store"]),
    ("flowtrail-mcp", &["runner", "tracker", "types"], &["store"]),
    ("flowtrail-http", &["mcp", "runner", "tracker", "types"], &["store"]),
    (
        "flowtrail",
        &["http", "mcp", "runner", "store", "store-diesel", "tracker", "types"],
        &["store-diesel", "testkit"],
    ),
    (
        "flowtrail-testkit",
        &["flowtrail", "http", "mcp", "runner", "store", "store-diesel", "tracker", "types"],
        &[],
    ),
    ("xtask", &[], &[]),
];

/// A library, and the crates that may name it: the edges of the layers.
const LIBRARIES: &[(&str, &[&str])] = &[
    // The program only in its benchmark: the bare stack beside which it is measured.
    ("actix-web", &["flowtrail-http", "flowtrail", "flowtrail-testkit"]),
    ("rmcp-actix-web", &["flowtrail-http", "flowtrail"]),
    ("rmcp", &["flowtrail-mcp", "flowtrail", "flowtrail-testkit"]),
    ("diesel", &["flowtrail-store-diesel"]),
    ("diesel_migrations", &["flowtrail-store-diesel"]),
    ("pq-sys", &["flowtrail-store-diesel"]),
    ("zstd", &["flowtrail-store", "flowtrail-runner"]),
    ("libsqlite3-sys", &["flowtrail-store-diesel", "flowtrail"]),
    ("rquickjs", &["flowtrail-runner"]),
    ("clap", &["flowtrail"]),
];

pub(super) fn check(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let mut found = BTreeSet::new();
    let crates = std::fs::read_dir(root.join("crates")).map_err(|error| format!("crates: {error}"))?;
    let mut folders = vec![root.join("xtask")];
    for entry in crates {
        folders.push(entry.map_err(|error| error.to_string())?.path());
    }
    folders.sort();
    for folder in folders {
        let path = folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let manifest: Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
        let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        let folder_name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name != Some(&folder_name) {
            wrong.push(format!("{folder_name}: the folder's name is not the crate's"));
        }
        check_crate(&folder_name, &manifest, wrong);
        found.insert(folder_name);
    }
    for (name, ..) in EDGES.iter().filter(|(name, ..)| !found.contains(*name)) {
        wrong.push(format!("{name}: the design has this crate, the workspace has not"));
    }
    Ok(())
}

fn check_crate(name: &str, manifest: &Table, wrong: &mut Vec<String>) {
    let opts_in =
        manifest.get("lints").and_then(|lints| lints.get("workspace")) == Some(&Value::Boolean(true));
    if !opts_in {
        wrong.push(format!("{name}: does not opt into the workspace's lints ([lints] workspace = true)"));
    }
    let Some((_, uses, tests_use)) = EDGES.iter().find(|(known, ..)| *known == name) else {
        wrong.push(format!("{name}: the design has no such crate"));
        return;
    };
    for (table, is_test) in
        [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
    {
        let Some(Value::Table(dependencies)) = manifest.get(table) else { continue };
        for (dependency, declared) in dependencies {
            let from_workspace = declared.get("workspace") == Some(&Value::Boolean(true));
            if !from_workspace {
                wrong.push(format!("{name}: {dependency} must take its version from the workspace"));
            }
            let is_ours = dependency.starts_with("flowtrail");
            let short = dependency.strip_prefix("flowtrail-").unwrap_or(dependency);
            let allowed = uses.contains(&short) || (is_test && tests_use.contains(&short));
            if is_ours && !allowed {
                wrong.push(format!("{name}: must not use {dependency} ({table})"));
            }
            if let Some((_, users)) = LIBRARIES.iter().find(|(library, _)| library == dependency)
                && !users.contains(&name)
            {
                wrong.push(format!("{name}: must not name {dependency}; that is for {}", users.join(", ")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_with(name: &str, manifest: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        check_crate(name, &manifest.parse().unwrap(), &mut wrong);
        wrong
    }

    #[test]
    fn an_edge_that_the_design_does_not_have_is_found() {
        let manifest = "[dependencies]\nflowtrail-tracker = { workspace = true }\n[lints]\nworkspace = true";
        assert_eq!(wrong_with("flowtrail-store", manifest).len(), 1);
        assert_eq!(wrong_with("flowtrail-runner", manifest), [""; 0]);
        let sideways =
            "[dev-dependencies]\nflowtrail-testkit = { workspace = true }\n[lints]\nworkspace = true";
        assert_eq!(wrong_with("flowtrail-http", sideways).len(), 1);
        assert_eq!(wrong_with("flowtrail", sideways), [""; 0]);
    }

    #[test]
    fn a_library_belongs_to_its_layer() {
        let manifest = "[dependencies]\nactix-web = { workspace = true }\n[lints]\nworkspace = true";
        assert_eq!(wrong_with("flowtrail-tracker", manifest).len(), 1);
        assert_eq!(wrong_with("flowtrail-http", manifest), [""; 0]);
    }

    #[test]
    fn lints_and_versions_come_from_the_workspace() {
        assert_eq!(wrong_with("flowtrail-types", "[package]").len(), 1);
        assert_eq!(
            wrong_with("flowtrail-types", "[dependencies]\nserde = \"1\"\n[lints]\nworkspace = true").len(),
            1
        );
    }
}
