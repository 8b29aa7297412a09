//! From the bytes of a body to its text: by byte order mark, and by the `charset` of its `Content-Type`.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// Kinds of content whose bytes are no text, whatever charset a server adds to them.
const BINARY: [&str; 8] = [
    "image/",
    "audio/",
    "video/",
    "font/",
    "application/octet-stream",
    "application/pdf",
    "application/zip",
    "application/gzip",
];

/// The kind of a body without its parameters, in lower case; empty when the headers do not name it.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    content_type(headers).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The text of a body, without its byte order mark; nothing when it is none.
///
/// A byte order mark takes precedence over the charset, as browsers have it (the Encoding standard, section 6, "decode").
/// Names of charsets are those of the same standard, by which ISO-8859-1 is windows-1252. Without either, a body is text when
/// it is valid UTF-8.
pub(crate) fn text_of<'b>(headers: &HeaderMap, body: &'b [u8]) -> Option<Cow<'b, str>> {
    let kind = media_type(headers);
    let is_binary = BINARY.iter().any(|binary| kind.starts_with(binary)) && !kind.ends_with("+xml");
    let declared = charset(content_type(headers)).filter(|_| !is_binary);
    let marked = Encoding::for_bom(body).filter(|(encoding, _)| *encoding == UTF_8 || !is_binary);
    if let Some((encoding, mark)) = marked {
        let (text, had_errors) = encoding.decode_without_bom_handling(&body[mark..]);
        return Some(text).filter(|_| !had_errors || is_text(&kind));
    }
    match by_zeros(&kind, body).or(declared) {
        Some(encoding) if encoding != UTF_8 => Some(encoding.decode_without_bom_handling(body).0),
        _ => match std::str::from_utf8(body) {
            Ok(text) => Some(Cow::Borrowed(text)),
            Err(_) if is_text(&kind) => Some(String::from_utf8_lossy(body)),
            Err(_) => None,
        },
    }
}

/// The text of a body, with U+FFFD for whatever is none.
pub(crate) fn decoded_text<'b>(headers: &HeaderMap, body: &'b [u8]) -> Cow<'b, str> {
    text_of(headers, body).unwrap_or_else(|| String::from_utf8_lossy(body))
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Whether content of this kind is meant as text, even if not all of its bytes are.
fn is_text(kind: &str) -> bool {
    kind.starts_with("text/") || is_json(kind)
}

/// Whether content of this kind is JSON.
fn is_json(kind: &str) -> bool {
    kind == "application/json" || kind.ends_with("+json")
}

/// The charset that a content type names, if it is known.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let (_, label) = charsets.next()?;
    let label = label.trim().trim_matches(['"', '\'']);
    Encoding::for_label_no_replacement(label.as_bytes())
}

/// JSON in UTF-16 without a mark: its first character is ASCII, so one of its first two bytes is zero (RFC 4627, section 3).
/// The charset does not tell which: `utf-16` is either.
fn by_zeros(kind: &str, body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [0, first, ..] if is_json(kind) && *first != 0 => Some(UTF_16BE),
        [first, 0, ..] if is_json(kind) && *first != 0 => Some(UTF_16LE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: &str, body: &[u8]) -> Option<String> {
        let headers = [(CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect();
        text_of(&headers, body).map(Cow::into_owned)
    }

    fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn text_is_decoded_by_its_charset() {
        for (kind, body, expected) in [
            ("text/plain", &b"caf\xc3\xa9"[..], "caf\u{e9}"),
            ("text/plain; charset=UTF-8", b"caf\xc3\xa9", "caf\u{e9}"),
            ("text/html;charset=iso-8859-1", b"caf\xe9", "caf\u{e9}"),
            ("application/xml; version=1; Charset=\"Windows-1252\"", b"\x80 5", "\u{20ac} 5"),
            ("application/json; charset=latin1", b"\"caf\xe9\"", "\"caf\u{e9}\""),
            ("text/plain; charset=shift_jis", b"\x93\xfa\x96\x7b", "\u{65e5}\u{672c}"),
            ("text/plain; charset=gbk", b"\xc4\xe3\xba\xc3", "\u{4f60}\u{597d}"),
            ("text/csv; charset=koi8-r", b"\xd0\xd2", "\u{43f}\u{440}"),
            ("text/plain; charset=unknown", b"caf\xe9", "caf\u{fffd}"),
            ("text/plain", b"caf\xe9", "caf\u{fffd}"),
        ] {
            assert_eq!(text(kind, body).as_deref(), Some(expected), "{kind}");
        }
    }

    #[test]
    fn byte_order_marks_are_understood_and_taken_off() {
        let (little, big) = (
            utf_16("{\"a\": \"\u{65e5}\u{1f642}\"}", u16::to_le_bytes),
            utf_16("{\"a\": 1}", u16::to_be_bytes),
        );
        let marked = |mark: &[u8], body: &[u8]| [mark, body].concat();
        assert_eq!(text("text/plain", b"\xef\xbb\xbfx").as_deref(), Some("x"));
        assert_eq!(text("application/json; charset=latin1", b"\xef\xbb\xbf{}").as_deref(), Some("{}"));
        for kind in ["application/json", "application/json; charset=utf-8", "text/plain; charset=utf-16"] {
            let found = text(kind, &marked(b"\xff\xfe", &little));
            assert_eq!(found.as_deref(), Some("{\"a\": \"\u{65e5}\u{1f642}\"}"), "{kind}");
            assert_eq!(text(kind, &marked(b"\xfe\xff", &big)).as_deref(), Some("{\"a\": 1}"), "{kind}");
        }
        for kind in ["application/problem+json", "application/json; charset=utf-16le"] {
            assert!(text(kind, &little).unwrap().starts_with("{\"a\""), "{kind}");
        }
        for kind in [
            "application/problem+json",
            "application/json; charset=utf-16",
            "application/json; charset=utf-16be",
        ] {
            assert_eq!(text(kind, &big).as_deref(), Some("{\"a\": 1}"), "{kind}");
        }
    }

    #[test]
    fn what_is_no_text_is_not_decoded() {
        for kind in
            ["image/png", "image/png; charset=iso-8859-1", "application/octet-stream", "application/x-thing"]
        {
            assert_eq!(text(kind, b"\x89PNG\xff"), None, "{kind}");
        }
        assert_eq!(text("audio/mpeg", b"\xff\xfeab"), None);
        assert_eq!(text("image/svg+xml; charset=latin1", b"<\xe9>").as_deref(), Some("<\u{e9}>"));
    }
}
