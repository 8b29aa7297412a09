//! Scripts as people wrote them: a function or its body, with types or without.

use super::scan::{closing, literal, word};
use super::types::kind;
use crate::sandbox::{Compiler, Script};

/// Why a function that gives a promise cannot be one here.
const ASYNCHRONOUS: &str = "its code is asynchronous";

/// A function of one parameter.
#[derive(Debug, PartialEq)]
pub(super) struct Function {
    /// The parameter's name, or the pattern that takes it apart.
    pub(super) parameter: String,
    pub(super) body: String,
}

/// The function that a script is, without types. A body over `input` is one too, and so is a script of one function with
/// statements around it, which is called. Nothing when the script is neither.
pub(super) fn taken_apart(code: &str, compiler: Compiler<'_>) -> Result<Function, &'static str> {
    let trimmed = without_comments_around(code);
    let function = trimmed.trim_end_matches(';').trim_end();
    let named = function.trim_start_matches("export default ").trim_start();
    if named.starts_with("async ") || named.starts_with("async(") || is_async_arrow(named) {
        return Err(ASYNCHRONOUS);
    }
    if let Some(function) = declared(named).or_else(|| arrow(named)) {
        return Ok(function);
    }
    let script = Script::Body(code.to_owned());
    if compiler.check(&script).is_err() || compiler.returns(&script) {
        // What does not compile is told of when it is compiled with all around it.
        return Ok(body_of("input", code));
    }
    match functions(code).as_slice() {
        [] => Ok(body_of("input", code)),
        [name] => Ok(body_of("input", &format!("{code}\nreturn {name}(input);"))),
        _ => Err("its code has several functions, calls none of them and returns nothing"),
    }
}

/// The names of the functions that the statements of a script declare, in order.
fn functions(code: &str) -> Vec<&str> {
    let (mut names, mut depth, mut at) = (Vec::new(), 0_i32, 0);
    while let Some(next) = code[at..].chars().next() {
        let rest = &code[at..];
        at += match next {
            '"' | '\'' | '`' | '/' => literal(rest, &code[..at]).max(1),
            '{' | '(' | '[' => {
                depth += 1;
                1
            }
            '}' | ')' | ']' => {
                depth -= 1;
                1
            }
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                let keyword = word(rest);
                let after = rest[keyword..].trim_start();
                let name = &after[..word(after)];
                let is_function = match &rest[..keyword] {
                    "function" => true,
                    "const" | "let" | "var" => {
                        let value = after[name.len()..].trim_start().strip_prefix('=').map(str::trim_start);
                        value.is_some_and(|value| {
                            value.starts_with("function")
                                || arrow(&format!("const f = {}", statement(value))).is_some()
                        })
                    }
                    _ => false,
                };
                if depth == 0 && is_function && !name.is_empty() {
                    names.push(name);
                }
                keyword
            }
            c => c.len_utf8(),
        };
    }
    names
}

/// The beginning of a text up to the end of the statement, as far as brackets tell.
fn statement(code: &str) -> &str {
    let Some(arrow) = code.find("=>") else { return code };
    let body = arrow + 2 + (code[arrow + 2..].len() - code[arrow + 2..].trim_start().len());
    match closing(&code[body..], '{', '}') {
        Some(end) => &code[..=body + end],
        None => &code[..code[body..].find([';', '\n']).map_or(code.len(), |end| body + end)],
    }
}

/// A script without the comments and blanks before and after its statements.
fn without_comments_around(code: &str) -> &str {
    let mut rest = code.trim();
    while rest.starts_with("//") || rest.starts_with("/*") {
        rest = rest[literal(rest, "")..].trim_start();
    }
    // After the last bracket there may be comments too.
    if let Some(end) = rest.rfind(['}', ')', ';'])
        && only_comments(&rest[end + 1..])
    {
        rest = &rest[..=end];
    }
    rest.trim_end()
}

fn only_comments(text: &str) -> bool {
    let mut rest = text.trim_start();
    while rest.starts_with("//") || rest.starts_with("/*") {
        rest = rest[literal(rest, "")..].trim_start();
    }
    rest.is_empty()
}

/// Whether a script is `const name = async …`.
fn is_async_arrow(code: &str) -> bool {
    let Some((before, value)) = code.split_once('=') else { return false };
    let is_declaration = ["const ", "let ", "var "].iter().any(|keyword| before.starts_with(keyword));
    let value = value.trim_start();
    is_declaration && (value.starts_with("async ") || value.starts_with("async("))
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
    let rest = match ["const", "let", "var"].iter().find_map(|keyword| code.strip_prefix(keyword)) {
        Some(rest) => {
            let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
            let rest = &rest[word(rest)..];
            after_type(rest, "=")?.strip_prefix('=')?.trim_start()
        }
        // Without a name.
        None => code,
    };
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
            ("// What it does.\n/* More. */ function f(x) { return 1 }\n// The end.", "x", " return 1 "),
            ("(x) => x.a", "x", "return (x.a);"),
            (
                "const r = 2;\nfunction f(x) { return r }",
                "input",
                "const r = 2;\nfunction f(x) { return r }\nreturn f(input);",
            ),
            (
                "const r = { a: 1 };\nconst f = (x) => r;",
                "input",
                "const r = { a: 1 };\nconst f = (x) => r;\nreturn f(input);",
            ),
            (
                "function f(x) { return 1 }\nreturn f(input)",
                "input",
                "function f(x) { return 1 }\nreturn f(input)",
            ),
            ("input.a;", "input", "input.a;"),
        ] {
            let expected = Function { parameter: parameter.to_owned(), body: body.to_owned() };
            assert_eq!(taken_apart(code, Compiler::here()), Ok(expected), "{code}");
        }
    }

    #[test]
    fn what_gives_nothing_here_is_not_taken() {
        for code in [
            "async function f(x) { return 1 }",
            "const f = async (x) => 1",
            "// first\nasync (x) => 1",
            "function a(x) { return 1 }\nfunction b(x) { return 2 }",
        ] {
            assert!(taken_apart(code, Compiler::here()).is_err(), "{code}");
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
            let _ = (taken_apart(code, Compiler::here()), takes(code, "x"));
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
