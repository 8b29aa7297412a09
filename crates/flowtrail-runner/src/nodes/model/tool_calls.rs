//! The calls of tools that a completion asks for, put together from the pieces of a stream.
//!
//! OpenAI's endpoint numbers the calls by `index`, and names a call's `id` once. Others leave the index out, number all calls
//! 0, repeat id and name in every piece, or send whole calls.

use flowtrail_types::ErrorKind;
use serde_json::{Value, json};

use super::super::NodeError;
use super::halves::{JoinedText, Piece};

/// How many calls of tools a completion may ask for.
const MAX_TOOL_CALLS: u64 = 128;

/// The calls so far, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct ToolCalls(Vec<Call>);

/// One call, as far as it has come.
#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    name: JoinedText,
    arguments: JoinedText,
}

impl ToolCalls {
    /// Takes the `tool_calls` of a piece.
    ///
    /// # Errors
    ///
    /// When they are too many.
    pub(super) fn take(&mut self, piece: &Piece, calls: &Value) -> Result<(), NodeError> {
        // One call without the array around it.
        let calls = calls.as_array().map_or_else(|| std::slice::from_ref(calls), Vec::as_slice);
        let known = self.0.len();
        for (place, call) in calls.iter().filter(|call| call.is_object()).enumerate() {
            let part = Part::of(call);
            let found = self.find(&part, known, place);
            if part.index.is_some_and(|index| index >= MAX_TOOL_CALLS)
                || found.is_none() && self.0.len() as u64 >= MAX_TOOL_CALLS
            {
                let message = format!("asked for more than {MAX_TOOL_CALLS} calls of tools");
                return Err(NodeError::new(ErrorKind::Limit, message));
            }
            let at = found.unwrap_or(self.0.len());
            if found.is_none() {
                self.0.push(Call { index: part.index, ..Call::default() });
            }
            self.0[at].add(piece, part);
        }
        Ok(())
    }

    /// The length of all arguments, in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|call| call.arguments.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The calls as OpenAI's endpoint tells them in an answer that is not streamed.
    pub(super) fn finish(mut self, replaced: &mut bool) -> Vec<Value> {
        self.0.sort_by_key(|call| call.index);
        self.0.into_iter().map(|call| call.finish(replaced)).collect()
    }

    /// The call that a part continues; nothing when it begins one. `known` calls began in earlier pieces, and `place` is
    /// the part's place in its own.
    fn find(&self, part: &Part<'_>, known: usize, place: usize) -> Option<usize> {
        let has_index = |call: &Call| part.index.is_none() || call.index == part.index;
        if let Some(id) = &part.id
            && let Some(found) =
                self.0.iter().rposition(|call| call.id.as_ref() == Some(id) && has_index(call))
        {
            // Whole calls that share an id are told apart by their arguments alone.
            return (found < known || part.name.is_none()).then_some(found);
        }
        let found = match (part.index, &part.id, part.name) {
            (Some(_), ..) => self.0.iter().rposition(|call| call.index == part.index)?,
            // Without an index, an id or a name that has not been seen begins a call.
            (None, Some(_), _) | (None, None, Some(_)) => return None,
            (None, None, None) if place > 0 && place < self.0.len() => place,
            (None, None, None) => self.0.len().checked_sub(1)?,
        };
        let call = &self.0[found];
        let is_other_name = |name: &str| found >= known || call.begins_anew(name);
        match (&part.id, part.name) {
            // The index of a call that another id has. Some make up an id for every piece, but name the call once.
            (Some(_), Some(_)) if call.id.is_some() => None,
            (None, Some(name)) if !call.name.is_empty() && is_other_name(name) => None,
            _ => Some(found),
        }
    }
}

impl Call {
    /// Whether a part of this name is of another call: names are whole before the first argument.
    fn begins_anew(&self, name: &str) -> bool {
        !self.arguments.is_empty() && self.name.as_str() != name
    }

    fn add(&mut self, piece: &Piece, part: Part<'_>) {
        if self.id.is_none() {
            self.id = part.id;
        }
        // Some repeat the whole name in every part.
        if let Some(name) = part.name.filter(|name| self.name.as_str() != *name) {
            self.name.push_from(piece, name);
        }
        match part.arguments {
            Value::Null => {}
            Value::String(text) => self.arguments.push_from(piece, text),
            // Marks are written as what they are: characters.
            other => self.arguments.push_from(piece, &other.to_string()),
        }
    }

    fn finish(self, replaced: &mut bool) -> Value {
        let (name, arguments) = (self.name.finish(replaced), self.arguments.finish(replaced));
        json!({"id": self.id, "type": "function", "function": {"name": name, "arguments": arguments}})
    }
}

/// What a piece says of one call.
struct Part<'p> {
    index: Option<u64>,
    id: Option<String>,
    name: Option<&'p str>,
    arguments: &'p Value,
}

impl<'p> Part<'p> {
    fn of(call: &'p Value) -> Self {
        let function = if call["function"].is_object() { &call["function"] } else { call };
        let id = match &call["id"] {
            Value::String(id) => Some(id.clone()).filter(|id| !id.is_empty()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        };
        let index = &call["index"];
        Self {
            index: index.as_u64().or_else(|| index.as_str()?.parse().ok()),
            id,
            name: function["name"].as_str().filter(|name| !name.is_empty()),
            arguments: &function["arguments"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls that come of these pieces, each the array of one, as `id name arguments`.
    #[track_caller]
    fn calls(pieces: &[Value]) -> Vec<String> {
        let mut calls = ToolCalls::default();
        for calls_of_piece in pieces {
            let piece = Piece::parse(&calls_of_piece.to_string()).unwrap();
            calls.take(&piece, piece.text_source()).unwrap_or_else(|error| panic!("{error:?}"));
        }
        let text = |call: Value| {
            let function = &call["function"];
            let id = call["id"].as_str().unwrap_or("-");
            format!("{id} {} {}", function["name"].as_str().unwrap(), function["arguments"].as_str().unwrap())
        };
        calls.finish(&mut false).into_iter().map(text).collect()
    }

    fn part(index: Option<u64>, id: Option<&str>, name: Option<&str>, arguments: Value) -> Value {
        json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}})
    }

    #[test]
    fn calls_come_together_however_they_are_told_apart() {
        let expected = ["a find {\"q\":1}", "b buy {}"];
        let (find, buy) = (Some("find"), Some("buy"));
        for pieces in [
            // As OpenAI does it, with both calls interleaved.
            vec![
                json!([part(Some(0), Some("a"), find, json!(""))]),
                json!([part(Some(1), Some("b"), buy, json!("{"))]),
                json!([part(Some(0), None, None, json!("{\"q\":1}")), part(Some(1), None, None, json!("}"))]),
            ],
            // Without an index.
            vec![
                json!([part(None, Some("a"), find, json!(""))]),
                json!([part(None, None, None, json!("{\"q\":1}"))]),
                json!([part(None, Some("b"), buy, json!("{}"))]),
            ],
            vec![
                json!([part(None, Some("a"), find, json!("{\"q\"")), part(None, Some("b"), buy, json!("{"))]),
                json!([part(None, Some("a"), find, json!(":1}")), part(None, Some("b"), buy, json!("}"))]),
            ],
            // All with the same index.
            vec![
                json!([part(Some(0), Some("a"), find, json!("{\"q\":1}"))]),
                json!([part(Some(0), Some("b"), buy, json!(""))]),
                json!([part(Some(0), None, None, json!("{}"))]),
            ],
            vec![json!([
                part(Some(0), Some("a"), find, json!("{\"q\":1}")),
                part(Some(0), Some("b"), buy, json!("{}"))
            ])],
            // With an id of its own for every part.
            vec![
                json!([part(Some(0), Some("a"), find, json!(""))]),
                json!([part(Some(0), Some("x"), None, json!("{\"q\":1}"))]),
                json!([part(Some(1), Some("b"), buy, json!("{}"))]),
            ],
            // With arguments as JSON, and out of order.
            vec![
                json!([part(Some(1), Some("b"), buy, json!({}))]),
                json!([part(Some(0), Some("a"), find, json!({"q": 1}))]),
            ],
        ] {
            assert_eq!(calls(&pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn calls_without_ids_are_told_apart_by_their_names() {
        let find = |index, arguments: &str| part(index, None, Some("find"), json!(arguments));
        let expected = ["- find {\"q\":1}", "- find {\"q\":2}"];
        for index in [None, Some(0)] {
            let pieces = [json!([find(index, "{\"q\":1}"), find(index, "{\"q\":2}")])];
            assert_eq!(calls(&pieces), expected, "{index:?}");
        }
        let pieces = [json!([find(None, "{\"q\":1}")]), json!([find(None, "{\"q\":2}")])];
        assert_eq!(calls(&pieces), expected);
        let alone = json!({"id": 7, "name": "find", "arguments": null});
        assert_eq!(calls(&[alone, json!(null), json!([null, 3])]), ["7 find "]);
    }
}
