//! The forms in which the value of a configured secret is recognised.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// Fewest characters of a secret whose Base64 and hexadecimal forms are recognised: those of a shorter one are found in other
/// text.
pub(super) const MIN_ENCODED: usize = 8;

/// Every form of a secret: as it is, percent-encoded, as in a JSON string, and of one that is long enough, in Base64, Base64url
/// and hexadecimal.
#[must_use]
pub fn forms(secret: &str) -> Vec<String> {
    let strict = percent_encoded(secret, "-._~");
    let quoted = Value::String(secret.to_owned()).to_string();
    let mut forms = vec![
        secret.to_owned(),
        strict.replace("%20", "+"),
        strict.to_lowercase(),
        strict,
        // As addresses are written that somebody else has put together.
        percent_encoded(secret, "-._~!$&'()*+,;=:@/?"),
        // As it stands in JSON that stands in a text.
        quoted[1..quoted.len() - 1].to_owned(),
    ];
    if secret.chars().count() >= MIN_ENCODED {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        forms.push(hex.to_uppercase());
        forms.push(hex);
        for before in 0..3 {
            forms.extend(base64_forms(secret.as_bytes(), before));
        }
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// The characters of Base64 that depend on the secret alone when this many bytes stand before it in a group of three, and the
/// same to the last character in case that nothing follows.
fn base64_forms(secret: &[u8], before: usize) -> Vec<String> {
    let bytes = [vec![0; before], secret.to_vec()].concat();
    // Six bits to a character: the first ones have bits of what stands before, the last one may have bits of what follows.
    let begin = (8 * before).div_ceil(6);
    let end = 8 * bytes.len() / 6;
    let both = [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)];
    both.iter().flat_map(|text| [text[begin..end].to_owned(), text[begin..].to_owned()]).collect()
}

fn percent_encoded(value: &str, kept: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However a text is encoded that holds a secret, a form of the secret is in it.
        #[test]
        fn a_secret_is_recognised_in_every_encoding(
            secret in "[!-~äß€🙂]{8,40}",
            before in proptest::collection::vec(any::<u8>(), 0..8),
            after in proptest::collection::vec(any::<u8>(), 0..8),
        ) {
            let forms = forms(&secret);
            let has = |text: &str| forms.iter().any(|form| text.contains(form.as_str()));
            let text = [&before[..], secret.as_bytes(), &after[..]].concat();
            let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
            for encoded in [
                STANDARD.encode(&text),
                STANDARD_NO_PAD.encode(&text),
                URL_SAFE.encode(&text),
                URL_SAFE_NO_PAD.encode(&text),
                hex.to_uppercase(),
                hex,
            ] {
                prop_assert!(has(&encoded), "{encoded}");
            }
        }
    }

    #[test]
    fn no_form_is_so_short_that_other_text_has_it() {
        for secret in ["hunter-2", "ääääääää", "12345678"] {
            for form in forms(secret) {
                assert!(form.chars().count() >= MIN_ENCODED, "{form}");
            }
        }
        assert!(!forms("hunter2").iter().any(|form| form.contains("aHVudGVy")), "it is too short for Base64");
    }
}
