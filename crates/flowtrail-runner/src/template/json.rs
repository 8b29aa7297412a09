//! From the template engine's values back to JSON, bounded: a short expression can name a large value many
//! times over.

use minijinja::value::{Value as Operand, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::{Map, Value};

use super::number;

/// The most bytes, roughly, that a value may have as JSON.
const MAX_VALUE: usize = 16 * 1024 * 1024;

/// How deep a value may be nested.
const MAX_DEPTH: usize = 128;

/// The value as JSON.
///
/// # Errors
///
/// When it has no JSON form, or is larger than it may be.
pub(super) fn to_json(operand: &Operand) -> Result<Value, Error> {
    convert(operand, &mut MAX_VALUE.clone(), MAX_DEPTH)
}

/// The value as JSON text, as text parameters and the filter `tojson` show it: at most
/// [`MAX_TEXT`](super::MAX_TEXT) bytes.
///
/// # Errors
///
/// When it has no JSON form, or is larger than it may be.
pub(super) fn to_text(operand: &Operand) -> Result<String, Error> {
    let text = convert(operand, &mut super::MAX_TEXT.clone(), MAX_DEPTH)?.to_string();
    if text.len() > super::MAX_TEXT { Err(too_large()) } else { Ok(text) }
}

fn convert(operand: &Operand, budget: &mut usize, depth: usize) -> Result<Value, Error> {
    let deeper = depth.checked_sub(1).ok_or_else(|| refuse("the value is nested too deeply"))?;
    // Braces, commas and the like count as a few bytes each.
    let size = operand.as_str().map_or(0, str::len) + 4;
    *budget = budget.checked_sub(size).ok_or_else(too_large)?;
    if let Some(number) = number::exact(operand) {
        *budget = budget.checked_sub(number.as_str().len()).ok_or_else(too_large)?;
        return Ok(Value::Number(number.clone()));
    }
    match operand.kind() {
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(operand.is_true())),
        ValueKind::Number => {
            serde_json::to_value(operand).map_err(|_| refuse("the number is too large for JSON"))
        }
        ValueKind::String => Ok(Value::String(operand.as_str().unwrap_or_default().to_owned())),
        ValueKind::Seq | ValueKind::Iterable => {
            operand.try_iter()?.checked().map(|item| convert(&item?, budget, deeper)).collect()
        }
        ValueKind::Map => {
            let mut fields = Map::new();
            for key in operand.try_iter()?.checked() {
                let key = key?;
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                *budget = budget.checked_sub(name.len()).ok_or_else(too_large)?;
                fields.insert(name, convert(&operand.get_item(&key)?, budget, deeper)?);
            }
            Ok(Value::Object(fields))
        }
        kind => Err(refuse(&format!("{kind} cannot stand in a value"))),
    }
}

fn too_large() -> Error {
    refuse("the template gives a value that is too large")
}

fn refuse(message: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.to_owned())
}
