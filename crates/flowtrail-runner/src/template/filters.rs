//! The filters that templates have. Those that make text are written here, because minijinja's own would
//! turn a list into text as large as it likes.

use minijinja::value::Value as Operand;
use minijinja::{Environment, Error, ErrorKind, filters, tests};

use super::meter::{self, Weight};
use super::{MAX_TEXT, json, number, ordering};

/// The names of all filters.
pub(super) const NAMES: [&str; 37] = [
    "abs",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
];

/// minijinja's own filters that are not offered.
const WITHHELD: [&str; 12] = [
    "attr", "batch", "chain", "e", "escape", "format", "groupby", "indent", "pprint", "safe", "slice", "zip",
];

/// Puts our filters in the place of the engine's, and counts what all of them, and the tests, process.
pub(super) fn install(engine: &mut Environment<'_>) {
    for name in WITHHELD {
        engine.remove_filter(name);
    }
    install_own(engine);
    for name in ["d", "default"] {
        meter::filter(engine, name, Weight::Nothing, filters::default);
    }
    for name in ["count", "length"] {
        meter::filter(engine, name, Weight::Text, filters::length);
    }
    meter::computing(engine, "abs", Weight::Nothing, filters::abs);
    meter::computing(engine, "bool", Weight::Nothing, filters::bool);
    meter::filter(engine, "first", Weight::Nothing, filters::first);
    meter::computing(engine, "round", Weight::Nothing, filters::round);
    meter::computing(engine, "float", Weight::Text, filters::float);
    meter::computing(engine, "int", Weight::Text, filters::int);
    meter::filter(engine, "last", Weight::Text, filters::last);
    meter::filter(engine, "items", Weight::Items, filters::items);
    meter::filter(engine, "map", Weight::Items, filters::map);
    meter::filter(engine, "reject", Weight::Items, filters::reject);
    meter::filter(engine, "rejectattr", Weight::Items, filters::rejectattr);
    meter::filter(engine, "reverse", Weight::Items, filters::reverse);
    meter::filter(engine, "select", Weight::Items, filters::select);
    meter::filter(engine, "selectattr", Weight::Items, filters::selectattr);
    ordering::install(engine);
    install_tests(engine);
}

fn install_own(engine: &mut Environment<'_>) {
    meter::filter(engine, "capitalize", Weight::Whole, |value: &Operand| {
        let text = text_of(value)?;
        let mut characters = text.chars();
        Ok::<_, Error>(characters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(characters.flat_map(char::to_lowercase)).collect()
        }))
    });
    meter::filter(engine, "join", Weight::Whole, join);
    meter::filter(engine, "list", Weight::Items, list);
    meter::filter(engine, "lines", Weight::Whole, |value: &Operand| {
        Ok::<_, Error>(text_of(value)?.lines().map(Operand::from).collect::<Vec<_>>())
    });
    meter::filter(engine, "lower", Weight::Whole, |value: &Operand| {
        text_of(value).map(|text| text.to_lowercase())
    });
    meter::filter(engine, "replace", Weight::Whole, replace);
    meter::filter(engine, "split", Weight::Whole, split);
    meter::filter(engine, "string", Weight::Whole, text_of);
    meter::filter(engine, "title", Weight::Whole, |value: &Operand| {
        text_of(value).map(|text| filters::title(text.into()))
    });
    meter::filter(engine, "tojson", Weight::Whole, json::to_text);
    meter::filter(engine, "trim", Weight::Whole, |value: &Operand| {
        text_of(value).map(|text| text.trim().to_owned())
    });
    meter::filter(engine, "upper", Weight::Whole, |value: &Operand| {
        text_of(value).map(|text| text.to_uppercase())
    });
    meter::filter(engine, "urlencode", Weight::Whole, |value: &Operand| match value.as_str() {
        Some(_) => filters::urlencode(value),
        None => filters::urlencode(&Operand::from(text_of(value)?)),
    });
}

/// Counts what those tests process that look at more than the kind of a value.
fn install_tests(engine: &mut Environment<'_>) {
    meter::test(engine, &["eq", "equalto", "=="], tests::is_eq);
    meter::test(engine, &["ne", "!="], tests::is_ne);
    meter::test(engine, &["lt", "lessthan", "<"], tests::is_lt);
    meter::test(engine, &["le", "<="], tests::is_le);
    meter::test(engine, &["gt", "greaterthan", ">"], tests::is_gt);
    meter::test(engine, &["ge", ">="], tests::is_ge);
    meter::test(engine, &["in"], tests::is_in);
    meter::test(engine, &["startingwith"], tests::is_startingwith);
    meter::test(engine, &["endingwith"], tests::is_endingwith);
    meter::test(engine, &["lower"], tests::is_lower);
    meter::test(engine, &["upper"], tests::is_upper);
    engine.add_test("number", |value: &Operand| number::exact(value).is_some() || tests::is_number(value));
    engine.add_test("float", |value: &Operand| number::exact(value).is_some() || tests::is_float(value));
    engine.add_test("odd", |value: Operand| number::computable(value).map(tests::is_odd));
    engine.add_test("even", |value: Operand| number::computable(value).map(tests::is_even));
    engine.add_test("divisibleby", |value: Operand, other: Operand| {
        Ok::<_, Error>(tests::is_divisibleby(&number::computable(value)?, &number::computable(other)?))
    });
}

/// A value as text: a string as it is, everything else as JSON.
fn text_of(value: &Operand) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_undefined() => Err(Error::from(ErrorKind::UndefinedError)),
        None => json::to_text(value),
    }
}

fn join(value: &Operand, separator: Option<&str>) -> Result<String, Error> {
    let separator = separator.unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in value.try_iter()?.checked().enumerate() {
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&text_of(&item?)?);
        bound(joined.len())?;
    }
    Ok(joined)
}

fn list(value: &Operand) -> Result<Operand, Error> {
    match value.as_str() {
        Some(text) => {
            Ok(Operand::from(text.chars().map(|c| Operand::from(c.to_string())).collect::<Vec<_>>()))
        }
        None => Ok(Operand::from(value.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?)),
    }
}

fn replace(value: &Operand, from: &str, to: &str) -> Result<String, Error> {
    let text = text_of(value)?;
    let growth = to.len().saturating_sub(from.len());
    if growth > 0 {
        bound(text.matches(from).count().saturating_mul(growth).saturating_add(text.len()))?;
    }
    Ok(text.replace(from, to))
}

fn split(value: &Operand, separator: Option<&str>) -> Result<Vec<Operand>, Error> {
    let text = text_of(value)?;
    Ok(match separator {
        None | Some("") => text.split_whitespace().map(Operand::from).collect(),
        Some(separator) => text.split(separator).map(Operand::from).collect(),
    })
}

fn bound(length: usize) -> Result<(), Error> {
    if length <= MAX_TEXT {
        return Ok(());
    }
    let message = format!("the filter gives more than {MAX_TEXT} bytes of text");
    Err(Error::new(ErrorKind::InvalidOperation, message))
}
