//! `JavaScriptCodeTransform`: a function's text, over what came before.

use super::super::fields::Fields;
use super::answers::keyed;
use super::code::{self, Function};
use super::convert::{Converter, slug_of};
use super::types::{without_type_arguments, without_types};
use crate::sandbox::Script;

/// What scripts could write to, without anybody reading it.
const CONSOLE: &str = "const console = { log() {}, warn() {}, error() {}, info() {}, debug() {} };\n";

/// What there may not be here.
const DOUBTFUL: [&str; 8] = [
    "_execution",
    "statusText",
    "Intl",
    "toLocaleString",
    "Proxy",
    "WeakRef",
    "performance",
    "toLocaleDateString",
];

impl Converter<'_> {
    pub(super) fn script(&mut self, index: usize, id: &str, fields: &mut Fields) {
        const FIELD: &str = "parameters.code";
        let given = fields.some_text("code", self.notes).unwrap_or_else(|| "return input;".to_owned());
        fields.ignore(&["resolvedOutputSchema"]);
        fields.drop_together(
            &["inputMappings", "inputMapping"],
            "was never used and was left out",
            self.notes,
        );
        let plain = match self.compiler.check(&Script::Body(given.clone())) {
            Ok(()) => without_type_arguments(&given),
            Err(_) => without_types(&given),
        };
        let Function { parameter, body } = match code::taken_apart(&plain, self.compiler) {
            Ok(function) => function,
            Err(why) => return self.sketch.give_up(id, "JavaScriptCodeTransform", FIELD, why, self.notes),
        };
        let mut prologue = self.input(index, &plain);
        if code::mentions(&plain, "console") {
            prologue.push_str(CONSOLE);
        }
        if parameter != "input" {
            prologue.push_str(&format!("const [{parameter}] = [input];\n"));
        }
        if let Err(error) = self.compiler.check(&Script::Body(format!("{prologue}{body}"))) {
            let why = format!("its code is not understood: {}", without_quote(&error.message));
            return self.sketch.give_up(id, "JavaScriptCodeTransform", FIELD, &why, self.notes);
        }
        if !self.compiler.returns(&Script::Body(body.clone())) {
            self.notes.assumed(FIELD, "its code returns nothing: it gives null");
        }
        let doubtful: Vec<&str> = DOUBTFUL.into_iter().filter(|name| code::mentions(&plain, name)).collect();
        if !doubtful.is_empty() {
            self.notes.changed(FIELD, format!("names what may not be there: {}", doubtful.join(", ")));
        }
        self.sketch.become_script(id, format!("{prologue}{body}"));
    }

    /// What makes `input` what it was. It was an object of what the nodes before gave, by their slugs; in the first
    /// days of January 2026, what the first of them gave. The file does not say which.
    fn input(&mut self, index: usize, code: &str) -> String {
        let before = self.before(index);
        let slug = |place: Option<usize>| match place {
            Some(place) => slug_of(&self.source.nodes[place]),
            None => "user_intent".to_owned(),
        };
        let is_keyed = before.len() > 1 || before.iter().any(|place| code::takes(code, &slug(*place)));
        if is_keyed {
            let unwrap = code::mentions(code, "_value");
            let values: Vec<(String, String)> = before
                .iter()
                .map(|place| {
                    let value = self.in_script(*place).0;
                    let wrapped = format!(
                        "(v => v !== null && typeof v === \"object\" ? v : {{ _value: v }})({value})"
                    );
                    (slug(*place), if unwrap { wrapped } else { value })
                })
                .collect();
            return format!("input = {};\n", keyed(&values));
        }
        if code::mentions(code, "input") && !before.is_empty() {
            let message =
                "input was assumed to be what the node before gave: the code does not name that node";
            self.notes.assumed("parameters.code", message);
        }
        match before.first().map(|place| self.in_script(*place)) {
            Some((value, false)) => format!("input = {value};\n"),
            _ => String::new(),
        }
    }
}

/// What the engine says of code, without the piece of the code that it quotes: a credential may stand in it.
fn without_quote(message: &str) -> String {
    let quoted = message.split_once(": '").and_then(|(what, rest)| Some((what, rest.rsplit_once("' (")?.1)));
    quoted.map_or_else(|| message.to_owned(), |(what, place)| format!("{what} ({place}"))
}
