//! Scripts as people wrote them: a function or its body, with types or without.

use super::scan::{closing, word};
use super::types::kind;

/// A function of one parameter.
#[derive(Debug, PartialEq)]
pub(super) struct Function {
    /// The parameter's name, or the pattern that takes it apart.
    pub(super) parameter: String,
    pub(super) body: String,
}

/// The function that a script is. What is no function is a body over `input`.
pub(super) fn taken_apart(code: &str) -> Function {
    let trimmed = code.trim().trim_end_matches(';').trim_end();
    declared(trimmed).or_else(|| arrow(trimmed)).unwrap_or_else(|| body_of("input", code))
}

/// Whether a script has a word.
pub(super) fn mentions(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    code.match_indices(word).any(|(start, _)| {
        !code[..start].ends_with(is_part) && !code[start + word.len()..].starts_with(is_part)
    })
}

/// Whether a script takes a property of its input.
pub(super) fn takes(code: &str, property: &str) -> bool {
    let compact = compact(code);
    let is_named = [".", "?."].iter().any(|dot| mentions(&compact, &format!("input{dot}{property}")));
    let quoted = ['"', '\'', '`'].iter().any(|quote| {
        ["[", "?.["].iter().any(|open| compact.contains(&format!("input{open}{quote}{property}{quote}]")))
    });
    // Taken apart: `const { x } = input` or `function ({ x })`.
    let is_taken_apart = (compact.contains("}=input") || compact.contains("({")) && mentions(code, property);
    is_named || quoted || is_taken_apart
}

/// A script with blanks only where words would run together.
fn compact(code: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut compact = String::new();
    for part in code.split_whitespace() {
        if compact.ends_with(is_word) && part.starts_with(is_word) {
            compact.push(' ');
        }
        compact.push_str(part);
    }
    compact
}

fn body_of(parameter: &str, body: &str) -> Function {
    Function { parameter: parameter.to_owned(), body: body.to_owned() }
}

/// `function name(parameter) { body }`.
fn declared(code: &str) -> Option<Function> {
    let rest = code.strip_prefix("export default ").unwrap_or(code).trim_start();
    let rest = rest.strip_prefix("function")?.trim_start();
    let rest = rest[word(rest)..].trim_start();
    let (parameter, rest) = parameter(rest)?;
    let body = braces(after_type(rest, "{")?)?;
    Some(body_of(&parameter, body))
}

/// `const name = (parameter) => { body }`, or with an expression.
fn arrow(code: &str) -> Option<Function> {
    let rest = ["const", "let", "var"].iter().find_map(|keyword| code.strip_prefix(keyword))?;
    let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
    let rest = rest[word(rest)..].trim_start().strip_prefix('=')?.trim_start();
    let (parameter, rest) = match parameter(rest) {
        Some(taken) => taken,
        None => (rest[..word(rest)].to_owned(), &rest[word(rest)..]),
    };
    let rest = after_type(rest, "=>")?.strip_prefix("=>")?.trim();
    match braces(rest) {
        Some(body) => Some(body_of(&parameter, body)),
        None if !rest.is_empty() && !rest.starts_with('{') => {
            Some(body_of(&parameter, &format!("return ({rest});")))
        }
        None => None,
    }
}

/// The first parameter of a list in brackets, without its type; `input` when there is none.
fn parameter(code: &str) -> Option<(String, &str)> {
    let end = closing(code, '(', ')')?;
    let list = &code[1..end];
    let pattern = match list.trim_start().chars().next() {
        Some('{') => {
            let list = list.trim_start();
            &list[..=closing(list, '{', '}')?]
        }
        _ => list.split([',', ':', '=']).next().unwrap_or_default(),
    };
    let pattern = pattern.trim().trim_end_matches('?');
    Some((if pattern.is_empty() { "input" } else { pattern }.to_owned(), &code[end + 1..]))
}

/// What comes after a type that something returns, from `end` on.
fn after_type<'c>(code: &'c str, end: &str) -> Option<&'c str> {
    let code = code.trim_start();
    match code.strip_prefix(':') {
        None => Some(code),
        Some(rest) => rest[kind(rest)?..]
            .trim_start()
            .starts_with(end)
            .then(|| rest[kind(rest).unwrap_or(0)..].trim_start()),
    }
}

/// What stands between the braces that a text begins and ends with.
fn braces(code: &str) -> Option<&str> {
    let code = code.trim();
    (closing(code, '{', '}')? == code.len() - 1).then(|| &code[1..code.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_all_forms_are_taken_apart() {
        for (code, parameter, body) in [
            ("return input.a;", "input", "return input.a;"),
            ("function transform(input: Input) {\n  return input;\n}", "input", "\n  return input;\n"),
            ("function f(data: { a: string }): Output {return 1}", "data", "return 1"),
            ("const f = (x) => { return x }", "x", " return x "),
            ("const f = ({ a, b }: Input) => a + b;", "{ a, b }", "return (a + b);"),
            ("const f = x => ({ y: x })", "x", "return (({ y: x }));"),
            ("function f() { return '}' }", "input", " return '}' "),
            (
                "function f(x) { return x.replace(/['}]/g, '') / 2 }",
                "x",
                " return x.replace(/['}]/g, '') / 2 ",
            ),
            ("const f = 1; return f;", "input", "const f = 1; return f;"),
        ] {
            let expected = Function { parameter: parameter.to_owned(), body: body.to_owned() };
            assert_eq!(taken_apart(code), expected, "{code}");
        }
    }

    #[test]
    fn odd_code_is_no_trouble() {
        for code in [
            "",
            "(",
            "function",
            "const",
            "const x =",
            "function (",
            "`",
            "a:",
            "type",
            "as ",
            "日本: x as 語<",
            "{:",
        ] {
            let _ = (taken_apart(code), takes(code, "x"));
        }
    }

    #[test]
    fn a_taken_property_is_seen() {
        for code in
            ["return input.x.y", "input?.x", "input[\"x\"]", "const { x } = input;", "const f = ({ x }) => x"]
        {
            assert!(takes(code, "x"), "{code}");
        }
        for code in ["input.xy", "input.y.x", "x + input", "const { y } = input;"] {
            assert!(!takes(code, "x"), "{code}");
        }
    }
}
