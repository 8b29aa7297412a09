//! What a script is made of, as far as it must be known where brackets close.

/// Where the bracket closes that a text begins with. Strings and comments are passed over.
pub(super) fn closing(code: &str, open: char, close: char) -> Option<usize> {
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
pub(super) fn literal(code: &str, before: &str) -> usize {
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
pub(super) fn string(code: &str, quote: char) -> usize {
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
pub(super) fn word(code: &str) -> usize {
    code.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(code.len())
}
