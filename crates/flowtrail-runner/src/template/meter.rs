//! What the templates of a node may process. The engine counts instructions, but one instruction may copy a
//! text of megabytes or look at a million items; what they take is counted here, roughly in bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::functions::Function;
use minijinja::value::{
    FunctionArgs, FunctionResult, Object, ObjectRepr, Rest, Value as Operand, ValueKind, ValueOrKwargs,
};
use minijinja::{Environment, Error, ErrorKind, State};

use super::number;

/// Under which name the engine finds the meter. No template can say it.
pub(super) const NAME: &str = "#meter";

/// How many bytes the templates of one node may process.
const BUDGET: usize = 64 * 1024 * 1024;

/// What an item of a list or a field of an object counts for, at least.
const ITEM: usize = 32;

/// How deep a value is weighed. No value that is nested deeper can be shown.
const MAX_DEPTH: usize = 128;

/// What is left of the budget.
#[derive(Debug)]
pub(super) struct Meter(AtomicUsize);

impl Default for Meter {
    fn default() -> Self {
        Self::of(BUDGET)
    }
}

impl Meter {
    /// A meter with so much left.
    pub(super) fn of(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl Object for Meter {
    fn repr(self: &std::sync::Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// How much of a value an operation looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Next to nothing, whatever it is.
    Nothing,
    /// A text from end to end, of everything else only how long it is.
    Text,
    /// A text from end to end, of everything else each item, but nothing within.
    Items,
    /// All of it.
    Whole,
}

impl Weight {
    /// How many bytes of a value are looked at; when it is more than there ever is, only that.
    pub(super) fn of(self, value: &Operand) -> usize {
        match (self, value.as_str()) {
            (Self::Nothing, _) => 0,
            (_, Some(text)) => text.len(),
            // The length of what is computed item by item is known when all have been computed.
            (Self::Text, None) if value.kind() != ValueKind::Iterable => 0,
            (Self::Text | Self::Items, None) => items(value).saturating_mul(ITEM),
            (Self::Whole, None) => {
                let mut left = BUDGET;
                whole(value, &mut left, MAX_DEPTH).map_or(usize::MAX, |()| BUDGET - left)
            }
        }
    }
}

fn items(value: &Operand) -> usize {
    let may_have = matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable);
    let count = || value.try_iter().map_or(0, |items| items.take(BUDGET / ITEM + 1).count());
    if may_have { value.len().unwrap_or_else(count) } else { 0 }
}

/// Takes a value's weight from what is left; nothing when that is not enough.
fn whole(value: &Operand, left: &mut usize, depth: usize) -> Option<()> {
    *left = left.checked_sub(ITEM + value.as_str().map_or(0, str::len))?;
    let deeper = depth.checked_sub(1)?;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().ok()?.try_for_each(|item| whole(&item, left, deeper))
        }
        ValueKind::Map => value.try_iter().ok()?.try_for_each(|key| {
            *left = left.checked_sub(key.as_str().map_or(0, str::len))?;
            whole(&value.get_item(&key).ok()?, left, deeper)
        }),
        _ => Some(()),
    }
}

/// Counts what is about to be processed.
///
/// # Errors
///
/// When it is more than is left.
pub(super) fn charge(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let meter = state.lookup(NAME);
    let is_enough =
        meter.as_ref().and_then(Operand::downcast_object_ref).is_some_and(|meter: &Meter| meter.take(bytes));
    if is_enough {
        return Ok(());
    }
    let message = format!("the templates of this node used more than {BUDGET} bytes of text and items");
    Err(Error::new(ErrorKind::OutOfFuel, message))
}

/// Adds a filter whose arguments and result are counted.
pub(super) fn filter<F, Rv, Args>(engine: &mut Environment<'_>, name: &'static str, weight: Weight, filter: F)
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    let filter = Operand::from_function(filter);
    engine.add_filter(name, move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
        apply(state, &filter, weight, &arguments.into_values())
    });
}

/// Adds a filter that computes with its arguments, which are counted.
pub(super) fn computing<F, Rv, Args>(
    engine: &mut Environment<'_>,
    name: &'static str,
    weight: Weight,
    filter: F,
) where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    let filter = Operand::from_function(filter);
    engine.add_filter(name, move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
        apply(state, &filter, weight, &computable(arguments.into_values())?)
    });
}

/// Adds a test whose arguments are counted.
pub(super) fn test<F, Rv, Args>(engine: &mut Environment<'_>, names: &[&'static str], test: F)
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    let test = Operand::from_function(test);
    for name in names {
        let test = test.clone();
        engine.add_test(*name, move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
            apply(state, &test, Weight::Whole, &computable(arguments.into_values())?)
        });
    }
}

fn computable(arguments: Vec<Operand>) -> Result<Vec<Operand>, Error> {
    arguments.into_iter().map(number::computable).collect()
}

fn apply(
    state: &mut State<'_, '_>,
    function: &Operand,
    weight: Weight,
    arguments: &[Operand],
) -> Result<Operand, Error> {
    charge(state, arguments.iter().map(|argument| weight.of(argument)).fold(0, usize::saturating_add))?;
    let result = function.call(state, arguments)?;
    if weight == Weight::Nothing {
        return Ok(result);
    }
    charge(state, Weight::Items.of(&result))?;
    // What is computed item by item would be computed again by every look at it.
    match result.kind() {
        ValueKind::Iterable => {
            Ok(Operand::from(result.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?))
        }
        _ => Ok(result),
    }
}
