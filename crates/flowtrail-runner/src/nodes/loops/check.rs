//! What a `Loop`'s parameters must be.

use serde_json::Value;

use super::super::Check;
use super::{DEFAULT_ITERATIONS, MAX_ITERATIONS};
use crate::sandbox::Script;
use crate::template::has_template;

const DECIDE: [&str; 3] = ["over", "count", "until"];

pub(super) fn check(check: &mut Check<'_, '_>) {
    check.only(&["over", "count", "until", "maxIterations"]);
    let given: Vec<&str> = DECIDE.into_iter().filter(|name| check.parameter(name).is_some()).collect();
    match given.as_slice() {
        [_] => {}
        [] => check.problem("over", "is missing: a Loop has one of over, count and until"),
        [_, more @ ..] => {
            for name in more {
                check.problem(name, "is one too many: a Loop has one of over, count and until");
            }
        }
    }
    if given.contains(&"over")
        && let Some(over) = check.required_text("over")
    {
        check.script("over", &Script::Expression(over.to_owned()));
    }
    if given.contains(&"until")
        && let Some(until) = check.required_text("until")
    {
        check.script("until", &Script::Condition(until.to_owned()));
    }
    let most = check_most(check);
    match check.parameter("count") {
        None => {}
        Some(Value::String(text)) if has_template(text) => check.templates("count"),
        Some(count) => match count.as_u64() {
            Some(count) if count > most => {
                let message =
                    format!("is {count}, more than the {most} iterations that maxIterations allows");
                check.problem("count", message);
            }
            Some(_) => {}
            None => check.problem("count", "must be a whole number from 0, or a template that gives one"),
        },
    }
}

fn check_most(check: &mut Check<'_, '_>) -> u64 {
    let (default, longest) = (DEFAULT_ITERATIONS as u64, MAX_ITERATIONS as u64);
    let Some(most) = check.parameter("maxIterations") else { return default };
    most.as_u64().filter(|most| (1..=longest).contains(most)).unwrap_or_else(|| {
        check.problem("maxIterations", format!("must be a whole number from 1 to {MAX_ITERATIONS}"));
        longest
    })
}
