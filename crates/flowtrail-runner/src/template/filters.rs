//! The filters that templates have. Those that make text are written here, because minijinja's own would
//! turn a list into text as large as it likes.

use minijinja::value::Value as Operand;
use minijinja::{Environment, Error, ErrorKind, filters};

use super::{MAX_TEXT, json};

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

/// Puts our filters in the place of the engine's.
pub(super) fn install(engine: &mut Environment<'_>) {
    for name in WITHHELD {
        engine.remove_filter(name);
    }
    engine.add_filter("capitalize", |value: &Operand| {
        let text = text_of(value)?;
        let mut characters = text.chars();
        Ok(characters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(characters.flat_map(char::to_lowercase)).collect()
        }))
    });
    engine.add_filter("join", join);
    engine.add_filter("list", list);
    engine.add_filter("lines", |value: &Operand| {
        Ok(text_of(value)?.lines().map(Operand::from).collect::<Vec<_>>())
    });
    engine.add_filter("lower", |value: &Operand| Ok(text_of(value)?.to_lowercase()));
    engine.add_filter("replace", replace);
    engine.add_filter("split", split);
    engine.add_filter("string", text_of);
    engine.add_filter("title", |value: &Operand| Ok(filters::title(text_of(value)?.into())));
    engine.add_filter("tojson", json::to_text);
    engine.add_filter("trim", |value: &Operand| Ok(text_of(value)?.trim().to_owned()));
    engine.add_filter("upper", |value: &Operand| Ok(text_of(value)?.to_uppercase()));
    engine.add_filter("urlencode", |value: &Operand| match value.as_str() {
        Some(_) => filters::urlencode(value),
        None => filters::urlencode(&Operand::from(text_of(value)?)),
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
