//! Models, outputs, conditionals and merges.

use serde_json::{Map, Value, json};

use super::super::fields::Fields;
use super::super::words;
use super::convert::Converter;
use super::references::{Piece, pieces};

/// How long a model may take; there was no limit.
const MODEL_TIMEOUT: &str = "5m";

/// What stands in the ids of models that make images and films.
const MAKERS: [&str; 5] = ["function", "pipe", "veo", "runway", "kling"];

/// What makes text of any value, for the expression in which `text` is used.
pub(super) const TEXT: &str = r#"(value) => typeof value === "string" ? value : JSON.stringify(value) ?? """#;

impl Converter<'_> {
    pub(super) fn model(&mut self, index: usize, id: &str, data: &mut Fields) {
        let model = data.some_text("modelId", self.notes).unwrap_or_default();
        let prompt = data.text("prompt", self.notes).unwrap_or_default();
        let is_advanced = data.flag("useAdvancedSettings", self.notes).unwrap_or(false);
        let temperature = data.number("temperature", self.notes).filter(|_| is_advanced);
        let most = data.number("max_tokens", self.notes).filter(|most| is_advanced && *most >= 1.0);
        // Those were never sent.
        data.ignore(&["modelName", "top_p", "frequency_penalty", "presence_penalty", "stream"]);
        let is_whole = prompt.trim().is_empty() || prompt.contains("{{input}}");
        let reads = is_whole || pieces(&prompt).iter().any(|piece| matches!(piece, Piece::Input(_)));
        let input = if reads {
            self.read(index, id, is_whole.then_some("\n\n"))
        } else {
            self.connect(index, id);
            None
        };
        if model.is_empty() {
            return self.sketch.give_up(id, "model", "data.modelId", "no model was chosen", self.notes);
        }
        let is_list = input.as_ref().is_some_and(|given| self.is_list(given.of));
        let input = input.map(|mut given| {
            if is_list {
                given.template = format!("({} | join(\"\\n\\n\"))", given.template);
            }
            given
        });
        let prompt = match &input {
            None if prompt.trim().is_empty() => {
                return self.sketch.give_up(
                    id,
                    "model",
                    "data.prompt",
                    "it has no prompt and no input",
                    self.notes,
                );
            }
            Some(given) if prompt.trim().is_empty() => format!("{{{{ {} }}}}", given.template),
            input => self.template(index, id, "data.prompt", &prompt, input.as_ref()),
        };
        let mut parameters = Map::new();
        for (name, value) in [
            ("baseUrl", json!("{{ secrets.OPEN_WEBUI_URL }}")),
            ("apiKey", json!("{{ secrets.OPEN_WEBUI_KEY }}")),
            ("model", json!(words::literal(&model))),
            ("prompt", json!(prompt)),
        ] {
            parameters.insert(name.to_owned(), value);
        }
        if let Some(temperature) = temperature {
            parameters.insert("temperature".to_owned(), json!(temperature));
        }
        if let Some(most) = most {
            parameters.insert("maxTokens".to_owned(), json!(most as u64));
        }
        if MAKERS.iter().any(|maker| model.contains(maker)) {
            self.notes
                .changed("data.modelId", "the node gives text, also where the model makes something else");
        }
        self.asks_server = true;
        self.notes.assumed("", format!("may take {MODEL_TIMEOUT}: there was no limit"));
        self.sketch.become_kind(id, "Model", Value::Object(parameters));
        self.sketch.node(id).timeout = Some(MODEL_TIMEOUT.to_owned());
    }

    fn is_list(&self, of: usize) -> bool {
        let node = &self.source.nodes[of];
        node.kind == "merge" && node.data.clone().take("strategy").is_some_and(|strategy| strategy == "array")
    }

    pub(super) fn output(&mut self, index: usize, id: &str, data: &mut Fields) {
        data.ignore(&["value", "fileId", "iterationResults"]);
        let format = data.text("format", self.notes).unwrap_or_default();
        if format == "file" {
            self.notes.changed("data.format", "answers with text: no file is made");
            data.drop_together(&["fileType"], "no file is made", self.notes);
        }
        data.ignore(&["fileType"]);
        if !self.bodies.around(index).is_empty() {
            self.notes.changed("", "answers once in each iteration of the loop");
        }
        if format == "json" {
            let scope = self.scopes[id].clone();
            let helper = self.helper(index, "json", &scope);
            let value =
                self.read(index, &helper, None).map_or_else(|| "null".to_owned(), |given| given.script);
            self.sketch.become_script(
                &helper,
                format!(
                    "const value = {value};\nif (typeof value !== \"string\") return value;\n\
                     try {{ return JSON.parse(value); }} catch {{ return value; }}"
                ),
            );
            self.sketch.connect(&helper, None, id);
            return self.sketch.become_kind(id, "Return", json!({ "json": format!("{{{{ {helper} }}}}") }));
        }
        if !["", "text", "markdown", "file"].contains(&format.as_str()) {
            self.notes.assumed("data.format", "is none that is known: text was assumed");
        }
        let text = match self.read(index, id, None) {
            Some(given) => format!("{{{{ {} }}}}", given.template),
            None => {
                self.notes.assumed("", "nothing is connected: it answers with no text");
                String::new()
            }
        };
        self.sketch.become_kind(id, "Return", json!({ "text": text }));
    }

    pub(super) fn conditional(&mut self, index: usize, id: &str, data: &mut Fields) {
        let condition = data.text("condition", self.notes).unwrap_or_else(|| "{{input}}".to_owned());
        let operator = data.some_text("operator", self.notes).unwrap_or_else(|| "equals".to_owned());
        let older = data.take("value");
        let compared = data.take("compareValue").or(older).unwrap_or_default();
        let compared = compared.as_str().map_or_else(|| compared.to_string(), str::to_owned);
        data.ignore(&["trueOutput", "falseOutput"]);
        let reads = pieces(&condition).iter().any(|piece| matches!(piece, Piece::Input(_)));
        let input = if reads {
            self.read(index, id, None)
        } else {
            self.connect(index, id);
            None
        };
        let value = self.expression(index, id, "data.condition", &condition, input.as_ref());
        let compared = words::quoted_js(&compared);
        let compare = match operator.as_str() {
            "equals" => format!("condition === {compared}"),
            "not_equals" => format!("condition !== {compared}"),
            "contains" => format!("condition.includes({compared})"),
            "greater" => format!("parseFloat(condition) > parseFloat({compared})"),
            "less" => format!("parseFloat(condition) < parseFloat({compared})"),
            "regex" => format!("new RegExp({compared}).test(condition)"),
            _ => {
                self.notes.assumed("data.operator", "is none that is known: it never holds, as before");
                "false".to_owned()
            }
        };
        self.notes.changed("", "only the branch that holds is run; before, both were");
        self.sketch.become_script(
            id,
            format!(
                "const text = {TEXT};\nconst condition = {value};\nconst result = {compare};\n\
                 return {{ condition, result, branch: result ? \"true\" : \"false\" }};"
            ),
        );
    }

    pub(super) fn merge(&mut self, index: usize, id: &str, data: &mut Fields) {
        let strategy = data.some_text("strategy", self.notes).unwrap_or_else(|| "concat".to_owned());
        let separator = data.text("separator", self.notes).filter(|separator| !separator.is_empty());
        data.ignore(&["result"]);
        let arriving = self.arriving(index);
        if arriving.is_empty() {
            self.connect(index, id);
            self.notes.assumed("", "nothing is connected: it gives no text");
            return self.sketch.become_script(id, "return \"\";");
        }
        self.gather(index, &arriving, id);
        let parameters = match strategy.as_str() {
            "concat" => {
                let separator = separator.unwrap_or_else(|| "\n".to_owned()).replace("\\n", "\n");
                json!({"strategy": "concat", "separator": words::literal(&separator)})
            }
            "array" | "first" | "last" => json!({ "strategy": strategy }),
            other => {
                if other != "custom" {
                    self.notes.changed("data.strategy", "is none that is known: takes what comes first");
                }
                json!({"strategy": "first"})
            }
        };
        self.sketch.become_kind(id, "Merge", parameters);
    }
}
