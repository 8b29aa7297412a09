//! Numbers of payment cards: told by how many digits they have, by how they begin, and by their check digit.

use std::ops::Range;

/// The fewest and the most digits that a card's number has.
const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Where in a text numbers of cards stand: byte ranges, in order, not overlapping. Between two digits one space or hyphen
/// may stand.
pub(super) fn card_numbers(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let (run, end) = run_of_digits(bytes, at);
        let begins_a_word =
            text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '.');
        let ends_a_word = text[end..].chars().next().is_none_or(|after| !after.is_alphanumeric());
        if begins_a_word && ends_a_word && (SHORTEST..=LONGEST).contains(&run.len()) && is_card(&run) {
            found.push(at..end);
        }
        at = end;
    }
    found
}

/// Whether a text may hold one. Cheap, and never wrong when it says no.
pub(super) fn may_hold_card(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Whatever has so many digits reaches over so many bytes: of every so many, one lies within.
    (SHORTEST - 1..bytes.len()).step_by(SHORTEST).any(|at| {
        let (before, from) = bytes.split_at(at);
        let is_digit = from[0].is_ascii_digit();
        (is_digit || is_separator(from[0]))
            && count_digits(before.iter().rev(), is_digit)
                + usize::from(is_digit)
                + count_digits(from[1..].iter(), is_digit)
                >= SHORTEST
    })
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-')
}

/// How many digits follow one another, at most as many as decide, with no more than one separator between two of them.
fn count_digits<'a>(bytes: impl Iterator<Item = &'a u8>, mut after_digit: bool) -> usize {
    let mut digits = 0;
    for byte in bytes {
        if byte.is_ascii_digit() {
            digits += 1;
            after_digit = true;
            if digits == SHORTEST {
                break;
            }
        } else if is_separator(*byte) && after_digit {
            after_digit = false;
        } else {
            break;
        }
    }
    digits
}

/// The digits from here on, with single separators between them left out, and where they end.
fn run_of_digits(bytes: &[u8], from: usize) -> (Vec<u8>, usize) {
    let mut digits = Vec::new();
    let mut at = from;
    let mut end = from;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii_digit() {
            digits.push(byte - b'0');
            end = at + 1;
        } else if !(is_separator(*byte) && end == at) {
            break;
        }
        at += 1;
    }
    (digits, end)
}

fn is_card(digits: &[u8]) -> bool {
    has_issuer(digits) && checks(digits)
}

/// Whether the beginning and the length are those of a network that issues cards: without it every tenth timestamp of so
/// many digits would pass for one.
fn has_issuer(digits: &[u8]) -> bool {
    let first =
        |count: usize| digits[..count].iter().fold(0u32, |number, digit| number * 10 + u32::from(*digit));
    match digits.len() {
        14 => matches!(first(2), 36 | 38 | 39) || matches!(first(3), 300..=305),
        15 => matches!(first(2), 34 | 37),
        16 => {
            matches!(first(1), 4)
                || matches!(first(2), 51..=55 | 60 | 62 | 64 | 65)
                || matches!(first(4), 2221..=2720 | 3528..=3589)
        }
        13 | 19 => first(1) == 4 || (digits.len() == 19 && first(2) == 62),
        17 | 18 => first(2) == 62,
        _ => false,
    }
}

/// The check digit of ISO/IEC 7812 (Luhn).
fn checks(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let digit = u32::from(*digit);
            match (index % 2, digit * 2) {
                (0, _) => digit,
                (_, doubled) => doubled / 10 + doubled % 10,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_network_are_found_however_they_are_written() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "2223003122003222",
        ] {
            for before in 0..30 {
                assert!(may_hold_card(&format!("{}{card}", "x".repeat(before))), "{card} after {before}");
            }
            for text in [card.to_owned(), format!("pay with {card}, please"), format!("\u{fc}:{card}.")] {
                let found = card_numbers(&text);
                assert_eq!(found.len(), 1, "{text}");
                assert_eq!(&text[found[0].clone()], card);
            }
        }
    }

    #[test]
    fn other_long_numbers_are_left_alone() {
        for text in [
            "1767700800123",
            "1767700800123456",
            "4111111111111112",
            "41111111111111111111",
            "0198f2a4-4111-1111-1111-111111111111x",
            "order A4111111111111111",
            "3.4111111111111111",
            "4111  1111  1111  1111",
            "12 34 56",
        ] {
            assert!(card_numbers(text).is_empty(), "{text}");
        }
    }
}
