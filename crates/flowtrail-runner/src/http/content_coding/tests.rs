//! Every coding, whole and cut anywhere, broken, and made to grow.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use super::{ContentDecoder, ContentError};

const LIMIT: usize = 1_000_000;

/// "hello hello hello hello" as Brotli, made by the reference encoder.
const BROTLI: &[u8] = &[
    0x1b, 0x16, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x55, 0x86, 0x96, 0x6c, 0x20, 0x6f, 0x21, 0x4f,
    0x1c, 0xe0, 0x38,
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn decoder(coding: &str, limit: usize) -> Result<ContentDecoder, ContentError> {
    let headers: HeaderMap =
        [(CONTENT_ENCODING, HeaderValue::from_str(coding).unwrap())].into_iter().collect();
    ContentDecoder::new(&headers, limit)
}

fn decoded<'p>(
    coding: &str,
    limit: usize,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Result<Vec<u8>, ContentError> {
    let mut decoder = decoder(coding, limit)?;
    let mut bytes = Vec::new();
    for piece in pieces {
        bytes.extend(decoder.push(piece)?);
    }
    decoder.finish()?;
    Ok(bytes)
}

/// Every supported form of a text: the header's value and the body.
fn forms(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("identity", bytes.to_vec()),
        ("gzip", gzip(bytes)),
        ("X-GZip", gzip(bytes)),
        ("deflate", zlib(bytes)),
        ("deflate", raw(bytes)),
        ("zstd", zstd(bytes)),
        ("gzip, gzip", gzip(&gzip(bytes))),
        ("deflate , identity,zstd", zstd(&zlib(bytes))),
    ]
}

#[test]
fn every_coding_is_decoded() {
    for text in [&b""[..], b"x", "{\"\u{e9}\": 1}".repeat(5_000).as_bytes()] {
        for (coding, body) in forms(text) {
            assert_eq!(decoded(coding, LIMIT, [body.as_slice()]).as_deref(), Ok(text), "{coding}");
        }
    }
    assert_eq!(decoded("br", LIMIT, [BROTLI]).as_deref(), Ok(&b"hello hello hello hello"[..]));
}

#[test]
fn a_body_without_a_byte_is_complete_in_any_coding() {
    for coding in ["gzip", "deflate", "zstd", "br", "gzip, zstd"] {
        assert_eq!(decoded(coding, LIMIT, []).as_deref(), Ok(&b""[..]), "{coding}");
    }
}

#[test]
fn several_members_are_one_body_and_padding_is_none() {
    let two = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(decoded("gzip", LIMIT, [two.as_slice()]).as_deref(), Ok(&b"one two"[..]));
    let padded = [gzip(b"one"), vec![0; 300]].concat();
    assert_eq!(decoded("gzip", LIMIT, [padded.as_slice()]).as_deref(), Ok(&b"one"[..]));
    let frames = [zstd(b"one "), zstd(b"two")].concat();
    assert_eq!(decoded("zstd", LIMIT, [frames.as_slice()]).as_deref(), Ok(&b"one two"[..]));
}

#[test]
fn a_header_with_all_its_fields_is_understood() {
    let mut encoder = flate2::GzBuilder::new()
        .filename("a name")
        .comment("a comment")
        .extra(vec![7; 300])
        .write(Vec::new(), Compression::fast());
    encoder.write_all(b"text").unwrap();
    let body = encoder.finish().unwrap();
    assert_eq!(decoded("gzip", LIMIT, body.chunks(1)).as_deref(), Ok(&b"text"[..]));
}

#[test]
fn what_was_flushed_is_decoded_at_once() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut decoder = decoder("gzip", LIMIT).unwrap();
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        encoder.write_all(event.as_bytes()).unwrap();
        encoder.flush().unwrap();
        let piece = std::mem::take(encoder.get_mut());
        assert_eq!(decoder.push(&piece).unwrap(), event.as_bytes());
    }
}

#[test]
fn broken_and_cut_data_is_refused() {
    let text = "some text that repeats, some text that repeats".repeat(20);
    for (coding, body) in forms(text.as_bytes()).into_iter().skip(1).chain([("br", BROTLI.to_vec())]) {
        let cut = decoded(coding, LIMIT, [&body[..body.len() - 3]]);
        assert!(matches!(cut, Err(ContentError::Truncated(_))), "{coding}: {cut:?}");
        let plain = decoded(coding, LIMIT, [&b"{\"items\": [1, 2, 3]}"[..]]);
        assert!(
            matches!(plain, Err(ContentError::Broken(_) | ContentError::Truncated(_))),
            "{coding}: {plain:?}"
        );
    }
    let mut wrong = gzip(b"text");
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    assert_eq!(decoded("gzip", LIMIT, [wrong.as_slice()]), Err(ContentError::Broken("gzip")));
}

#[test]
fn no_bomb_grows_beyond_the_limit() {
    let zeros = vec![0; LIMIT + 1];
    for (coding, body) in forms(&zeros) {
        assert_eq!(decoded(coding, LIMIT, body.chunks(100)), Err(ContentError::TooLarge(LIMIT)), "{coding}");
        assert_eq!(decoded(coding, LIMIT + 1, body.chunks(100)).map(|bytes| bytes.len()), Ok(LIMIT + 1));
    }
    // The end is small, what lies between is not.
    let between = gzip(&[gzip(b"x"), zeros].concat());
    assert_eq!(decoded("gzip, gzip", LIMIT, [between.as_slice()]), Err(ContentError::TooLarge(LIMIT)));
    assert_eq!(decoded("br", 22, [BROTLI]), Err(ContentError::TooLarge(22)));
}

#[test]
fn codings_that_are_not_known_are_named() {
    for coding in ["compress", "gzip, lzma", "aws-chunked"] {
        let error = decoder(coding, LIMIT).unwrap_err().to_string();
        assert!(error.contains(coding.split(", ").last().unwrap()) && error.contains("gzip"), "{error}");
    }
    assert_eq!(decoder("gzip,gzip,gzip,gzip,gzip", LIMIT).unwrap_err(), ContentError::TooManyCodings(5));
    assert!(decoder("identity, , none", LIMIT).unwrap().is_identity());
}

proptest! {
    #[test]
    fn wherever_a_body_is_cut_the_same_is_decoded(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000), size in 1..200_usize,
    ) {
        for (coding, body) in forms(&bytes) {
            let found = decoded(coding, LIMIT, body.chunks(size));
            prop_assert_eq!(found.as_deref(), Ok(bytes.as_slice()), "{}", coding);
        }
    }

    #[test]
    fn no_bytes_are_a_surprise(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1..50_usize) {
        for coding in ["gzip", "deflate", "zstd", "br"] {
            drop(decoded(coding, LIMIT, bytes.chunks(size)));
        }
    }
}
