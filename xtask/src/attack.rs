//! `cargo xtask attack`: attacks the server, and prints what `docs/RELIABILITY.md` keeps.

use crate::command::cargo;

/// All of it, on the release build.
pub(crate) fn long() -> Result<(), String> {
    cargo(&["bench", "--package", "flowtrail", "--bench", "attack"])
}

/// The part of it that belongs to the test command, on the build of the tests.
pub(crate) fn short() -> Result<(), String> {
    cargo(&["test", "--package", "flowtrail", "--bench", "attack", "--", "--short"])
}
