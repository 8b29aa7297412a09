//! `knowledge`: a question to the other server, and its answer in the form that nodes read.

use serde_json::json;

use super::super::fields::Fields;
use super::super::words::quoted_js;
use super::convert::Converter;
use super::references::{Piece, pieces};
use super::steps::TEXT;

/// How many pieces are asked for when the file does not say.
const PIECES: f64 = 4.0;

impl Converter<'_> {
    pub(super) fn knowledge(&mut self, index: usize, id: &str, data: &mut Fields) {
        let base = data.some_text("knowledgeBaseId", self.notes);
        let name = data.text("knowledgeBaseName", self.notes).unwrap_or_default();
        let query = data.text("query", self.notes).unwrap_or_else(|| "{{input}}".to_owned());
        let most = data.number("topK", self.notes).filter(|most| *most >= 1.0).unwrap_or(PIECES);
        let least = data.number("confidenceThreshold", self.notes).unwrap_or(0.0);
        let has_metadata = data.flag("includeMetadata", self.notes).unwrap_or(true);
        data.ignore(&["result"]);
        data.drop_together(&["useReranking", "hybridSearch"], "was never sent and was left out", self.notes);
        let base = match base {
            Some(base) if !query.trim().is_empty() => base,
            base => {
                self.connect(index, id);
                let (field, why) = match base {
                    None => ("data.knowledgeBaseId", "no knowledge was chosen"),
                    Some(_) => ("data.query", "it has no query"),
                };
                return self.sketch.give_up(id, "knowledge", field, why, self.notes);
            }
        };
        let scope = self.scopes[id].clone();
        let ask = self.helper(index, "query", &scope);
        let reads = pieces(&query).iter().any(|piece| matches!(piece, Piece::Input(_)));
        let input = if reads {
            self.read(index, &ask, None)
        } else {
            self.connect(index, &ask);
            None
        };
        let text = self.template(index, &ask, "data.query", &query, input.as_ref());
        let asked = self.expression(index, &ask, "data.query", &query, input.as_ref());
        self.sketch.become_kind(
            &ask,
            "ApiCall",
            json!({
                "method": "POST",
                "url": "{{ secrets.OPEN_WEBUI_URL }}/v1/retrieval/query/doc",
                "headers": {"Authorization": "Bearer {{ secrets.OPEN_WEBUI_KEY }}"},
                "body": {"collection_name": super::super::words::literal(&base), "query": text, "k": most as u64},
            }),
        );
        self.sketch.connect(&ask, None, id);
        let metadata = if has_metadata { ", metadata: metadata[at] ?? {}" } else { "" };
        let filter = if least > 0.0 {
            self.notes
                .changed("data.confidenceThreshold", "leaves out what is below it; before, it never did");
            format!(".filter((chunk) => chunk.relevanceScore >= {least})")
        } else {
            String::new()
        };
        self.asks_server = true;
        self.notes.changed("", "gives a chunk for each document; before, one with all of them in it");
        self.sketch.become_script(
            id,
            format!(
                "const text = {TEXT};\nconst body = nodes.{ask}.body;\n\
                 const list = (name) => body?.[name]?.[0] ?? [];\n\
                 const [documents, metadata, distances] = [list(\"documents\"), list(\"metadatas\"), list(\"distances\")];\n\
                 const chunks = documents\n  .map((content, at) => ({{ content{metadata}, relevanceScore: 1 - (distances[at] ?? 0) }})){filter};\n\
                 return {{ chunks, count: chunks.length, query: {asked}, knowledgeBase: {} }};",
                quoted_js(&name)
            ),
        );
    }
}
