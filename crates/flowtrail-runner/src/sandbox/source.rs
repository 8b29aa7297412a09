//! What a user writes, as a script that the engine takes.

use rquickjs::{Context, Module, Runtime};
use serde::{Deserialize, Serialize};

use super::{MEMORY, ScriptError, failure};

/// The name under which the engine knows the user's code.
pub(super) const FILE: &str = "code";

/// The function that the user's code becomes.
pub(super) const FUNCTION: &str = "transform";

/// The engine's stack while a script is only compiled, in bytes: whoever validates has a thread of any size.
const COMPILE_STACK: usize = 256 * 1024;

/// A script over `input` and `nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Script {
    /// A function body.
    Body(String),
    /// An expression, for its value.
    Expression(String),
    /// An expression, for whether it is true.
    Condition(String),
}

impl Script {
    /// The source that defines the function. The user's code begins on its second line.
    pub(super) fn source(&self) -> String {
        self.wrapped(&format!("function {FUNCTION}(input, nodes) {{"), "}", ["(", ")"])
    }

    /// Whether the user's code may throw a value of its own.
    pub(super) fn throws(&self) -> bool {
        let (Self::Body(code) | Self::Expression(code) | Self::Condition(code)) = self;
        code.contains("throw")
    }

    /// Checks the syntax without running anything.
    ///
    /// # Errors
    ///
    /// What the engine does not understand, with line and column of the user's code.
    pub(crate) fn check(&self) -> Result<(), ScriptError> {
        // Code could close the bracket that it stands in and open another. What may follow a function
        // declaration and what may follow a method exclude each other, and so do round and square
        // brackets: code that is right in both is right by itself.
        compile(&self.source())?;
        let [opening, closing] = [format!("({{ {FUNCTION}(input, nodes) {{"), "} })".to_owned()];
        compile(&self.wrapped(&opening, &closing, ["[", "]"]))
    }

    /// Returns whether a function body that is right returns anything itself, and not only in functions within it.
    pub(crate) fn returns(&self) -> bool {
        // As a module the same statements are right unless one returns.
        matches!(self, Self::Body(code) if compile(code).is_err())
    }

    fn wrapped(&self, opening: &str, closing: &str, [bracket, end]: [&str; 2]) -> String {
        match self {
            Self::Body(code) => format!("{opening}\n{code}\n{closing}"),
            Self::Expression(code) | Self::Condition(code) => {
                format!("{opening} return {bracket}\n{code}\n{end}; {closing}")
            }
        }
    }
}

fn compile(source: &str) -> Result<(), ScriptError> {
    let engine = Runtime::new().map_err(|error| ScriptError::engine(&error))?;
    engine.set_memory_limit(MEMORY);
    engine.set_max_stack_size(COMPILE_STACK);
    let context = Context::full(&engine).map_err(|error| ScriptError::engine(&error))?;
    context.with(|ctx| match Module::declare(ctx.clone(), FILE, source) {
        Ok(_) => Ok(()),
        Err(error) => Err(failure::of(&ctx, &error, false)),
    })
}
