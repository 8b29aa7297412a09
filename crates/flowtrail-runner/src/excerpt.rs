//! The beginnings of texts that may be long, for messages.

/// A text, or its first so many characters with `...`.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_long_is_cut_and_never_within_a_character() {
        assert_eq!(excerpt("", 0), "");
        assert_eq!(excerpt("日本", 2), "日本");
        assert_eq!(excerpt("日本語", 2), "日本...");
        assert_eq!(excerpt("日本語", 0), "...");
    }
}
