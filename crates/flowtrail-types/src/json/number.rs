//! Numbers by their text: compared by value, and held against what a double can hold.

use serde_json::{Number, Value};

/// How a number fits into a double (IEEE 754 binary64), the only number of JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubleFit {
    /// The double is the number, or is shown with exactly its digits, as 0.1 is.
    Exact,
    /// The nearest double is another number.
    Rounded,
    /// It is larger than every double.
    Overflows,
}

/// How a number fits into a double.
#[must_use]
pub fn double_fit(number: &Number) -> DoubleFit {
    let text = number.as_str();
    // The significant digits that every double keeps.
    if text.len() <= 15 && !text.contains(['e', 'E']) {
        return DoubleFit::Exact;
    }
    let Ok(double) = text.parse::<f64>() else { return DoubleFit::Overflows };
    if double.is_infinite() {
        return DoubleFit::Overflows;
    }
    let exact = Decimal::of(text);
    // The second is the whole value of the double, whose last digit is at most the 1,074th behind the point.
    let is_exact =
        Decimal::of(&format!("{double:e}")) == exact || Decimal::of(&format!("{double:.1074}")) == exact;
    if is_exact { DoubleFit::Exact } else { DoubleFit::Rounded }
}

/// The text of a number as it was recorded before numbers kept theirs: rounded to 64 bits, in one form. `None` for numbers
/// that were refused then.
#[must_use]
pub fn number_as_rounded(number: &Number) -> Option<String> {
    let text = number.as_str();
    let is_integer = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    if is_integer && text != "-0" {
        return Some(text.to_owned());
    }
    // Typed numbers are still read by serde_json's own rounding, which is not always to the nearest double.
    let double: f64 = serde_json::from_str(text).ok()?;
    Number::from_f64(double).map(|number| number.as_str().to_owned())
}

/// The value as it was recorded before numbers kept their text. `None` when it is the same, or when it was refused then.
#[must_use]
pub fn json_as_rounded(value: &Value) -> Option<Value> {
    if is_of_short_integers(value) {
        return None;
    }
    let mut rounded = value.clone();
    let mut is_changed = false;
    round_within(&mut rounded, &mut is_changed)?;
    is_changed.then_some(rounded)
}

/// Whether every number in a value is an integer of few digits, which was never written in another way.
fn is_of_short_integers(value: &Value) -> bool {
    const ALWAYS_64_BITS: usize = 18;
    match value {
        Value::Number(number) => {
            let text = number.as_str();
            text.len() <= ALWAYS_64_BITS && text != "-0" && !text.contains(['.', 'e', 'E'])
        }
        Value::Array(items) => items.iter().all(is_of_short_integers),
        Value::Object(members) => members.values().all(is_of_short_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Rounds the numbers within. `None` when one of them was refused.
fn round_within(value: &mut Value, is_changed: &mut bool) -> Option<()> {
    match value {
        Value::Number(number) => {
            let rounded = number_as_rounded(number)?;
            if rounded != number.as_str() {
                *number = Number::from_string_unchecked(rounded);
                *is_changed = true;
            }
            Some(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| round_within(item, is_changed)),
        Value::Object(members) => members.values_mut().try_for_each(|item| round_within(item, is_changed)),
        Value::Null | Value::Bool(_) | Value::String(_) => Some(()),
    }
}

/// The number as an integer: `3.0` and `30e-1` as `3`. `None` when it has a fraction. An integer, and one that would have
/// more than 400 digits, is returned as it is.
#[must_use]
pub fn whole_number(number: &Number) -> Option<Number> {
    const MAX_DIGITS: i64 = 400;
    let text = number.as_str();
    if !text.contains(['.', 'e', 'E']) {
        return Some(number.clone());
    }
    let Decimal { is_negative, digits, exponent } = Decimal::of(text);
    if exponent < 0 {
        return None;
    }
    let length = exponent.saturating_add(digits.len() as i64);
    Some(match usize::try_from(exponent) {
        _ if digits.is_empty() => Number::from(0),
        Ok(zeros) if length <= MAX_DIGITS => {
            let sign = if is_negative { "-" } else { "" };
            Number::from_string_unchecked(format!("{sign}{digits}{}", "0".repeat(zeros)))
        }
        _ => number.clone(),
    })
}

/// Whether two numbers have the same value, as `1.0`, `1` and `10e-1` have.
#[must_use]
pub fn same_number(one: &Number, other: &Number) -> bool {
    one == other || Decimal::of(one.as_str()) == Decimal::of(other.as_str())
}

/// Whether two values are the same, numbers by their value.
#[must_use]
pub fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_json(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same_json(value, other)))
        }
        (one, other) => one == other,
    }
}

/// A decimal number in its one form: no zeros at either end of the digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    /// Reads a number of JSON. Exponents beyond 64 bits saturate.
    fn of(text: &str) -> Self {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        let digits = digits.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return Self { is_negative: false, digits: String::new(), exponent: 0 };
        }
        let zeros = (digits.len() - kept.len()) as i64;
        let huge = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        let exponent = exponent.parse().unwrap_or(huge);
        let exponent = exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros);
        Self { is_negative, digits: kept.to_owned(), exponent }
    }
}
