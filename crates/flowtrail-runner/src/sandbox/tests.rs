//! Scripts through their door: [`Sandbox::run`] and [`Script::check`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowtrail_types::{ErrorKind, UserId, read_json_value};
use serde_json::{Value, json};

use super::{Sandbox, Script, ScriptError};
use crate::template::Shared;

fn sandbox(time: Duration) -> Sandbox {
    Sandbox::new(time, 100, None)
}

fn user() -> UserId {
    UserId::from_uuid(uuid::Uuid::nil())
}

async fn run(code: &str) -> Result<Value, ScriptError> {
    run_within(Duration::from_secs(20), code).await
}

async fn run_within(time: Duration, code: &str) -> Result<Value, ScriptError> {
    let nodes = BTreeMap::from([("ask".to_owned(), Shared::new(json!({"id": 7})))]);
    let sandbox = sandbox(time);
    sandbox
        .run(
            user(),
            Script::Body(code.to_owned()),
            &Shared::new(json!({"n": 1, "text": "é\u{0}"})),
            Arc::new(nodes),
        )
        .await
        .map(|json| json.value)
}

#[tokio::test]
async fn a_script_transforms_its_input() {
    for (code, expected) in [
        ("return { n: input.n + 1 }", json!({"n": 2})),
        ("return nodes.ask.id", json!(7)),
        ("return [nodes.ask === nodes.ask, Object.keys(nodes)]", json!([true, ["ask"]])),
        ("nodes.ask = 1; return nodes.ask", json!(1)),
        ("return input.text", json!("é\u{0}")),
        ("return", json!(null)),
        ("", json!(null)),
        ("return [undefined, NaN, 1.5] // a comment", json!([null, null, 1.5])),
        (
            "return typeof require + typeof process + typeof std + typeof console + typeof fetch",
            json!("undefined".repeat(5)),
        ),
    ] {
        assert_eq!(run(code).await, Ok(expected), "{code}");
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_with_its_line() {
    for (code, expected) in [
        ("throw new Error('no stock')", "Error: no stock (line 1, column 11)"),
        ("\n\nnull.x", "TypeError: cannot read property 'x' of null (line 3, column 1)"),
        ("throw 'text'", "the code threw \"text\""),
        ("throw {code: 1}", "the code threw {\"code\":1}"),
        ("return () => 1", "the code returned a function, which has no JSON form"),
        ("return Symbol('a')", "the code returned a symbol, which has no JSON form"),
        ("let a = {}; a.a = a; return a", "TypeError: circular reference"),
        ("return (async () => 1)()", "the code must not be asynchronous, and it returned a promise"),
        ("return import('fs')", "the code must not be asynchronous, and it returned a promise"),
        ("return 1n", "TypeError: BigInt are forbidden in JSON.stringify"),
    ] {
        let error = run(code).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Failed, expected), "{code}");
    }
}

#[tokio::test]
async fn any_value_that_is_thrown_is_reported() {
    for (code, expected) in [
        ("throw null", "the code threw null"),
        ("throw undefined", "the code threw undefined"),
        ("throw 42", "the code threw 42"),
        ("throw -0.5e-10", "the code threw -5e-11"),
        ("throw NaN", "the code threw NaN"),
        ("throw false", "the code threw false"),
        ("throw 12n", "the code threw 12n"),
        ("throw ''", "the code threw \"\""),
        ("throw 'half \\ud83d'", "the code threw \"half \u{fffd}\""),
        ("throw Symbol('x')", "the code threw Symbol(x)"),
        ("throw Symbol()", "the code threw Symbol()"),
        ("throw function stop() {}", "the code threw the function stop"),
        ("throw [1, 'a']", "the code threw [1,\"a\"]"),
        (
            "throw {toJSON() { throw 1 }, a: 7}",
            "the code threw an object {toJSON: the function toJSON, a: 7}",
        ),
        ("throw {get a() { throw 1 }, b: 2}", "the code threw an object {a: (cannot be read), b: 2}"),
        (
            "throw {toJSON() {}, toString() { throw 1 }}",
            "the code threw an object {toJSON: the function toJSON, toString: the function toString}",
        ),
        ("throw new Error()", "Error without a message"),
        ("throw Object.freeze(new Error('frozen'))", "Error: frozen"),
        ("const e = new Error(); e.message = {code: 7}; throw e", "Error: {\"code\":7}"),
        (
            "const e = new Error(); Object.defineProperty(e, 'message', { get() { throw 1 } }); throw e",
            "Error: (cannot be read)",
        ),
        (
            "const e = new Error('x'); Object.defineProperty(e, 'name', { get() { throw 1 } }); throw e",
            "Error: x",
        ),
        ("class NoStock extends Error {}\nthrow new NoStock('none')", "NoStock: none"),
        ("const e = new Error('x'); e.name = 'Mine'; throw e", "Mine: x"),
        (
            "throw new Error('outer', { cause: new TypeError('inner', { cause: 'why' }) })",
            "Error: outer, caused by TypeError: inner, caused by \"why\"",
        ),
        ("throw new AggregateError([new Error('a'), 7], 'both')", "AggregateError: both [Error: a; 7]"),
        (
            "const e = new Error('round'); e.cause = e; throw e",
            "Error: round, caused by Error: round, caused by Error: round, caused by Error: round, caused by Error: round",
        ),
        ("return { get a() { throw 'late' } }", "the code threw \"late\""),
        ("JSON.stringify = Error.prototype.toString = () => { throw 1 }; throw new Error('x')", "Error: x"),
    ] {
        let error = run(code).await.unwrap_err();
        let message = error.message.split(" (line ").next().unwrap_or_default();
        assert_eq!((error.kind, message), (ErrorKind::Failed, expected), "{code}");
    }
    for code in ["throw 'x'.repeat(1e6)", "throw new Error('x'.repeat(1e6))", "throw {a: 'x'.repeat(1e6)}"] {
        let error = run(code).await.unwrap_err();
        assert!(error.message.chars().count() < 2_100, "{code}: {} characters", error.message.len());
    }
    let error =
        run_within(Duration::from_millis(200), "throw { toJSON() { while (true) {} } }").await.unwrap_err();
    assert!(!error.message.is_empty());
}

#[tokio::test]
async fn half_a_character_becomes_the_replacement_character() {
    for (code, expected) in [
        ("return '\\ud83d'", json!("\u{fffd}")),
        ("return [...'🙂'.split('')]", json!(["\u{fffd}", "\u{fffd}"])),
        ("return { ['\\ude42']: '🙂 ' + '\\\\ud83d' }", json!({"\u{fffd}": "🙂 \\ud83d"})),
    ] {
        assert_eq!(run(code).await, Ok(expected), "{code}");
    }
    let script = Script::Expression("'🙂'[0]".to_owned());
    let result =
        sandbox(Duration::from_secs(20)).run(user(), script, &Shared::new(json!(1)), Arc::default()).await;
    let result = result.unwrap();
    assert_eq!(result.value, json!("\u{fffd}"));
    assert!(result.replaced.is_any());
}

#[tokio::test]
async fn numbers_are_doubles_in_a_script_and_what_is_larger_is_refused() {
    let outputs =
        read_json_value(br#"{"fine": {"n": 9007199254740993, "h": 1e2}, "huge": [0, 1e400]}"#).unwrap();
    let Value::Object(outputs) = outputs else { unreachable!() };
    let nodes = Arc::new(outputs.into_iter().map(|(id, value)| (id, Shared::new(value))).collect());
    let sandbox = sandbox(Duration::from_secs(20));
    let one = Shared::new(json!(1));
    let run = |code: &str| sandbox.run(user(), Script::Body(code.to_owned()), &one, Arc::clone(&nodes));
    let kept = run("return [nodes.fine.n, nodes.fine.h]").await.unwrap().value;
    assert_eq!(kept, json!([9_007_199_254_740_992_u64, 100]));
    for code in [
        "return nodes.huge",
        "try { nodes.huge } catch {} return 1",
        "while (true) { try { nodes.huge } catch { return } }",
    ] {
        let error = run(code).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{code}");
        assert_eq!(error.message, "nodes.huge[1]: 1e400 is larger than any number of JavaScript");
    }
}

#[tokio::test]
async fn a_script_that_takes_too_long_is_stopped_and_the_next_one_runs() {
    for code in [
        "while (true) {}",
        "return { get a() { while (true) {} } }",
        "return { toJSON() { while (true) {} } }",
        "for (;;) { try { while (true) {} } catch {} }",
        "return /(a+)+$/.test('a'.repeat(40) + 'b')",
        // The engine does not ask in this loop: the thread is given up, and ends a while later.
        "return Array.prototype.reverse.call({ length: 2 ** 27 })",
    ] {
        let error = run_within(Duration::from_millis(200), code).await.unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::Timeout, "the code ran longer than 200ms"),
            "{code}"
        );
        assert_eq!(run("return 1").await, Ok(json!(1)), "after {code}");
    }
}

#[tokio::test]
async fn limits_are_clear_errors_and_the_next_script_runs() {
    let memory = "the code used more than 64 MiB of memory";
    let deep = "the code recursed too deeply (512 KiB of stack)";
    for (code, kind, expected) in [
        ("let a = [1, 2]; for (;;) a = a.concat(a)", ErrorKind::Limit, memory),
        ("let s = 'ab'; for (;;) s += s", ErrorKind::Limit, memory),
        ("return 'a'.repeat(1e9)", ErrorKind::Limit, memory),
        ("function f() { return f() + 1 } return f()", ErrorKind::Limit, deep),
        ("return JSON.parse('['.repeat(100000))", ErrorKind::Limit, deep),
        (
            "let a = []; for (let i = 0; i < 200; i++) a = [a]; return a",
            ErrorKind::Failed,
            "the result is nested deeper than 128 levels",
        ),
        (
            "return 'a'.repeat(17 << 20)",
            ErrorKind::Limit,
            "the result has 17825794 bytes as JSON, more than 16 MiB",
        ),
    ] {
        let error = run(code).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, expected), "{code}");
        assert_eq!(run("return 1").await, Ok(json!(1)), "after {code}");
    }
}

#[tokio::test]
async fn an_output_takes_memory_only_when_it_is_used() {
    let large = Shared::new(json!("x".repeat(70 << 20)));
    let nodes = Arc::new(BTreeMap::from([("large".to_owned(), large)]));
    let sandbox = sandbox(Duration::from_secs(20));
    let one = Shared::new(json!(1));
    let run = |code: &str| sandbox.run(user(), Script::Body(code.to_owned()), &one, Arc::clone(&nodes));
    assert_eq!(run("return Object.keys(nodes)").await.unwrap().value, json!(["large"]));
    let error = run("return nodes.large.length").await.unwrap_err();
    assert_eq!(error.message, "the code used more than 64 MiB of memory");
}

#[tokio::test]
async fn an_expression_is_true_or_false() {
    let sandbox = sandbox(Duration::from_secs(5));
    for (expression, expected) in
        [("input.n > 0", true), ("input.missing", false), ("'no'", true), ("0", false)]
    {
        let script = Script::Condition(expression.to_owned());
        let result = sandbox.run(user(), script, &Shared::new(json!({"n": 1})), Arc::default()).await;
        assert_eq!(result.unwrap().value, json!(expected), "{expression}");
    }
}

#[test]
fn syntax_is_checked_without_running() {
    for code in
        ["return 1", "// only a comment", "if (input) { return 1 }\nreturn 2", "while (true) {}", "return {}"]
    {
        assert_eq!(Script::Body(code.to_owned()).check(), Ok(()), "{code}");
    }
    for (code, expected) in [
        ("return 1 +", "line 2, column 1"),
        ("const x = await 1", "the code must not be asynchronous"),
        ("import x from 'y'", "line 1"),
        ("}); while (true) {} (function () {", "line 1"),
        ("} while (true) {} function x() {", "unexpected"),
        ("}, while_() {", "unexpected"),
        ("} + (() => { while (true) {} })() + function () {", "unexpected"),
        ("return `", "unexpected"),
        ("/*", "unexpected"),
    ] {
        let error = Script::Body(code.to_owned()).check().expect_err(code);
        assert!(error.message.to_lowercase().contains(expected), "{code}: {error}");
    }
    for code in ["1); evil(); (2", "1]; evil(); [2", "a b", "return 1", ""] {
        assert!(Script::Condition(code.to_owned()).check().is_err(), "{code}");
    }
}
