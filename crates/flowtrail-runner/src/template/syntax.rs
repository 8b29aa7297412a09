//! What a template may say, decided from minijinja's own tokens, so that nothing is seen differently here
//! and there.

use std::collections::BTreeSet;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::{engine, filters};
use crate::suggest::suggestion;

/// The statements that there are.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// How many `+` a template may have. Each may double what is in memory, so they are counted.
const MAX_ADDITIONS: usize = 64;

/// The most bytes of source.
const MAX_SOURCE: usize = 64 * 1024;

/// How a string is rendered.
pub(super) enum Shape<'s> {
    /// It is this expression alone: the value keeps its type.
    Alone(&'s str),
    /// It is text with templates in it.
    Text,
}

/// Whether there is anything to render in a string.
pub(crate) fn has_template(source: &str) -> bool {
    source.contains("{{") || source.contains("{%") || source.contains("{#")
}

/// Checks a string's syntax, and returns the variables that it names.
///
/// # Errors
///
/// What is wrong with it, for a person.
pub(crate) fn names_in(source: &str) -> Result<BTreeSet<String>, String> {
    if !has_template(source) {
        return Ok(BTreeSet::new());
    }
    let names = match shape(source)? {
        Shape::Alone(expression) => engine::names_in_expression(expression)?,
        Shape::Text => engine::names_in_text(source)?,
    };
    Ok(names.into_iter().filter(|name| !engine::FUNCTIONS.contains(&name.as_str())).collect())
}

/// The secrets that a string names.
///
/// # Errors
///
/// When one stands otherwise than by itself, as `{{ secrets.NAME }}`.
pub(crate) fn secrets_in(source: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    for token in tokenize(source, false, SyntaxConfig::default()) {
        tokens.push(token.map_err(|error| engine::spoken(&error))?.0);
    }
    let mut names = Vec::new();
    let mut loops = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Ident("for") if is_statement(&tokens, index) => loops += 1,
            Token::Ident("endfor") if is_statement(&tokens, index) => loops = loops.saturating_sub(1),
            // What has this name within something else is no secret.
            Token::Ident("secrets") if !matches!(before(&tokens, index), Some(Token::Dot)) => {
                let after = (tokens.get(index + 1), tokens.get(index + 2), tokens.get(index + 3));
                match (before(&tokens, index), after) {
                    (
                        Some(Token::VariableStart),
                        (Some(Token::Dot), Some(Token::Ident(name)), Some(Token::VariableEnd)),
                    ) if loops == 0 => {
                        names.push((*name).to_owned());
                    }
                    _ => {
                        let message = "a secret stands by itself, as {{ secrets.NAME }}: without filters, operators, \
                                       slices, loops and functions";
                        return Err(message.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

fn before<'t, 's>(tokens: &'t [Token<'s>], index: usize) -> Option<&'t Token<'s>> {
    index.checked_sub(1).and_then(|before| tokens.get(before))
}

fn is_statement(tokens: &[Token<'_>], index: usize) -> bool {
    matches!(before(tokens, index), Some(Token::BlockStart))
}

/// Checks that a string says only what it may, and finds out how it is rendered.
pub(super) fn shape(source: &str) -> Result<Shape<'_>, String> {
    if source.len() > MAX_SOURCE {
        return Err(format!("a template has at most {MAX_SOURCE} bytes, this one has {}", source.len()));
    }
    let mut tokens = Vec::new();
    for token in tokenize(source, false, SyntaxConfig::default()) {
        let (token, span) = token.map_err(|error| engine::spoken(&error))?;
        tokens.push((token, span.start_offset as usize, span.end_offset as usize));
    }
    let mut additions = 0;
    for (index, (token, ..)) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).map(|(token, ..)| token);
        match (token, next) {
            (Token::Mul | Token::Pow | Token::Tilde, _) => {
                return Err(format!("a template has no {token}: use a Transform node to compute"));
            }
            (Token::Plus, _) => additions += 1,
            (Token::BlockStart, Some(Token::Ident(statement))) if !STATEMENTS.contains(statement) => {
                return Err(format!("a template has no {{% {statement} %}}, only {}", STATEMENTS.join(", ")));
            }
            (Token::Pipe, Some(Token::Ident(filter))) if !filters::NAMES.contains(filter) => {
                return Err(format!("unknown filter {filter}{}", suggestion(filter, filters::NAMES)));
            }
            _ => {}
        }
    }
    if additions > MAX_ADDITIONS {
        return Err(format!("a template has at most {MAX_ADDITIONS} +, this one has {additions}"));
    }
    let expressions = tokens.iter().filter(|(token, ..)| matches!(token, Token::VariableStart)).count();
    match (tokens.first(), tokens.last()) {
        (Some((Token::VariableStart, 0, start)), Some((Token::VariableEnd, end, last)))
            if expressions == 1 && *last == source.len() =>
        {
            Ok(source.get(*start..*end).map_or(Shape::Text, Shape::Alone))
        }
        _ => Ok(Shape::Text),
    }
}
