//! Ids, tool names and texts in Flowtrail's spelling.

use std::borrow::Cow;
use std::collections::BTreeSet;

use flowtrail_types::ToolName;
use serde_json::Value;

use crate::validate::RESERVED;

/// The most characters of an id, so that those of helpers fit too.
const MAX_ID: usize = 90;

/// The ids of a flow.
#[derive(Debug, Default)]
pub(super) struct Ids(BTreeSet<String>);

impl Ids {
    /// An identifier like `wanted` that no other node has.
    pub(super) fn make(&mut self, wanted: &str) -> String {
        let spell = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut id: String = wanted.chars().take(MAX_ID).map(spell).collect();
        if !id.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            id.insert_str(0, "n_");
        }
        if RESERVED.contains(&id.as_str()) {
            id.push_str("_node");
        }
        let id = free(&id, |id| self.0.contains(id));
        self.0.insert(id.clone());
        id
    }
}

/// The tool names of an import.
#[derive(Debug, Default)]
pub(super) struct ToolNames(BTreeSet<String>);

impl ToolNames {
    /// Keeps a name that a flow has already.
    pub(super) fn keep(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }

    /// The tool name that a flow has, or else one made from the first of these names that allows it. When another flow
    /// of the import has it, a number comes after it.
    pub(super) fn make(&mut self, given: Option<&str>, names: &[&str]) -> ToolName {
        let own = given.and_then(|given| given.parse::<ToolName>().ok());
        let derived = given.iter().chain(names).find_map(|name| spelled(name));
        let name = own.or(derived).map_or_else(|| "flow".to_owned(), |name| name.to_string());
        let short: String = name.chars().take(ToolName::MAX_LENGTH - 6).collect();
        let name = if self.0.contains(&name) { free(&short, |name| self.0.contains(name)) } else { name };
        self.0.insert(name.clone());
        name.parse().expect("a tool name with a number after it, or `flow`, is one")
    }
}

/// A name of any script in Latin letters as far as it can be said, with the words for emoji.
pub(super) fn latin(name: &str) -> Cow<'_, str> {
    if name.is_ascii() { name.into() } else { deunicode::deunicode_with_tofu(name, " ").into() }
}

/// A tool name for a name in any script.
fn spelled(name: &str) -> Option<ToolName> {
    ToolName::derived_from(&latin(name)).ok()
}

fn free(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(wanted) {
        return wanted.to_owned();
    }
    let numbered = (2_u32..).map(|number| format!("{wanted}_{number}"));
    numbered.into_iter().find(|name| !is_taken(name)).expect("there are more numbers than names")
}

/// A part of a text with templates.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// Text as it is to appear.
    Text(String),
    /// What this expression gives.
    Expression(String),
}

/// A text of these parts. What only looks like a template stays text.
pub(super) fn written(parts: &[Part]) -> String {
    let merged = merged(parts);
    if let [Part::Text(text)] = merged.as_slice()
        && !crate::template::has_template(text)
    {
        return text.clone();
    }
    let mut written = String::new();
    for (index, part) in merged.iter().enumerate() {
        match part {
            Part::Expression(expression) => written.push_str(&format!("{{{{ {expression} }}}}")),
            Part::Text(text) => escape(text, index + 1 < merged.len(), &mut written),
        }
    }
    written
}

/// A text without templates.
pub(super) fn literal(text: &str) -> String {
    written(&[Part::Text(text.to_owned())])
}

/// Every string within a value as a literal.
pub(super) fn literal_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(literal(&text)),
        Value::Array(items) => items.into_iter().map(literal_value).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, literal_value(value))).collect())
        }
        plain => plain,
    }
}

/// A text as JavaScript writes it.
pub(super) fn quoted_js(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Whether a template and a script can name a property by `.name`.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The properties of a path, each as it is written after what it is of.
pub(super) fn path<'s>(steps: impl IntoIterator<Item = &'s str>) -> String {
    let step = |step: &str| {
        let is_index = !step.is_empty() && step.len() < 10 && step.bytes().all(|byte| byte.is_ascii_digit());
        if is_identifier(step) {
            format!(".{step}")
        } else if is_index {
            format!("[{step}]")
        } else {
            format!("[{}]", quoted_js(step))
        }
    };
    steps.into_iter().map(step).collect()
}

fn merged(parts: &[Part]) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        match (merged.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(text),
            (_, Part::Text(text)) => merged.push(Part::Text(text.clone())),
            (_, Part::Expression(expression)) => merged.push(Part::Expression(expression.clone())),
        }
    }
    merged
}

fn escape(text: &str, is_followed: bool, written: &mut String) {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let opens = character == '{'
            && match characters.peek() {
                Some('{' | '%' | '#') => true,
                // Before a template it would open another one.
                None => is_followed,
                Some(_) => false,
            };
        if opens {
            let second = characters.next();
            written.push_str("{{ \"{");
            written.extend(second);
            written.push_str("\" }}");
        } else {
            written.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_identifiers_and_nobody_elses() {
        let mut ids = Ids::default();
        for (wanted, made) in [
            ("fetch-events", "fetch_events"),
            ("fetch_events", "fetch_events_2"),
            ("1st", "n_1st"),
            ("", "n_"),
            ("input", "input_node"),
            ("日本", "__"),
        ] {
            assert_eq!(ids.make(wanted), made, "{wanted}");
        }
    }

    #[test]
    fn tool_names_are_valid_and_nobody_elses() {
        let mut names = ToolNames::default();
        for (wanted, made) in [
            ("City weather", "city_weather"),
            ("city_weather", "city_weather_2"),
            ("Погода в городе", "pogoda_v_gorode"),
            ("日本の天気", "ri_ben_notian_qi"),
            ("天气", "tian_qi"),
            ("الطقس", "ltqs"),
            ("Größe", "grosse"),
            ("🙂🚀", "slight_smile_rocket"),
            ("\u{e000}", "flow"),
            ("\u{e001}", "flow_2"),
        ] {
            assert_eq!(names.make(None, &[wanted]).as_str(), made);
        }
        let long = "x".repeat(100);
        assert_eq!(names.make(Some(&long), &[]).as_str(), long);
        assert_eq!(names.make(Some(&long), &[]).as_str(), "x".repeat(94));
        assert_eq!(names.make(Some("flowtrail_x"), &["other"]).as_str(), "other");
    }

    #[test]
    fn braces_that_are_no_templates_stay_text() {
        assert_eq!(literal("a }} b"), "a }} b");
        assert_eq!(literal("{{x}} {% y"), r#"{{ "{{" }}x}} {{ "{%" }} y"#);
        let parts =
            [Part::Text("{".to_owned()), Part::Expression("x".to_owned()), Part::Text("}".to_owned())];
        assert_eq!(written(&parts), r#"{{ "{" }}{{ x }}}"#);
    }

    #[test]
    fn paths_are_spelled_by_what_their_steps_are() {
        assert_eq!(path(["a", "0", "any-thing", "q\"q"]), r#".a[0]["any-thing"]["q\"q"]"#);
    }
}
