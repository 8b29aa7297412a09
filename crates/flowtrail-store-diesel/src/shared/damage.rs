//! Rows that do not make sense. Lists leave them out and tell of them, so that a damaged row affects nothing but itself.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use flowtrail_store::{Damage, StoreError};

/// Most rows that are remembered as told.
const REMEMBERED: usize = 1_000;

/// The rows that were told in the log. Lists are read again and again, and a row is told once.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What could be read, and the rows that could not.
pub(super) fn sound<T>(
    read: impl IntoIterator<Item = Result<T, StoreError>>,
) -> Result<(Vec<T>, Vec<Damage>), StoreError> {
    let mut damaged = Vec::new();
    let mut items = Vec::new();
    for item in read {
        match item {
            Ok(item) => items.push(item),
            Err(error) => damaged.push(left_out(error)?),
        }
    }
    Ok((items, damaged))
}

/// The same where nobody asks for the rows that could not be read.
pub(super) fn only_sound<T>(
    read: impl IntoIterator<Item = Result<T, StoreError>>,
) -> Result<Vec<T>, StoreError> {
    sound(read).map(|(items, _)| items)
}

/// The damaged row that an error tells of, which is left out; other errors are passed on.
pub(super) fn left_out(error: StoreError) -> Result<Damage, StoreError> {
    let Some(damage) = error.damage() else { return Err(error) };
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.len() < REMEMBERED && told.insert(damage.to_string()) {
        log::error!("left out: {error}");
    }
    Ok(damage)
}
