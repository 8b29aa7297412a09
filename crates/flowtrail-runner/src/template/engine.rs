//! The one place that compiles and runs minijinja.

use std::collections::HashSet;
use std::io;
use std::sync::LazyLock;

use flowtrail_types::ErrorKind;
use minijinja::value::Value as Operand;
use minijinja::{Environment, Error, ErrorKind as EngineError, Output, State, UndefinedBehavior};
use serde_json::Value;

use super::{MAX_TEXT, Scope, TemplateError, filters, json};

/// How many instructions a template may take.
const FUEL: u64 = 100_000;

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
    let value = ENGINE
        .compile_expression_owned(source.to_owned())
        .and_then(|expression| expression.eval(scope.to_operand()))
        .map_err(|error| failure(&error))?;
    if value.is_undefined() {
        let message = format!("`{}` is undefined", source.trim());
        return Err(TemplateError::new(ErrorKind::Failed, message));
    }
    json::to_json(&value).map_err(|error| failure(&error))
}

/// The text that a template gives.
pub(super) fn write(source: &str, scope: &Scope) -> Result<String, TemplateError> {
    let engine: Environment<'_> = ENGINE.clone();
    let mut text = Bounded::default();
    let rendered = engine
        .template_from_str(source)
        .and_then(|template| template.render_captured_to(scope.to_operand(), &mut text).map(drop));
    if text.exceeded {
        let message = format!("the template gives more than {MAX_TEXT} bytes of text");
        return Err(TemplateError::new(ErrorKind::Limit, message));
    }
    rendered.map_err(|error| failure(&error))?;
    String::from_utf8(text.bytes)
        .map_err(|_| TemplateError::new(ErrorKind::Internal, "the template gives text that is not UTF-8"))
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
            TemplateError::new(ErrorKind::Limit, "the template takes more steps than it may")
        }
        _ => TemplateError::new(ErrorKind::Failed, spoken(error)),
    }
}

/// Writes a value into text: a string as it is, everything else as JSON.
fn write_operand(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Operand) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => out.write_str(text)?,
        None => out.write_str(&json::to_text(value)?)?,
    }
    Ok(())
}

fn range(first: i64, end: Option<i64>) -> Result<Vec<i64>, Error> {
    let (start, end) = end.map_or((0, first), |end| (first, end));
    if end.saturating_sub(start) > MAX_RANGE {
        let message = format!("range has at most {MAX_RANGE} numbers");
        return Err(Error::new(EngineError::InvalidOperation, message));
    }
    Ok((start..end).collect())
}

/// Takes text up to [`MAX_TEXT`] bytes.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    exceeded: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_TEXT {
            self.exceeded = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
