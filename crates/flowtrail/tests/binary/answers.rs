//! Answers of servers, packed in every way and as events.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flowtrail_testkit::Said;

/// Packs a body.
type Pack = fn(&[u8]) -> Vec<u8>;

/// The ways in which a body may be packed: the value of `Content-Encoding`, and how it is made.
pub(crate) const CODINGS: [(&str, Pack); 6] = [
    ("gzip", gzip),
    ("deflate", zlib),
    ("deflate", deflate),
    ("zstd", zstd),
    ("br", brotli),
    ("gzip, gzip", |body| gzip(&gzip(body))),
];

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

/// One frame of one raw block (RFC 8878, section 3.1.1).
fn zstd(body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).expect("a short body");
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    packed.extend(size.to_le_bytes());
    packed.extend(&((size << 3) | 1).to_le_bytes()[..3]);
    packed.extend(body);
    packed
}

/// One meta-block that is not compressed, and the end (RFC 7932, section 9.2).
fn brotli(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short body");
    let mut packed = ((length - 1) << 4 | 1 << 20).to_le_bytes()[..3].to_vec();
    packed.extend(body);
    packed.push(0x03);
    packed
}

/// An answer whose body is packed.
pub(crate) fn packed(kind: &str, coding: &str, body: Vec<u8>) -> Said {
    let headers = vec![("content-type", kind.to_owned()), ("content-encoding", coding.to_owned())];
    Said::Raw(200, headers, body)
}

/// A stream of events.
pub(crate) fn events(text: &str) -> Said {
    Said::Raw(200, vec![("content-type", "text/event-stream".to_owned())], text.as_bytes().to_vec())
}
