//! The one place that compiles and runs minijinja.

use std::collections::HashSet;
use std::sync::LazyLock;

use flowtrail_types::ErrorKind;
use minijinja::value::Value as Operand;
use minijinja::{Environment, Error, ErrorKind as EngineError, Output, State, UndefinedBehavior};
use serde_json::Value;

use super::meter::Weight;
use super::program::{self, Program};
use super::{MAX_TEXT, Scope, TemplateError, filters, json, meter};

/// How many instructions a template may take, those that count among them.
const FUEL: u64 = 200_000;

/// The functions that templates have; names that are no variables.
pub(super) const FUNCTIONS: [&str; 1] = ["range"];

/// How many numbers `range` makes at most.
const MAX_RANGE: i64 = 10_000;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    for global in ["dict", "debug", "namespace"] {
        engine.remove_global(global);
    }
    engine.add_function("range", range);
    filters::install(&mut engine);
    program::install(&mut engine);
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_formatter(write_operand);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(64);
    // It is what makes an error name the path that is undefined.
    engine.set_debug(true);
    engine
});

/// The variables of an expression.
pub(super) fn names_in_expression(source: &str) -> Result<HashSet<String>, String> {
    let expression = ENGINE.compile_expression_owned(source.to_owned()).map_err(|error| spoken(&error))?;
    Ok(expression.undeclared_variables(false))
}

/// The variables of a text with templates in it.
pub(super) fn names_in_text(source: &str) -> Result<HashSet<String>, String> {
    let engine: Environment<'_> = ENGINE.clone();
    let template = engine.template_from_str(source).map_err(|error| spoken(&error))?;
    Ok(template.undeclared_variables(false))
}

/// The value of an expression.
pub(super) fn evaluate(source: &str, scope: &Scope) -> Result<Value, TemplateError> {
    let value = Program::of_expression(source)
        .and_then(|program| program.run(&ENGINE, scope.to_operand()))
        .map_err(|error| failure(&error))?
        .0
        .unwrap_or_default();
    if value.is_undefined() {
        let message = format!("`{}` is undefined", source.trim());
        return Err(TemplateError::new(ErrorKind::Failed, message));
    }
    json::to_json(&value).map_err(|error| failure(&error))
}

/// The text that a template gives.
pub(super) fn write(source: &str, scope: &Scope) -> Result<String, TemplateError> {
    Program::of_text(source)
        .and_then(|program| program.run(&ENGINE, scope.to_operand()))
        .map(|(_, text)| text)
        .map_err(|error| failure(&error))
}

/// An engine's error for a person, without the name of a file that there is not.
pub(super) fn spoken(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (EngineError::UndefinedError | EngineError::InvalidOperation, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}

fn failure(error: &Error) -> TemplateError {
    match error.kind() {
        EngineError::OutOfFuel => {
            // What is counted here and not by the engine says more about it.
            let message = error.detail().unwrap_or("the template takes more steps than it may");
            TemplateError::new(ErrorKind::Limit, message)
        }
        _ => TemplateError::new(ErrorKind::Failed, spoken(error)),
    }
}

/// Writes a value into text: a string as it is, everything else as JSON.
fn write_operand(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Operand) -> Result<(), Error> {
    meter::charge(state, Weight::Whole.of(value))?;
    match value.as_str() {
        Some(text) => write_text(out, state, text),
        None => write_text(out, state, &json::to_text(value)?),
    }
}

fn write_text(out: &mut Output<'_>, state: &mut State<'_, '_>, text: &str) -> Result<(), Error> {
    let Written(written) = state.get_or_insert_extension(Written(0));
    *written += text.len();
    if *written > MAX_TEXT {
        let message = format!("the template gives more than {MAX_TEXT} bytes of text");
        return Err(Error::new(EngineError::OutOfFuel, message));
    }
    Ok(out.write_str(text)?)
}

/// How many bytes of text a template has written.
struct Written(usize);

fn range(state: &State<'_, '_>, first: i64, end: Option<i64>) -> Result<Vec<i64>, Error> {
    let (start, end) = end.map_or((0, first), |end| (first, end));
    if end.saturating_sub(start) > MAX_RANGE {
        let message = format!("range has at most {MAX_RANGE} numbers");
        return Err(Error::new(EngineError::InvalidOperation, message));
    }
    let numbers: Vec<i64> = (start..end).collect();
    meter::charge(state, size_of_val(numbers.as_slice()))?;
    Ok(numbers)
}
