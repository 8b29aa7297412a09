//! The filters that compare or add values. They see doubles where only the text of a number holds it, and give what they
//! choose as it was sent.

use std::collections::BTreeMap;

use minijinja::value::{Kwargs, Value as Operand};
use minijinja::{Environment, Error, State, filters};

use super::meter::{self, Weight};
use super::number;

/// Adds the filters.
pub(super) fn install(engine: &mut Environment<'_>) {
    meter::filter(
        engine,
        "sum",
        Weight::Items,
        |state: &State<'_, '_>,
         values: Operand,
         attribute: Option<&str>,
         start: Option<Operand>,
         options: Kwargs| { filters::sum(state, as_doubles(values)?, attribute, start, options) },
    );
    meter::filter(engine, "dictsort", Weight::Whole, |value: Operand, options: Kwargs| {
        let by_value = options.peek::<Option<&str>>("by").is_ok_and(|by| by == Some("value"));
        let value = if by_value { as_doubles(value)? } else { value };
        filters::dictsort(&value, options)
    });
    meter::filter(engine, "max", Weight::Whole, |state: &State<'_, '_>, value: Operand, options: Kwargs| {
        choose(state, value, options, filters::max)
    });
    meter::filter(engine, "min", Weight::Whole, |state: &State<'_, '_>, value: Operand, options: Kwargs| {
        choose(state, value, options, filters::min)
    });
    meter::filter(engine, "sort", Weight::Whole, |state: &State<'_, '_>, value: Operand, options: Kwargs| {
        order(state, value, options, filters::sort)
    });
    meter::filter(
        engine,
        "unique",
        Weight::Whole,
        |state: &State<'_, '_>, value: Operand, options: Kwargs| {
            order(state, value, options, filters::unique)
        },
    );
}

type Filter = fn(&State<'_, '_>, Operand, Kwargs) -> Result<Operand, Error>;

/// The member of a compared pair that is returned.
const SENT: &str = "sent";

/// The member of a compared pair that is compared.
const COMPARED: &str = "compared";

fn as_doubles(value: Operand) -> Result<Operand, Error> {
    if number::has_exact(&value) { number::computable_throughout(&value) } else { Ok(value) }
}

/// Applies a filter that gives some of the items.
fn order(state: &State<'_, '_>, items: Operand, options: Kwargs, filter: Filter) -> Result<Operand, Error> {
    if !number::has_exact(&items) {
        return filter(state, items, options);
    }
    let (pairs, options) = pairs(&items, &options)?;
    let chosen = filter(state, pairs, options)?;
    chosen.try_iter()?.map(|pair| pair.get_attr(SENT)).collect::<Result<Vec<_>, _>>().map(Operand::from)
}

/// Applies a filter that gives one of the items.
fn choose(state: &State<'_, '_>, items: Operand, options: Kwargs, filter: Filter) -> Result<Operand, Error> {
    if !number::has_exact(&items) {
        return filter(state, items, options);
    }
    let (pairs, options) = pairs(&items, &options)?;
    filter(state, pairs, options)?.get_attr(SENT)
}

/// The items beside what is compared of them, and the options by which the filter compares that.
fn pairs(items: &Operand, options: &Kwargs) -> Result<(Operand, Kwargs), Error> {
    let pair = |item: Operand| {
        let compared = number::computable_throughout(&item)?;
        Ok(Operand::from(BTreeMap::from([(COMPARED, compared), (SENT, item)])))
    };
    let pairs = items.try_iter()?.map(pair).collect::<Result<Vec<_>, Error>>()?;
    let attribute = match options.get::<Option<&str>>("attribute")? {
        Some(paths) => {
            let path = |path: &str| format!("{COMPARED}.{}", path.trim());
            paths.split(',').map(path).collect::<Vec<_>>().join(",")
        }
        None => COMPARED.to_owned(),
    };
    let others = options.args().filter(|name| *name != "attribute");
    let mut changed =
        others.map(|name| Ok((name, options.get::<Operand>(name)?))).collect::<Result<Vec<_>, Error>>()?;
    changed.push(("attribute", Operand::from(attribute)));
    Ok((Operand::from(pairs), changed.into_iter().collect()))
}
