//! Whether a script can hold the numbers that it is given. JavaScript has only doubles.

use std::fmt::Write as _;

use flowtrail_types::{DoubleFit, ErrorKind, double_fit};
use serde_json::Value;

use super::ScriptError;
use crate::excerpt::excerpt;

/// The most characters of a number or key in a message.
const SHOWN: usize = 40;

/// Checks that no number in a value that scripts see under this name is larger than every double, and returns whether any is
/// rounded on its way into the script.
///
/// # Errors
///
/// The first number that is too large, with its path.
pub(crate) fn check(name: &str, value: &Value) -> Result<bool, ScriptError> {
    let mut rounded = false;
    find(value, &mut rounded).map(|()| rounded).map_err(|Overflow { mut steps, number }| {
        steps.reverse();
        let path = steps.concat();
        let message = format!("{name}{path}: {number} is larger than any number of JavaScript");
        ScriptError::new(ErrorKind::InvalidInput, message)
    })
}

/// A number that no double holds, and the way to it from within.
struct Overflow {
    steps: Vec<String>,
    number: String,
}

fn find(value: &Value, rounded: &mut bool) -> Result<(), Overflow> {
    let through = |mut overflow: Overflow, step: String| {
        overflow.steps.push(step);
        overflow
    };
    match value {
        Value::Number(number) => match double_fit(number) {
            DoubleFit::Exact => {}
            DoubleFit::Rounded => *rounded = true,
            DoubleFit::Overflows => {
                return Err(Overflow { steps: Vec::new(), number: excerpt(number.as_str(), SHOWN) });
            }
        },
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find(item, rounded).map_err(|overflow| through(overflow, format!("[{index}]")))?;
            }
        }
        Value::Object(members) => {
            for (key, item) in members {
                find(item, rounded).map_err(|overflow| through(overflow, step(key)))?;
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    Ok(())
}

fn step(key: &str) -> String {
    let mut step = String::new();
    let is_name = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
    let key = excerpt(key, SHOWN);
    // Writing to memory does not fail.
    let _ = if !key.is_empty() && key.chars().all(is_name) {
        write!(step, ".{key}")
    } else {
        write!(step, "[{}]", Value::String(key))
    };
    step
}

#[cfg(test)]
mod tests {
    use flowtrail_types::read_json_value;

    use super::*;

    fn checked(json: &str) -> Result<bool, String> {
        check("input", &read_json_value(json.as_bytes()).unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn what_a_double_cannot_hold_is_found() {
        assert_eq!(checked(r#"{"a": [1, 0.1, 1.10, 9007199254740992, -0]}"#), Ok(false));
        assert_eq!(checked("9007199254740993"), Ok(true));
        assert_eq!(checked(r#"[{"a": 123456789.123456789123}]"#), Ok(true));
        assert_eq!(checked("1e400"), Err("input: 1e400 is larger than any number of JavaScript".to_owned()));
        let error = checked(r#"{"items": [1, {"a b": {"total": -1e999}}]}"#).unwrap_err();
        assert_eq!(error, "input.items[1][\"a b\"].total: -1e999 is larger than any number of JavaScript");
    }
}
