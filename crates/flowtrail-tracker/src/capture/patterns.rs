//! Which keys hold secrets, and how secrets look.

/// What a key may end with, in lower case and without `_`, `-`, `.` and spaces, for its value to be a secret.
const SECRET_KEYS: &[&str] = &[
    "accesskey",
    "apikey",
    "apisecret",
    "authorization",
    "clientsecret",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "pwd",
    "secret",
    "secretkey",
    "secrets",
    "setcookie",
    "token",
    "xapikey",
];

/// Whether a text may hold a key that holds a secret. Cheap, and never wrong when it says no: the letters and digits of
/// such a key stand in this order, with nothing but `_`, `-`, `.` and spaces in between.
pub(super) fn may_hold_secret_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    // A key ends with a quote and a colon; what stands before the quote decides.
    memchr::memchr_iter(b':', bytes)
        .any(|colon| bytes[..colon].strip_suffix(b"\"").is_some_and(ends_like_a_secret))
}

/// Whether a key ends like one of those that hold secrets.
fn ends_like_a_secret(key: &[u8]) -> bool {
    let mut letters = key.iter().rev().filter(|c| !matches!(c, b'_' | b'-' | b'.' | b' '));
    // Most keys are told by their last letter.
    let endings: &[&str] = match letters.next().map(u8::to_ascii_lowercase) {
        Some(b'd') => &["w", "wor"],
        Some(b'e') => &["cooki", "phras"],
        Some(b'l') => &["ia"],
        Some(b'n') => &["tio", "toke"],
        Some(b's') => &["secret", "cookie", "ial", "pas", "word"],
        Some(b't') => &["secre"],
        Some(b'y') => &["ke"],
        _ => return false,
    };
    endings.iter().any(|ending| {
        let mut letters = letters.clone();
        let mut expected = ending.bytes().rev();
        expected.all(|expected| letters.next().is_some_and(|c| c.eq_ignore_ascii_case(&expected)))
    })
}

/// How well-known credentials begin.
pub(super) const VALUE_HINTS: &[&str] = &[
    "bearer ",
    "basic ",
    "sk-",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "akia",
    "ft_",
    "eyj",
    "-----begin ",
];

/// Whether the value under this key is a secret.
pub(super) fn is_secret_key(key: &str) -> bool {
    let plain: String =
        key.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).flat_map(char::to_lowercase).collect();
    // "pass" only alone: it ends words like "compass".
    plain == "pass" || SECRET_KEYS.iter().any(|secret| plain.ends_with(secret))
}

/// Where in a text a credential of a well-known form stands: byte ranges, in order, not overlapping.
pub(super) fn credentials(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let lower = text.to_ascii_lowercase();
    let has_private_key = lower.contains("private key-----");
    let mut from = 0;
    while from < text.len() {
        if !text.is_char_boundary(from) || !starts_word(text, from) {
            from += 1;
            continue;
        }
        match credential_at(text, &lower, from, has_private_key) {
            Look::Nothing => from += 1,
            // What was looked at to its end need not be looked at again.
            Look::Harmless(end) => from = end.max(from + 1),
            Look::Credential(start, end) => {
                found.push(start..end);
                from = end;
            }
        }
    }
    found
}

/// What stands at a place of a text.
enum Look {
    /// Nothing that announces a credential.
    Nothing,
    /// Something that begins like one and is none, up to this place.
    Harmless(usize),
    /// A credential, from here to there.
    Credential(usize, usize),
}

fn starts_word(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '_')
}

/// The credential that begins at this place, without the word that announces it.
fn credential_at(text: &str, lower: &str, at: usize, has_private_key: bool) -> Look {
    let rest = &lower[at..];
    for scheme in ["bearer ", "basic "] {
        if rest.starts_with(scheme) {
            return token(text, at + scheme.len(), 8);
        }
    }
    let prefixes = [
        ("sk-", 20),
        ("ghp_", 20),
        ("gho_", 20),
        ("github_pat_", 30),
        ("glpat-", 20),
        ("xoxb-", 20),
        ("xoxp-", 20),
        ("ft_", 30),
        ("AKIA", 20),
    ];
    for (prefix, length) in prefixes {
        if text[at..].starts_with(prefix) {
            return token(text, at, length);
        }
    }
    // A JSON Web Token: three parts, of which the first begins like `{"`.
    if text[at..].starts_with("eyJ") {
        return match token(text, at, 40) {
            Look::Credential(start, end) if text[start..end].matches('.').count() != 2 => Look::Harmless(end),
            other => other,
        };
    }
    if has_private_key && text[at..].starts_with("-----BEGIN ") {
        let end =
            rest.find("-----end ").and_then(|end| rest[end + 9..].find("-----").map(|tail| end + tail + 14));
        return Look::Credential(at, end.map_or(text.len(), |end| at + end));
    }
    Look::Nothing
}

/// The run of characters that tokens are made of, if it is long enough to be one.
fn token(text: &str, start: usize, shortest: usize) -> Look {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '+' | '/' | '=');
    let end = text[start..].find(|c| !is_part(c)).map_or(text.len(), |length| start + length);
    if end - start >= shortest { Look::Credential(start, end) } else { Look::Harmless(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_secrets_are_known_in_every_spelling() {
        for key in [
            "password",
            "Api-Key",
            "X_API_KEY",
            "accessToken",
            "db.passwd",
            "Set-Cookie",
            "clientSecret",
            "pass",
        ] {
            assert!(is_secret_key(key), "{key}");
            assert!(may_hold_secret_key(&format!("{{\"{key}\":1}}")), "{key} must be hinted at");
        }
        for key in ["tokens", "maxTokens", "key", "monkey", "passage", "secretary", "author", "compass"] {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn every_secret_key_is_hinted_at_however_it_is_split() {
        for key in SECRET_KEYS {
            for split in ["", "_", "-", ".", " "] {
                let letters: Vec<String> = key.to_uppercase().chars().map(String::from).collect();
                let key = letters.join(split);
                assert!(is_secret_key(&key), "{key}");
                assert!(may_hold_secret_key(&format!("{{\"x\":[],\"{key}\":1}}")), "{key}");
            }
        }
        assert!(!may_hold_secret_key(r#"{"orderId":"the token","rows":12}"#));
    }

    #[test]
    fn what_begins_like_a_credential_again_and_again_is_looked_at_once() {
        // Quadratic, this would take hours.
        for beginning in ["eyJ-", "-----BEGIN ", "sk-", "bearer "] {
            assert!(credentials(&beginning.repeat(200_000)).len() <= 200_000);
        }
    }

    #[test]
    fn credentials_are_found_by_their_form() {
        let found = |text: &'static str| -> Vec<&str> {
            credentials(text).into_iter().map(|range| &text[range]).collect()
        };
        assert_eq!(found("Authorization: Bearer abcdefgh12, then"), ["abcdefgh12"]);
        assert_eq!(found("use sk-abcdefghijklmnopqrstuv please"), ["sk-abcdefghijklmnopqrstuv"]);
        assert_eq!(found("a task-force of risk-takers"), [""; 0]);
        assert_eq!(found("the bearer of news"), [""; 0]);
        assert_eq!(found("ü AKIAIOSFODNN7EXAMPLE ü"), ["AKIAIOSFODNN7EXAMPLE"]);
        let pem = "x -----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY----- y";
        assert_eq!(found(pem), ["-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"]);
    }
}
