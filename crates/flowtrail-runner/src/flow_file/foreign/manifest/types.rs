//! Types in a script, which are left out.

use super::scan::{closing, literal, string, word};

/// The most bytes that are looked at for one type.
const MAX_TYPE: usize = 2_000;

/// A script without interfaces, types of parameters and variables, type arguments, `as`, `satisfies`, `!` and `export`. Only
/// tried on what is no JavaScript. What is left of other types does not compile, so that nothing is misread.
pub(super) fn without_types(code: &str) -> String {
    without(code, true)
}

/// A script without the type arguments of calls, as in `map<number>(f)`: the one form of a type that JavaScript understands
/// too, as comparisons.
pub(super) fn without_type_arguments(code: &str) -> String {
    without(code, false)
}

fn without(code: &str, all: bool) -> String {
    let mut plain = String::new();
    let mut rest = code;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '<' => type_arguments(rest, &plain, all),
            '!' if all && is_assertion(rest, &plain) => Some(1),
            ':' if all && is_after_name(&plain) => kind(&rest[1..]).map(|end| 1 + end),
            c if all && is_word(c) && !plain.ends_with(is_word) => skipped_word(rest, &plain),
            _ => None,
        };
        if let Some(skipped) = skipped {
            if next == ':' {
                // What may be left out: `name?: Type`.
                plain.truncate(plain.trim_end_matches('?').len());
            }
            rest = &rest[skipped..];
            continue;
        }
        let length = match next {
            '`' => {
                let length = literal(rest, &plain);
                plain.push_str(&template_literal(&rest[..length], all));
                rest = &rest[length..];
                continue;
            }
            '"' | '\'' | '/' => literal(rest, &plain),
            c if is_word(c) => word(rest),
            c => c.len_utf8(),
        };
        plain.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    plain
}

/// A template literal, whose expressions may have types.
fn template_literal(text: &str, all: bool) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(end) = closing(&rest[start + 1..], '{', '}').map(|end| start + 1 + end) else { break };
        plain.push_str(&rest[..start + 2]);
        plain.push_str(&without(&rest[start + 2..end], all));
        rest = &rest[end..];
    }
    plain + rest
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// How much is left out from a word on.
fn skipped_word(rest: &str, before: &str) -> Option<usize> {
    let word = &rest[..word(rest)];
    let after = &rest[word.len()..];
    let statement = || starts_statement(before);
    match word {
        "interface" | "type" if statement() => declaration(word, after),
        "export" | "declare" if statement() && after.starts_with(char::is_whitespace) => {
            let next = after.trim_start();
            let default = next.strip_prefix("default").filter(|next| next.starts_with(char::is_whitespace));
            let next = default.map_or(next, str::trim_start);
            // A list of what is exported is none of these, and does not compile.
            let exports = ["function", "const", "let", "var", "interface", "type", "async"];
            exports.contains(&&next[..self::word(next)]).then(|| rest.len() - next.len())
        }
        "as" | "satisfies" if before.ends_with(char::is_whitespace) => {
            kind(after).map(|end| word.len() + end)
        }
        _ => None,
    }
}

/// How long the type arguments or parameters are that a text begins with: `<A, B>` before a bracket.
fn type_arguments(rest: &str, before: &str, all: bool) -> Option<usize> {
    // Between names and brackets without blanks it is no comparison. A function may begin with them.
    let is_function = all && before.trim_end().ends_with(['=', '(', ',']);
    if !before.ends_with(is_word) && !is_function {
        return None;
    }
    let mut at = 1;
    loop {
        at += kind(&rest[at..])?;
        for keyword in ["extends", "="] {
            let more = at + spaces(&rest[at..]);
            if let Some(bound) = rest[more..].strip_prefix(keyword) {
                at = more + keyword.len() + kind(bound)?;
            }
        }
        at += spaces(&rest[at..]);
        match rest[at..].chars().next()? {
            ',' => at += 1,
            '>' => break,
            _ => return None,
        }
    }
    rest[at + 1..].starts_with('(').then_some(at + 1)
}

/// Whether a `!` says that something is there, as in `a!.b`.
fn is_assertion(rest: &str, before: &str) -> bool {
    let is_value = before.ends_with(|c: char| is_word(c) || c == ')' || c == ']');
    let keyword = ["return", "typeof", "void", "in", "of", "case"].iter().any(|word| before.ends_with(word));
    let after = rest[1..].trim_start();
    let ends = after.is_empty()
        || after.starts_with(['.', '[', '(', ')', ']', '}', ';', ',', '+', '-', '*', ':', '?']);
    is_value && !keyword && (ends || rest[1..].starts_with('\n'))
}

/// How long the type is that a text begins with: names, arguments, arrays, literal objects, and unions of them.
pub(super) fn kind(code: &str) -> Option<usize> {
    let code = &code[..code.floor_char_boundary(MAX_TYPE)];
    let mut at = 0;
    loop {
        at += spaces(&code[at..]);
        let rest = &code[at..];
        // A union may begin with its bar.
        if let Some(after) = rest.strip_prefix(['|', '&']) {
            at = code.len() - after.len();
            continue;
        }
        at += match rest.chars().next()? {
            '{' => closing(rest, '{', '}')? + 1,
            '[' => closing(rest, '[', ']')? + 1,
            '(' => {
                let end = closing(rest, '(', ')')? + 1;
                let arrow = end + spaces(&rest[end..]);
                match rest[arrow..].strip_prefix("=>") {
                    // A function that returns a type.
                    Some(returned) => arrow + 2 + kind(returned)?,
                    None => end,
                }
            }
            c @ ('"' | '\'') => string(rest, c),
            c if c.is_alphanumeric() || c == '_' || c == '$' => {
                let end = rest.find(|c: char| !(is_word(c) || c == '.')).unwrap_or(rest.len());
                if ["typeof", "keyof", "readonly", "unique"].contains(&&rest[..end]) {
                    at += end;
                    continue;
                }
                end
            }
            _ => return None,
        };
        if code[at..].starts_with('<') {
            at += closing(&code[at..], '<', '>')? + 1;
        }
        while let Some(end) = code[at..].starts_with('[').then(|| closing(&code[at..], '[', ']')).flatten() {
            at += end + 1;
        }
        let more = at + spaces(&code[at..]);
        match code[more..].chars().next() {
            Some('|' | '&') if !code[more + 1..].starts_with(['|', '&']) => at = more + 1,
            // A guard: `value is Type`.
            Some('i') if code[more..].starts_with("is ") => at = more + 2,
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
    // Without a name it is a variable that is called so.
    let has_name =
        after[..open].trim_start().starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$');
    if !has_name
        || !after[..open].chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_,<>".contains(c))
    {
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
        // What a function returns, and a parameter that is taken apart.
        return before.ends_with(')') || (before.ends_with(['}', ']']) && is_pattern(before));
    }
    let before = before[..start].trim_end();
    let declares = ["const", "let", "var"].iter().any(|keyword| before.ends_with(keyword));
    declares || before.ends_with('(') || (before.ends_with(',') && is_within_round(before))
}

/// Whether the braces at the end of a text take a parameter or a variable apart.
fn is_pattern(before: &str) -> bool {
    let mut depth = 0_i32;
    for (at, c) in before.char_indices().rev().take(MAX_TYPE) {
        match c {
            ')' | '}' | ']' => depth += 1,
            '(' | '{' | '[' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let before = before[..at].trim_end();
            return before.ends_with('(')
                || ["const", "let", "var"].iter().any(|keyword| before.ends_with(keyword))
                || (before.ends_with(',') && is_within_round(before));
        }
    }
    false
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
    fn types_are_left_out_and_strings_are_not_touched() {
        for (code, plain) in [
            ("interface A { b: string }\nreturn 1", "\nreturn 1"),
            ("type A = { b: string } | null;return 1", "return 1"),
            ("const a: string[] = x as string[];", "const a = x ;"),
            ("const f = (a: number, b?: Map<string, A>): number => a;", "const f = (a, b) => a;"),
            ("export default function f(a: A): B { return a!.b; }", "function f(a) { return a.b; }"),
            ("x.map<number>((i: number) => i) as const", "x.map((i) => i) "),
            ("const f = <T extends A, U = B>(x: T, g: (a: T) => U[]) => g(x)", "const f = (x, g) => g(x)"),
            (
                "const f = ({ a, b }: { a: string; b?: number }, [c]: [string]) => a",
                "const f = ({ a, b }, [c]) => a",
            ),
            ("function is(v: unknown): v is A { return !v && v! }", "function is(v) { return !v && v }"),
            ("let a: string;\ntype = 1;\nreturn { type: a }", "let a;\ntype = 1;\nreturn { type: a }"),
            ("let a!: string;", "let a;"),
            ("const a = x satisfies readonly string[];", "const a = x ;"),
            ("const n: (string | null)[] = []; a !== b", "const n = []; a !== b"),
            ("return { a: b, c: 'const x: y as z' }", "return { a: b, c: 'const x: y as z' }"),
            ("return a ? b : c; // type A = x", "return a ? b : c; // type A = x"),
        ] {
            assert_eq!(without_types(code), plain, "{code}");
        }
    }

    #[test]
    fn comparisons_are_no_type_arguments() {
        for code in ["a < b && c > (d)", "f(a < b, c > (d))", "a<b", "1 < 2 > (3)", "'<a>('", "x <y> (z)"] {
            assert_eq!(without_type_arguments(code), code);
        }
        assert_eq!(without_type_arguments("new Map<string, A[]>(x)"), "new Map(x)");
    }

    #[test]
    fn odd_code_is_no_trouble() {
        for code in [
            "",
            "<",
            "a<",
            "a!",
            "export",
            "declare ",
            "a<b",
            "(a: (",
            "interface",
            "type",
            "as ",
            "a:",
            "{:",
            "日本: x as 語<",
            "`",
            "/*",
        ] {
            let _ = without_types(code);
        }
    }
}
