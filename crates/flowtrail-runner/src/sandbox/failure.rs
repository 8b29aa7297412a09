//! Why a script failed, told by the engine's exceptions.

use std::fmt::{self, Display};
use std::time::Duration;

use flowtrail_types::ErrorKind;
use rquickjs::{Ctx, Error, Value};

use super::source::FILE;
use crate::duration::spoken;
use crate::excerpt::excerpt;

/// How many characters of a thrown value are told.
const MAX_MESSAGE: usize = 2_000;

/// Why a script failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScriptError {
    /// What happened, with the line of the user's code where it is known.
    pub(crate) message: String,
    /// The same in one word.
    pub(crate) kind: ErrorKind,
}

impl ScriptError {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { message: message.into(), kind }
    }

    pub(super) fn too_slow(time: Duration) -> Self {
        Self::new(ErrorKind::Timeout, format!("the code ran longer than {}", spoken(time)))
    }

    pub(super) fn out_of_memory() -> Self {
        Self::new(ErrorKind::Limit, "the code used more than 64 MiB of memory")
    }

    pub(super) fn engine(error: &Error) -> Self {
        match error {
            Error::Allocation => Self::out_of_memory(),
            error => Self::new(ErrorKind::Internal, format!("the script engine failed: {error}")),
        }
    }
}

impl Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What an error of the engine means.
pub(super) fn of(ctx: &Ctx<'_>, error: &Error) -> ScriptError {
    if !error.is_exception() {
        return ScriptError::engine(error);
    }
    let thrown = ctx.catch();
    // With no memory left not even an error can be made.
    if thrown.is_null() || thrown.is_undefined() {
        return ScriptError::out_of_memory();
    }
    let Some(exception) = thrown.as_exception() else {
        return ScriptError::new(ErrorKind::Failed, format!("the code threw {}", shown(ctx, &thrown)));
    };
    let name: String = exception.as_object().get("name").unwrap_or_default();
    let message = exception.message().unwrap_or_default();
    match (name.as_str(), message.as_str()) {
        ("InternalError", "out of memory" | "string too long") => ScriptError::out_of_memory(),
        ("RangeError", "Maximum call stack size exceeded") => {
            ScriptError::new(ErrorKind::Limit, "the code recursed too deeply (512 KiB of stack)")
        }
        _ => {
            let place = exception.stack().as_deref().and_then(place).unwrap_or_default();
            let hint = if message.contains("'await'") { ": the code must not be asynchronous" } else { "" };
            let text = if message.is_empty() { name } else { format!("{name}: {message}") };
            ScriptError::new(ErrorKind::Failed, format!("{}{hint}{place}", excerpt(&text, MAX_MESSAGE)))
        }
    }
}

/// ` (line 3, column 5)`, from the first place of a stack that lies in the user's code. The user's first
/// line is the script's second.
fn place(stack: &str) -> Option<String> {
    let (_, rest) = stack.split_once(&format!("{FILE}:"))?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    let line = numbers.next()?.parse::<u32>().ok()?.checked_sub(1).filter(|line| *line > 0)?;
    let column = numbers.next()?;
    Some(format!(" (line {line}, column {column})"))
}

/// A thrown value that is no error.
fn shown<'js>(ctx: &Ctx<'js>, thrown: &Value<'js>) -> String {
    let json = ctx.json_stringify(thrown.clone()).ok().flatten().and_then(|json| json.to_string().ok());
    json.map_or_else(|| format!("a {}", thrown.type_name()), |json| excerpt(&json, MAX_MESSAGE))
}
