//! Which modules a page needs, found in the modules themselves.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// What every page begins with.
const APP: &str = "ui/app/flowtrail-app.js";

/// By the first part of an address.
const PAGES: &[(&str, &str)] = &[
    ("flows", "ui/flows/flows-page.js"),
    ("executions", USAGE),
    ("statistics", "ui/stats/statistics-page.js"),
    ("keys", "ui/people/keys-page.js"),
    ("users", "ui/people/users-page.js"),
    ("audit", "ui/people/audit-page.js"),
];

const FLOW: &str = "ui/flows/flow-page.js";
const USAGE: &str = "ui/usage/flowtrail-usage.js";
const EXECUTION: &str = "ui/usage/flowtrail-execution.js";

/// By the third part of a flow's address.
const TABS: &[(&str, &str)] = &[
    ("overview", "ui/flows/flow-overview.js"),
    ("usage", USAGE),
    ("statistics", "ui/stats/flowtrail-stats.js"),
    ("run", "ui/flows/flow-run.js"),
    ("settings", "ui/flows/flow-settings.js"),
];

/// The modules that the page asks for by itself when it is opened at an address: the same that it would find out one after the other.
pub(super) fn roots(address: &str, query: &str) -> Vec<&'static str> {
    let parts: Vec<&str> = address.split('/').filter(|part| !part.is_empty()).collect();
    let found = |table: &[(&str, &'static str)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map(|(_, module)| *module)
    };
    let mut roots = vec![APP];
    match parts.as_slice() {
        [] => roots.extend(found(PAGES, "flows")),
        ["flows", _, rest @ ..] => {
            roots.push(FLOW);
            roots.extend(found(TABS, rest.first().unwrap_or(&"overview")));
        }
        ["executions", _, ..] => roots.extend([USAGE, EXECUTION]),
        [page, ..] => roots.extend(found(PAGES, page)),
    }
    if roots.contains(&USAGE) && query.split('&').any(|pair| pair.starts_with("selected=")) {
        roots.push(EXECUTION);
    }
    roots
}

/// Which module imports which, but for what is imported only when it is first needed.
pub(super) struct Imports(HashMap<String, Vec<String>>);

impl Imports {
    /// Reads them from the modules.
    pub(super) fn read(paths: &[String], file: impl Fn(&str) -> Option<Cow<'static, [u8]>>) -> Self {
        let modules = paths.iter().filter(|path| path.ends_with(".js"));
        let read = modules.filter_map(|path| {
            let text = file(path)?;
            Some((path.clone(), imports(path, &String::from_utf8_lossy(&text))))
        });
        Self(read.collect())
    }

    /// These modules and all that they import, each once, in order.
    pub(super) fn needed<'a>(&'a self, roots: &[&'a str]) -> Vec<&'a str> {
        let mut needed = BTreeSet::new();
        let mut waiting: Vec<&str> = roots.to_vec();
        while let Some(path) = waiting.pop() {
            let Some(imported) = self.0.get(path) else { continue };
            if needed.insert(path) {
                waiting.extend(imported.iter().map(String::as_str));
            }
        }
        needed.into_iter().collect()
    }
}

/// The paths that a module imports as it begins: what stands in quotes after `from` or `import`. Comments and calls of `import`
/// have a bracket there.
fn imports(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in ["from", "import"] {
        for (at, _) in text.match_indices(word) {
            let rest = text[at + word.len()..].trim_start();
            let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"')) else {
                continue;
            };
            if let Some((name, _)) = rest[1..].split_once(quote)
                && name.starts_with('.')
            {
                found.push(resolved(path, name));
            }
        }
    }
    found
}

/// A path as another one names it.
fn resolved(from: &str, name: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_later_and_what_is_only_a_type_is_left_out() {
        let text = r#"
            import { a,
              b } from '../base/a.js';
            import './b.js';export{c}from"./c.js";
            /** @typedef {import('./type.js').T} T */
            const later = () => import('./later.js');
        "#;
        let mut found = imports("ui/usage/x.js", text);
        found.sort_unstable();
        assert_eq!(found, ["ui/base/a.js", "ui/usage/b.js", "ui/usage/c.js"]);
    }

    #[test]
    fn an_address_needs_its_page_and_no_other() {
        assert_eq!(roots("/", ""), [APP, "ui/flows/flows-page.js"]);
        assert_eq!(roots("/flows/1", ""), [APP, FLOW, "ui/flows/flow-overview.js"]);
        assert_eq!(roots("/flows/1/usage", "page=2"), [APP, FLOW, USAGE]);
        assert_eq!(roots("/executions", "page=2&selected=1"), [APP, USAGE, EXECUTION]);
        assert_eq!(roots("/nothing", ""), [APP]);
    }

    #[test]
    fn every_root_is_a_module_that_is_served() {
        let all = super::super::paths();
        let known = |module: &str| all.iter().any(|path| path == module);
        for (_, module) in PAGES.iter().chain(TABS) {
            assert!(known(module), "{module}");
        }
        assert!(known(APP) && known(FLOW) && known(EXECUTION));
        let imports = Imports::read(&all, super::super::file);
        let needed = imports.needed(&[APP]);
        assert!(needed.contains(&"vendor/lit-html/lit-html.js") && !needed.contains(&USAGE), "{needed:?}");
        for (module, imported) in &imports.0 {
            let missing: Vec<&String> = imported.iter().filter(|path| !known(path)).collect();
            assert!(missing.is_empty(), "{module} imports {missing:?}");
        }
    }

    #[test]
    fn the_pages_fetch_what_is_named_for_them() {
        let text = |path: &str| String::from_utf8(super::super::file(path).unwrap().into_owned()).unwrap();
        let names = |table: &[(&str, &str)], within: &str| {
            let text = text(within);
            for (_, module) in table {
                let name = module.rsplit('/').next().unwrap();
                assert!(text.contains(&format!("/{name}')")), "{within} fetches no {name}");
            }
        };
        names(PAGES, "ui/app/app-pages.js");
        names(&[("", FLOW)], "ui/app/app-pages.js");
        names(TABS, FLOW);
        names(&[("", EXECUTION)], USAGE);
    }
}
