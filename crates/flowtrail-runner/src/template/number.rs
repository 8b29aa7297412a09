//! JSON's numbers among the template engine's values.
//!
//! The engine computes with 64- and 128-bit integers and doubles. A number that none of them writes back as it was sent
//! (`1.10`, `1e2`, more digits than a double keeps) passes through a template as an object that holds its text, and becomes
//! a double where something is computed with it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ObjectRepr, Serde, Value as Operand, ValueKind};
use minijinja::{Error, ErrorKind};
use serde::ser::{Serialize, Serializer};
use serde_json::{Number, Value};

/// Returns the operand of a JSON value.
pub(super) fn operand(json: &Value) -> Operand {
    Operand::from(Serde(&Within(json)))
}

/// A number that only its text holds exactly.
#[derive(Debug)]
struct Exact(Number);

impl Exact {
    fn as_double(&self) -> Option<f64> {
        self.0.as_str().parse().ok().filter(|double: &f64| double.is_finite())
    }
}

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.as_double() != Some(0.0)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        let double = |number: &Self| number.0.as_str().parse().unwrap_or(f64::NAN);
        Some(double(self).total_cmp(&double(other)))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// The number as it was sent, when the operand is one that only its text holds.
pub(super) fn exact(operand: &Operand) -> Option<&Number> {
    operand.downcast_object_ref::<Exact>().map(|exact| &exact.0)
}

/// The operand to compute with: doubles in place of numbers that only their text holds, also those that are items of it.
///
/// # Errors
///
/// When a number is larger than every double.
pub(super) fn computable(operand: Operand) -> Result<Operand, Error> {
    if let Some(exact) = operand.downcast_object_ref::<Exact>() {
        return exact.as_double().map(Operand::from).ok_or_else(|| {
            let message = format!("the number {} is too large to compute with", short(exact.0.as_str()));
            Error::new(ErrorKind::InvalidOperation, message)
        });
    }
    let is_list = operand.kind() == ValueKind::Seq;
    if is_list && operand.try_iter()?.any(|item| exact(&item).is_some()) {
        return operand.try_iter()?.map(computable).collect::<Result<Vec<_>, _>>().map(Operand::from);
    }
    Ok(operand)
}

/// As [`computable`], at any depth.
///
/// # Errors
///
/// When a number is larger than every double.
pub(super) fn computable_throughout(operand: &Operand) -> Result<Operand, Error> {
    match operand.kind() {
        ValueKind::Seq => {
            let items = operand.try_iter()?.map(|item| computable_throughout(&item));
            items.collect::<Result<Vec<_>, _>>().map(Operand::from)
        }
        ValueKind::Map => {
            let member = |key: Operand| {
                let value = computable_throughout(&operand.get_item(&key)?)?;
                Ok((key.as_str().map_or_else(|| key.to_string(), str::to_owned), value))
            };
            operand.try_iter()?.map(member).collect::<Result<BTreeMap<_, _>, Error>>().map(Operand::from)
        }
        _ => computable(operand.clone()),
    }
}

/// Whether the operand is or has within it a number that only its text holds.
pub(super) fn has_exact(operand: &Operand) -> bool {
    let mut within = operand.try_iter().into_iter().flatten();
    match operand.kind() {
        ValueKind::Seq => within.any(|item| has_exact(&item)),
        ValueKind::Map => within.any(|key| operand.get_item(&key).is_ok_and(|item| has_exact(&item))),
        _ => exact(operand).is_some(),
    }
}

fn short(number: &str) -> String {
    const SHOWN: usize = 40;
    if number.len() > SHOWN { format!("{}…", &number[..SHOWN]) } else { number.to_owned() }
}

/// A value on its way into the engine.
struct Within<'a>(&'a Value);

impl Serialize for Within<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => serialize_number(number, serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Within)),
            Value::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, Within(value))))
            }
            plain => plain.serialize(serializer),
        }
    }
}

fn serialize_number<S: Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    let text = number.as_str();
    let is_integer = text != "-0" && !text.contains(['.', 'e', 'E']);
    if is_integer && let Ok(integer) = text.parse::<i64>() {
        return serializer.serialize_i64(integer);
    }
    if is_integer && let Ok(integer) = text.parse::<u64>() {
        return serializer.serialize_u64(integer);
    }
    match text.parse().ok().and_then(Number::from_f64) {
        Some(double) if double.as_str() == text => {
            serializer.serialize_f64(double.as_f64().unwrap_or_default())
        }
        _ => Operand::from_object(Exact(number.clone())).serialize(serializer),
    }
}
