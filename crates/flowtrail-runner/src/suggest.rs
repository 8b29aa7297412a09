//! "Did you mean …?" for names that are nobody's.

/// `, did you mean "x"?` for the known name that is nearest to `got`, or the list of known names when none
/// is near.
pub(crate) fn suggestion<'a>(got: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known.iter().map(|name| (distance(got, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 1 + name.chars().count() / 3 => {
            format!(", did you mean {name:?}?")
        }
        Some(_) => format!(", known are {}", known.join(", ")),
        None => String::new(),
    }
}

/// Levenshtein's distance over characters, letter case aside. Longer names than any real one are cut, so
/// that the cost is bounded.
fn distance(left: &str, right: &str) -> usize {
    let fold = |text: &str| -> Vec<char> { text.chars().take(64).flat_map(char::to_lowercase).collect() };
    let (left, right) = (fold(left), fold(right));
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_otherwise_all_are_listed() {
        let known = ["parameters", "timeout", "name"];
        assert_eq!(suggestion("paramters", known), ", did you mean \"parameters\"?");
        assert_eq!(suggestion("TimeOut", known), ", did you mean \"timeout\"?");
        assert_eq!(suggestion("colour", known), ", known are parameters, timeout, name");
        assert_eq!(suggestion("x", []), "");
    }
}
