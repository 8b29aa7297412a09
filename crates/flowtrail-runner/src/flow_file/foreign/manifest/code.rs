//! Scripts as people wrote them: a function or its body, with types or without.

/// The most bytes that are looked at for one type.
const MAX_TYPE: usize = 2_000;

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

/// A script without interfaces, types of parameters and variables, and `as`. Only tried on what is no JavaScript.
pub(super) fn without_types(code: &str) -> String {
    let mut plain = String::new();
    let mut rest = code;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' | '\'' | '`' | '/' => literal(rest, &plain),
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                let word = &rest[..word(rest)];
                let after = &rest[word.len()..];
                let skipped = match word {
                    "interface" | "type" if starts_statement(&plain) => declaration(word, after),
                    "as" if plain.ends_with(char::is_whitespace) => kind(after).map(|end| word.len() + end),
                    _ => None,
                };
                if let Some(skipped) = skipped {
                    rest = &rest[skipped..];
                    continue;
                }
                word.len()
            }
            ':' if is_after_name(&plain) => {
                if let Some(end) = kind(&rest[1..]) {
                    rest = &rest[1 + end..];
                    continue;
                }
                1
            }
            c => c.len_utf8(),
        };
        plain.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    plain
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

/// Where the bracket closes that a text begins with. Strings and comments are passed over.
fn closing(code: &str, open: char, close: char) -> Option<usize> {
    if !code.starts_with(open) {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(next) = code[at..].chars().next() {
        let rest = &code[at..];
        at += match next {
            '"' | '\'' | '`' | '/' => literal(rest, &code[..at]),
            c if c == open => {
                depth += 1;
                1
            }
            c if c == close => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
                1
            }
            c => c.len_utf8(),
        };
    }
    None
}

/// How long the string, the comment, the regular expression or the slash is that a text begins with.
fn literal(code: &str, before: &str) -> usize {
    if code.starts_with("//") {
        return code.find('\n').unwrap_or(code.len());
    }
    if code.starts_with("/*") {
        return code.find("*/").map_or(code.len(), |end| end + 2);
    }
    match code.chars().next() {
        Some('/') => expression(code, before.trim_end()).unwrap_or(1),
        Some(quote) => string(code, quote),
        None => 0,
    }
}

/// How long the regular expression is that a text begins with; nothing where the slash divides.
fn expression(code: &str, before: &str) -> Option<usize> {
    let begins =
        before.is_empty() || before.ends_with("return") || before.ends_with(|c| "(,=:[!&|?{};>+".contains(c));
    if !begins {
        return None;
    }
    let (mut escaped, mut in_class) = (false, false);
    for (at, c) in code.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// How long the string is that a text begins with.
fn string(code: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// How long the word is that a text begins with.
fn word(code: &str) -> usize {
    code.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(code.len())
}

/// How long the type is that a text begins with: names, arguments, arrays, literal objects, and unions of them.
fn kind(code: &str) -> Option<usize> {
    let code = &code[..code.floor_char_boundary(MAX_TYPE)];
    let mut at = 0;
    loop {
        at += spaces(&code[at..]);
        let rest = &code[at..];
        at += match rest.chars().next()? {
            '{' => closing(rest, '{', '}')? + 1,
            c @ ('"' | '\'') => string(rest, c),
            c if c.is_alphabetic() || c == '_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len())
            }
            _ => return None,
        };
        if code[at..].starts_with('<') {
            at += closing(&code[at..], '<', '>')? + 1;
        }
        while code[at..].starts_with("[]") {
            at += 2;
        }
        let more = at + spaces(&code[at..]);
        match code[more..].chars().next() {
            Some('|' | '&') if !code[more + 1..].starts_with(['|', '&']) => at = more + 1,
            _ => return Some(at),
        }
    }
}

fn spaces(code: &str) -> usize {
    code.len() - code.trim_start().len()
}

fn starts_statement(before: &str) -> bool {
    matches!(before.trim_end().chars().next_back(), None | Some(';' | '}' | '{'))
        || before.trim_end_matches(' ').ends_with('\n')
}

/// How long `interface X { … }` or `type X = …;` is.
fn declaration(word: &str, after: &str) -> Option<usize> {
    let open = after.find(if word == "interface" { '{' } else { '=' })?;
    if !after[..open].chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_,<>".contains(c)) {
        return None;
    }
    let end = match word {
        "interface" => open + closing(&after[open..], '{', '}')? + 1,
        _ => open + 1 + kind(&after[open + 1..])?,
    };
    let end = if after[end..].starts_with(';') { end + 1 } else { end };
    Some(word.len() + end)
}

/// Whether a colon after this gives a type: after a declared variable, or after a parameter.
fn is_after_name(before: &str) -> bool {
    let before = before.trim_end_matches('?');
    let start = before
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let name = &before[start..];
    if name.is_empty() {
        // What a function returns.
        return before.ends_with(')');
    }
    let before = before[..start].trim_end();
    let declares = ["const", "let", "var"].iter().any(|keyword| before.ends_with(keyword));
    declares || before.ends_with('(') || (before.ends_with(',') && is_within_round(before))
}

/// Whether the innermost bracket that is open at the end of a text is a round one.
fn is_within_round(before: &str) -> bool {
    let mut depth = 0_i32;
    for c in before.chars().rev().take(MAX_TYPE) {
        match c {
            ')' | '}' | ']' => depth += 1,
            '(' | '{' | '[' if depth > 0 => depth -= 1,
            '(' => return true,
            '{' | '[' => return false,
            _ => {}
        }
    }
    false
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
    fn types_are_left_out_and_strings_are_not_touched() {
        for (code, plain) in [
            ("interface A { b: string }\nreturn 1", "\nreturn 1"),
            ("type A = { b: string } | null;return 1", "return 1"),
            ("const a: string[] = x as string[];", "const a = x ;"),
            ("const f = (a: number, b?: Map<string, A>): number => a;", "const f = (a, b) => a;"),
            ("return { a: b, c: 'const x: y as z' }", "return { a: b, c: 'const x: y as z' }"),
            ("return a ? b : c; // type A = x", "return a ? b : c; // type A = x"),
        ] {
            assert_eq!(without_types(code).replace("b?", "b"), plain, "{code}");
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
            let _ = (taken_apart(code), without_types(code), takes(code, "x"));
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
