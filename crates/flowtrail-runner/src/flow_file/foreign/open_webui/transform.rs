//! `transform`: one operation on a text.

use super::super::fields::Fields;
use super::super::words::quoted_js;
use super::convert::Converter;

impl Converter<'_> {
    pub(super) fn transform(&mut self, index: usize, id: &str, data: &mut Fields) {
        let operation = data.text("operation", self.notes).unwrap_or_default();
        let mut config = Fields::new(data.object("config", self.notes), "data.config");
        let mut said = |field: &str| config.text(field, self.notes);
        let (pattern, replacement, field, template) =
            (said("pattern"), said("replacement"), said("field"), said("template"));
        config.finish(self.notes);
        let quoted = |text: Option<String>| quoted_js(&text.unwrap_or_default());
        let is_missing = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        let missing = match operation.as_str() {
            "replace" if is_missing(&pattern) => {
                Some(("data.config.pattern", "it has no pattern, without which it failed"))
            }
            "extract" if is_missing(&field) => {
                Some(("data.config.field", "it has no field, without which it failed"))
            }
            "template" if is_missing(&template) => {
                Some(("data.config.template", "it has no template, without which it failed"))
            }
            _ => None,
        };
        if let Some((field, why)) = missing {
            self.connect(index, id);
            return self.sketch.give_up(id, "transform", field, why, self.notes);
        }
        let result = match operation.as_str() {
            "uppercase" => "return text.toUpperCase();".to_owned(),
            "lowercase" => "return text.toLowerCase();".to_owned(),
            "trim" => "return text.trim();".to_owned(),
            "replace" => {
                format!(
                    "return text.replace(new RegExp({}, \"g\"), {});",
                    quoted(pattern),
                    quoted(replacement)
                )
            }
            "extract" => format!(
                "const value = typeof first === \"string\" ? JSON.parse(first) : first;\nreturn value[{}];",
                quoted(field)
            ),
            "template" => {
                format!("return {}.split(/\\{{\\{{\\s*input\\s*\\}}\\}}/).join(text);", quoted(template))
            }
            other => {
                if !other.is_empty() {
                    self.notes.assumed("data.operation", "is none that is known: the text stays as it is");
                }
                "return first;".to_owned()
            }
        };
        let input = self.read(index, id, None).map_or_else(|| "null".to_owned(), |given| given.script);
        self.sketch.become_script(
            id,
            format!(
                "const first = {input};\nif (!first) throw new Error(\"No input provided\");\n\
                 const text = typeof first === \"string\" ? first : JSON.stringify(first);\n{result}"
            ),
        );
    }
}
