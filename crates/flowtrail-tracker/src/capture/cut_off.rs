//! The beginnings of configured secrets in texts that were cut within one: no form of the secret stands in the text any more.

use super::redact::REDACTED;

/// What stands where a text was cut.
const MARKS: [&str; 2] = ["...", "…"];

/// Fewest bytes of a secret that are taken for its beginning.
const LEAST: usize = 4;

/// Most marks of a kind that are looked at. A message has one, or none.
const MOST_MARKS: usize = 32;

/// The forms of secrets, for finding where a text was cut within one.
#[derive(Default)]
pub struct CutOff(Vec<String>);

impl CutOff {
    /// Finds the beginnings of these forms.
    #[must_use]
    pub fn new(forms: Vec<String>) -> Self {
        Self(forms)
    }

    /// The text without what stands before a mark and begins a secret; nothing when there is no such thing.
    #[must_use]
    pub fn hidden(&self, text: &str) -> Option<String> {
        if self.0.is_empty() || !MARKS.iter().any(|mark| text.contains(mark)) {
            return None;
        }
        // The last ones: what was cut here ends with one.
        let marks = |mark| text.rmatch_indices(mark).map(|(at, _)| at).take(MOST_MARKS);
        let mut marks: Vec<usize> = MARKS.into_iter().flat_map(marks).collect();
        marks.sort_unstable();
        let mut clean = String::new();
        let mut from = 0;
        for at in marks {
            let length = self.0.iter().filter_map(|form| beginning(form, &text[from..at])).max();
            if let Some(length) = length {
                clean.push_str(&text[from..at - length]);
                clean.push_str(REDACTED);
                from = at;
            }
        }
        (from > 0).then(|| clean + &text[from..])
    }
}

/// The length of the longest beginning of a form, short of the whole, that a text ends with.
fn beginning(form: &str, text: &str) -> Option<usize> {
    let most = text.len().min(form.len().saturating_sub(1));
    let (form, text) = (form.as_bytes(), text.as_bytes());
    let lengths = (LEAST..=most).rev();
    // Both are UTF-8, so what is equal begins and ends with a character.
    lengths.into_iter().find(|length| text.ends_with(&form[..*length]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::forms::forms;
    use super::*;

    #[test]
    fn only_what_a_mark_follows_is_hidden() {
        let cut_off = CutOff::new(forms("hunter2-värde"));
        let (many, clean_many) = ("... ".repeat(100), "... ".repeat(100));
        let (many, clean_many) = (&*format!("{many}hunter2…"), &*format!("{clean_many}[redacted]…"));
        for (text, clean) in [
            ("it said hunte...", Some("it said [redacted]...")),
            ("it said hunter2-vä… and more", Some("it said [redacted]… and more")),
            ("hunt...hunt... hun...", Some("[redacted]...[redacted]... hun...")),
            ("it said hunte", None),
            (many, Some(clean_many)),
            ("a huntr...", None),
            ("...", None),
            ("", None),
        ] {
            let clean = clean.map(str::to_owned);
            assert_eq!(cut_off.hidden(text), clean.filter(|clean| clean != text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn wherever_a_text_is_cut_no_part_of_a_secret_is_left(before in "[ -~]{0,20}", at in 4usize..12, form in 0usize..20) {
            let secret = "p@ss/wörd+123";
            let forms = forms(secret);
            let form = &forms[form % forms.len()];
            let kept = &form[..form.floor_char_boundary(at)];
            prop_assume!(kept.len() >= LEAST);
            let clean = CutOff::new(forms.clone()).hidden(&format!("{before}{kept}..."));
            let clean = clean.expect("it is found");
            prop_assert!(clean.ends_with("[redacted]...") && !clean.contains(kept), "{clean}");
        }
    }
}
