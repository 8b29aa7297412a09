//! Describes whatever a script threw: any value, of which any property may throw in turn.
//!
//! A script can throw a value on purpose to report something, so the message has that value. Nothing here fails: what
//! cannot be read is said to be unreadable. The engine's limits of time, memory and stack hold here too.

use flowtrail_types::replace_unpaired_surrogates_in;
use rquickjs::{Coerced, Ctx, FromJs, Object, Value};

use super::failure::MAX_MESSAGE;
use crate::excerpt::excerpt;

/// How many causes, and errors within errors, are followed.
const MAX_DEPTH: usize = 4;

/// How many errors of an `AggregateError`, and how many properties of an object that has no JSON form, are told.
const MAX_ITEMS: u32 = 5;

/// Stands for a property that throws when it is read.
const UNREADABLE: &str = "(cannot be read)";

/// A thrown value in words: an error by its name, message and causes, everything else as JavaScript or JSON writes it.
pub(super) fn described<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> String {
    described_at(ctx, value, 0)
}

/// The name and the message of an error. A message that is no string is described.
pub(super) fn name_and_message<'js>(ctx: &Ctx<'js>, error: &Object<'js>) -> (String, String) {
    let name = text_property(ctx, error, "name").filter(|name| !name.is_empty());
    // A class that extends `Error` has its name, unless it sets its own.
    let class = || {
        let constructor: Object<'_> = property(ctx, error, "constructor")?;
        text_property(ctx, &constructor, "name").filter(|name| !name.is_empty())
    };
    let name = name.filter(|name| name != "Error").or_else(class).unwrap_or_else(|| "Error".to_owned());
    let message = match read(ctx, || error.get::<_, Value<'_>>("message")) {
        Some(message) if message.is_undefined() => String::new(),
        Some(message) if message.is_string() => text(ctx, &message).unwrap_or_default(),
        Some(message) => described_at(ctx, &message, MAX_DEPTH),
        None => UNREADABLE.to_owned(),
    };
    (name, message)
}

/// A property that is a string.
pub(super) fn text_property<'js>(ctx: &Ctx<'js>, object: &Object<'js>, name: &str) -> Option<String> {
    let value = read(ctx, || object.get::<_, Value<'_>>(name))?;
    if value.is_string() { text(ctx, &value) } else { None }
}

fn described_at<'js>(ctx: &Ctx<'js>, value: &Value<'js>, depth: usize) -> String {
    if let Some(error) = value.as_exception().map(|exception| exception.as_object()) {
        return error_at(ctx, error, depth);
    }
    if let Some(symbol) = value.as_symbol() {
        let description = read(ctx, || symbol.description());
        let description = description.filter(Value::is_string).and_then(|value| text(ctx, &value));
        return format!("Symbol({})", description.unwrap_or_default());
    }
    if value.is_function() {
        let name = value.as_object().and_then(|function| text_property(ctx, function, "name"));
        return format!(
            "the function {}",
            name.filter(|name| !name.is_empty()).unwrap_or_else(|| "without a name".to_owned())
        );
    }
    if value.is_string() {
        return json(ctx, value).unwrap_or_else(|| "a string".to_owned());
    }
    if let Some(object) = value.as_object() {
        return json(ctx, value).unwrap_or_else(|| properties(ctx, object, depth));
    }
    let written = read(ctx, || Coerced::<String>::from_js(ctx, value.clone())).map(|Coerced(text)| text);
    match written {
        Some(digits) if value.is_big_int() => format!("{digits}n"),
        Some(text) => text,
        None => value.type_name().to_owned(),
    }
}

/// `Name: message`, with the causes and the errors that it is made of.
fn error_at<'js>(ctx: &Ctx<'js>, error: &Object<'js>, depth: usize) -> String {
    let (name, message) = name_and_message(ctx, error);
    let mut text = match message.trim() {
        "" => format!("{name} without a message"),
        _ => format!("{name}: {}", excerpt(&message, MAX_MESSAGE)),
    };
    if depth >= MAX_DEPTH {
        return text;
    }
    if let Some(errors) =
        property::<Object<'_>>(ctx, error, "errors").filter(|errors| errors.as_value().is_array())
    {
        let length: u32 = property(ctx, &errors, "length").unwrap_or_default();
        let mut told: Vec<String> = (0..length.min(MAX_ITEMS))
            .map(|index| match read(ctx, || errors.get::<_, Value<'_>>(index)) {
                Some(value) => described_at(ctx, &value, depth + 1),
                None => UNREADABLE.to_owned(),
            })
            .collect();
        if length > MAX_ITEMS {
            told.push(format!("and {} more", length - MAX_ITEMS));
        }
        text.push_str(&format!(" [{}]", told.join("; ")));
    }
    let cause = read(ctx, || error.get::<_, Value<'_>>("cause")).filter(|cause| !cause.is_undefined());
    if let Some(cause) = cause {
        text.push_str(&format!(", caused by {}", described_at(ctx, &cause, depth + 1)));
    }
    text
}

/// The properties of an object that has no JSON form, as far as they can be read.
fn properties<'js>(ctx: &Ctx<'js>, object: &Object<'js>, depth: usize) -> String {
    let keys = read(ctx, || object.keys::<String>().collect::<rquickjs::Result<Vec<String>>>());
    let Some(keys) = keys else { return format!("an object {UNREADABLE}") };
    let mut told: Vec<String> = Vec::new();
    for key in keys.iter().take(MAX_ITEMS as usize) {
        let value = match read(ctx, || object.get::<_, Value<'_>>(key.as_str())) {
            Some(value) if depth < MAX_DEPTH => described_at(ctx, &value, depth + 1),
            Some(_) => "...".to_owned(),
            None => UNREADABLE.to_owned(),
        };
        told.push(format!("{key}: {}", excerpt(&value, MAX_MESSAGE / 4)));
    }
    if keys.len() > MAX_ITEMS as usize {
        told.push("...".to_owned());
    }
    format!("an object {{{}}}", told.join(", "))
}

/// A property, if it can be read and is of this type.
fn property<'js, T: FromJs<'js>>(ctx: &Ctx<'js>, object: &Object<'js>, name: &str) -> Option<T> {
    read(ctx, || object.get(name))
}

/// The JSON of a value, if it has any. A half of a surrogate pair in it is U+FFFD.
fn json<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Option<String> {
    let json = read(ctx, || ctx.json_stringify(value.clone()))??.to_string().ok()?;
    if !json.contains("\\u") {
        return Some(json);
    }
    Some(replace_unpaired_surrogates_in(&json).replace("\\uFFFD", "\u{fffd}"))
}

/// The text of a string. It is written as JSON first, because only there a half of a surrogate pair can be told.
fn text<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Option<String> {
    let json = read(ctx, || ctx.json_stringify(value.clone()))??.to_string().ok()?;
    serde_json::from_str(&replace_unpaired_surrogates_in(&json)).ok()
}

/// Reads something, and forgets what it throws.
fn read<T>(ctx: &Ctx<'_>, value: impl FnOnce() -> rquickjs::Result<T>) -> Option<T> {
    match value() {
        Ok(value) => Some(value),
        Err(error) => {
            if error.is_exception() {
                drop(ctx.catch());
            }
            None
        }
    }
}
