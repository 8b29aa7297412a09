//! Why a script failed, told by the engine's exceptions.

use std::fmt::{self, Display};
use std::time::Duration;

use flowtrail_types::ErrorKind;
use rquickjs::{Ctx, Error};

use super::source::FILE;
use super::thrown;
use crate::duration::spoken;
use crate::excerpt::excerpt;

/// How many characters of a thrown value are told.
pub(super) const MAX_MESSAGE: usize = 2_000;

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

/// What an error of the engine means. `throws` says whether the code has a `throw` of its own.
pub(super) fn of(ctx: &Ctx<'_>, error: &Error, throws: bool) -> ScriptError {
    if !error.is_exception() {
        return ScriptError::engine(error);
    }
    let thrown = ctx.catch();
    // With no memory left not even an error can be made, and the engine throws null. So may the code.
    if thrown.is_null() && !throws {
        return ScriptError::out_of_memory();
    }
    let Some(exception) = thrown.as_exception() else {
        let shown = thrown::described(ctx, &thrown);
        return ScriptError::new(
            ErrorKind::Failed,
            format!("the code threw {}", excerpt(&shown, MAX_MESSAGE)),
        );
    };
    let (name, message) = thrown::name_and_message(ctx, exception.as_object());
    match (name.as_str(), message.as_str()) {
        ("InternalError", "out of memory" | "string too long") => ScriptError::out_of_memory(),
        ("RangeError", "Maximum call stack size exceeded") => {
            ScriptError::new(ErrorKind::Limit, "the code recursed too deeply (512 KiB of stack)")
        }
        _ => {
            let stack = thrown::text_property(ctx, exception.as_object(), "stack");
            let place = stack.as_deref().and_then(place).unwrap_or_default();
            let hint = if message.contains("'await'") { ": the code must not be asynchronous" } else { "" };
            let text = excerpt(&thrown::described(ctx, &thrown), MAX_MESSAGE);
            ScriptError::new(ErrorKind::Failed, format!("{text}{hint}{place}"))
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
