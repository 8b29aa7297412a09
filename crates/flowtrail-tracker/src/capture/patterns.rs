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

/// Words of which one stands in every key that holds a secret, in any case: what is looked for in the text of a
/// payload before it is worth parsing.
pub(super) const KEY_HINTS: &[&str] =
    &["key", "secret", "authorization", "cookie", "credential", "passphrase", "passw", "pwd", "token"];

/// How well-known credentials begin.
pub(super) const VALUE_HINTS: &[&str] = &[
    "bearer ",
    "basic ",
    "sk-",
    "ghp_",
    "gho_",
    "github_pat_",
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
    SECRET_KEYS.iter().any(|secret| plain.ends_with(secret))
}

/// Where in a text a credential of a well-known form stands: byte ranges, in order, not overlapping.
pub(super) fn credentials(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    while from < text.len() {
        let Some((start, end)) = (from..text.len())
            .filter(|at| text.is_char_boundary(*at) && starts_word(text, *at))
            .find_map(|at| credential_at(text, &lower, at))
        else {
            break;
        };
        found.push(start..end);
        from = end;
    }
    found
}

fn starts_word(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '_')
}

/// The credential that begins at this place, without the word that announces it.
fn credential_at(text: &str, lower: &str, at: usize) -> Option<(usize, usize)> {
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
        ("xoxb-", 20),
        ("xoxp-", 20),
        ("ft_", 30),
    ];
    for (prefix, length) in prefixes {
        if text[at..].starts_with(prefix) {
            return token(text, at, length);
        }
    }
    if text[at..].starts_with("AKIA") {
        return token(text, at, 20);
    }
    // A JSON Web Token: three parts, of which the first begins like `{"`.
    if text[at..].starts_with("eyJ") {
        return token(text, at, 40).filter(|(start, end)| text[*start..*end].matches('.').count() == 2);
    }
    if text[at..].starts_with("-----BEGIN ") && rest.contains("private key-----") {
        let end =
            rest.find("-----end ").and_then(|end| rest[end + 9..].find("-----").map(|tail| end + tail + 14));
        return Some((at, end.map_or(text.len(), |end| at + end)));
    }
    None
}

/// The run of characters that tokens are made of, if it is long enough to be one.
fn token(text: &str, start: usize, shortest: usize) -> Option<(usize, usize)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '+' | '/' | '=');
    let length = text[start..].find(|c| !is_part(c)).unwrap_or(text.len() - start);
    (length >= shortest).then_some((start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_secrets_are_known_in_every_spelling() {
        for key in
            ["password", "Api-Key", "X_API_KEY", "accessToken", "db.passwd", "Set-Cookie", "clientSecret"]
        {
            assert!(is_secret_key(key), "{key}");
            let lower = key.to_lowercase();
            assert!(KEY_HINTS.iter().any(|hint| lower.contains(hint)), "{key} must be hinted at");
        }
        for key in ["tokens", "maxTokens", "key", "monkey", "passage", "secretary", "author"] {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn every_secret_key_is_hinted_at() {
        for key in SECRET_KEYS {
            assert!(KEY_HINTS.iter().any(|hint| key.contains(hint)), "{key}");
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
