//! Fields taken out of a foreign object one by one, so that what nobody took is told.

use serde_json::{Map, Value};

use super::note::Notes;

/// An object of the file, being read.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    map: Map<String, Value>,
    path: &'static str,
}

impl Fields {
    /// The fields of an object, and where it stands.
    pub(super) fn new(map: Map<String, Value>, path: &'static str) -> Self {
        Self { map, path }
    }

    /// A field's path.
    pub(super) fn path(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// Whether a field is there and not null.
    pub(super) fn has(&self, field: &str) -> bool {
        self.map.get(field).is_some_and(|value| !value.is_null())
    }

    /// A text that stays where it is.
    pub(super) fn peek(&self, field: &str) -> Option<String> {
        self.map.get(field).and_then(Value::as_str).map(str::to_owned)
    }

    /// A field, unless it is null.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field).filter(|value| !value.is_null())
    }

    /// Fields that only say how something looks, or what it last did.
    pub(super) fn ignore(&mut self, fields: &[&str]) {
        for field in fields {
            self.map.remove(*field);
        }
    }

    /// A text.
    pub(super) fn text(&mut self, field: &str, notes: &mut Notes) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => Some(text),
            _ => self.misfit(field, "text", notes),
        }
    }

    /// A text that says something.
    pub(super) fn some_text(&mut self, field: &str, notes: &mut Notes) -> Option<String> {
        self.text(field, notes).filter(|text| !text.trim().is_empty())
    }

    /// A number.
    pub(super) fn number(&mut self, field: &str, notes: &mut Notes) -> Option<f64> {
        match self.take(field)? {
            Value::Number(number) => number.as_f64(),
            _ => self.misfit(field, "number", notes),
        }
    }

    /// Whether something holds; databases write it as 0 and 1.
    pub(super) fn flag(&mut self, field: &str, notes: &mut Notes) -> Option<bool> {
        match self.take(field)? {
            Value::Bool(flag) => Some(flag),
            Value::Number(number) if matches!(number.as_u64(), Some(0 | 1)) => {
                Some(number.as_u64() == Some(1))
            }
            _ => self.misfit(field, "true or false", notes),
        }
    }

    /// A list.
    pub(super) fn list(&mut self, field: &str, notes: &mut Notes) -> Vec<Value> {
        match self.take(field) {
            Some(Value::Array(items)) => items,
            None => Vec::new(),
            Some(_) => self.misfit(field, "list", notes).unwrap_or_default(),
        }
    }

    /// An object.
    pub(super) fn object(&mut self, field: &str, notes: &mut Notes) -> Map<String, Value> {
        match self.take(field) {
            Some(Value::Object(map)) => map,
            None => Map::new(),
            Some(_) => self.misfit(field, "object", notes).unwrap_or_default(),
        }
    }

    /// Where an editor draws a node, if it says so by two numbers.
    pub(super) fn position(&mut self) -> Option<Value> {
        let position = self.take("position")?;
        let is_place = |axis: &str| position.get(axis).is_some_and(Value::is_number);
        (is_place("x") && is_place("y")).then(|| serde_json::json!({"x": position["x"], "y": position["y"]}))
    }

    /// Fields of which is told in one note that they are gone, if they say anything.
    pub(super) fn drop_together(&mut self, fields: &[&str], why: &str, notes: &mut Notes) {
        let says = |value: Value| match value {
            Value::Bool(flag) => flag,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Number(_) => true,
            Value::Null => false,
        };
        let gone: Vec<&str> =
            fields.iter().copied().filter(|field| self.take(field).is_some_and(says)).collect();
        if !gone.is_empty() {
            let names: Vec<String> = gone.iter().map(|field| self.path(field)).collect();
            notes.dropped(&names.join(", "), why);
        }
    }

    /// Tells of all that is left.
    pub(super) fn finish(self, notes: &mut Notes) {
        notes.left(self.path, &self.map);
    }

    fn misfit<T>(&self, field: &str, expected: &str, notes: &mut Notes) -> Option<T> {
        notes.dropped(&self.path(field), format!("is no {expected} and was left out"));
        None
    }
}
