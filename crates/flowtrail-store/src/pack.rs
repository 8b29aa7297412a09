//! An execution's data as one compressed value.
//!
//! An execution's parts resemble each other: compressed together they take less than half of what they take one by one,
//! and one row is written instead of one for each node. What is inside is JSON, so that any tool that reads Zstandard
//! shows it (`zstd -d`).

use std::cell::RefCell;
use std::fmt::{self, Debug};
use std::sync::Arc;

use flowtrail_types::{CaptureMarks, Digest, ErrorInfo, ErrorKind, NodeStatus, Payload, timestamp};
use serde::{Deserialize, Serialize};
use zstd::bulk::{Compressor, Decompressor};

use crate::NewNode;

/// The wide half of an execution: all that lists do not read.
#[derive(Debug, Clone, Default)]
pub struct ExecutionData {
    /// What it was given.
    pub params: Option<Payload>,
    /// What the reporter said besides.
    pub meta: Option<Payload>,
    /// What it produced.
    pub outputs: Option<Payload>,
    /// Why it failed or was stopped.
    pub error: Option<ErrorInfo>,
    /// The marks of its start.
    pub start_capture: CaptureMarks,
    /// The marks of its end.
    pub end_capture: CaptureMarks,
    /// Its nodes, by number.
    pub nodes: Vec<NewNode>,
}

/// An execution's data, compressed.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed(Arc<[u8]>);

/// Bytes that are no packed data.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPack {
    /// They cannot be decompressed.
    #[error("not compressed data")]
    Compression(#[from] std::io::Error),
    /// What was compressed is not what was expected.
    #[error("not an execution's data")]
    Content(#[from] serde_json::Error),
    /// A time in it cannot be written.
    #[error("a time is out of bounds")]
    Time,
}

/// The lowest level is the fastest, and within a few percent of the next ones on data of this kind.
const LEVEL: i32 = 1;

/// Most bytes of an execution's data that are packed afterwards: what has more is read in parts.
pub const MOST_PACKED: i64 = 16 << 20;

/// The most that one execution's data may take when it is decompressed: more than can ever have been written.
const LARGEST: usize = 1 << 30;

thread_local! {
    // Each keeps tables of some hundred kilobytes, which would cost more than the work if they were made anew.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Packed {
    /// Bytes that were packed before.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes they are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// How many bytes the JSON inside has, if the data tells.
    #[must_use]
    pub fn unpacked_size(&self) -> Option<usize> {
        let size = zstd::zstd_safe::get_frame_content_size(&self.0).ok().flatten();
        size.and_then(|size| usize::try_from(size).ok())
    }

    /// The JSON inside.
    ///
    /// # Errors
    ///
    /// When the bytes cannot be decompressed.
    pub fn json(&self) -> Result<Vec<u8>, InvalidPack> {
        let size = self.unpacked_size().unwrap_or(LARGEST);
        let json = DECOMPRESSOR.with_borrow_mut(|kept| {
            let decompressor = match kept {
                Some(decompressor) => decompressor,
                None => kept.insert(Decompressor::new()?),
            };
            decompressor.decompress(&self.0, size.min(LARGEST))
        })?;
        Ok(json)
    }

    /// The data inside. The digest of a node that was packed without one is of no content.
    ///
    /// # Errors
    ///
    /// When the bytes are no packed data.
    pub fn unpack(&self) -> Result<ExecutionData, InvalidPack> {
        let Document { params, meta, outputs, error, start_capture, end_capture, nodes } =
            serde_json::from_slice(&self.json()?)?;
        let nodes = nodes.into_iter().map(PackedNode::into_node).collect::<Result<_, _>>()?;
        Ok(ExecutionData { params, meta, outputs, error, start_capture, end_capture, nodes })
    }
}

impl Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({} bytes)", self.0.len())
    }
}

/// Whether the digests of nodes are kept, by which a late retry of a node is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeDigests {
    /// They are.
    Kept,
    /// They are not: the execution was recorded as one, and is retried as one.
    LeftOut,
}

impl ExecutionData {
    /// Packs it.
    ///
    /// # Errors
    ///
    /// When the compressor cannot be made, for want of memory.
    pub fn pack(&self, digests: NodeDigests) -> Result<Packed, std::io::Error> {
        let json = self.to_json(digests);
        COMPRESSOR.with_borrow_mut(|kept| {
            let compressor = match kept {
                Some(compressor) => compressor,
                None => kept.insert(Compressor::new(LEVEL)?),
            };
            Ok(Packed(Arc::from(compressor.compress(&json)?)))
        })
    }

    /// Written by hand, since payloads are JSON already and need not be parsed to be put into JSON.
    fn to_json(&self, digests: NodeDigests) -> Vec<u8> {
        let mut json = Writer::new();
        json.payload("params", self.params.as_ref());
        json.payload("meta", self.meta.as_ref());
        json.payload("outputs", self.outputs.as_ref());
        if let Some(error) = &self.error {
            json.value("error", error);
        }
        for (name, marks) in [("startCapture", &self.start_capture), ("endCapture", &self.end_capture)] {
            if !marks.is_empty() {
                json.value(name, marks);
            }
        }
        json.key("nodes");
        json.bytes.push(b'[');
        for (index, node) in self.nodes.iter().enumerate() {
            if index > 0 {
                json.bytes.push(b',');
            }
            json.open();
            json.value("seq", &node.seq);
            json.value("nodeId", &node.node_id);
            json.value("nodeName", &node.node_name);
            json.value("nodeType", &node.node_type);
            json.value("status", node.status.as_str());
            json.optional("executedAt", node.executed_at.map(timestamp::unix_micros));
            json.optional("durationUs", node.duration_us);
            json.payload("input", node.input.as_ref());
            json.payload("output", node.output.as_ref());
            json.optional("error", node.error.as_ref());
            json.optional("errorKind", node.error_kind.map(ErrorKind::as_str));
            json.optional("parentSeq", node.parent_seq);
            json.optional("iteration", node.iteration);
            if node.attempt != 1 {
                json.value("attempt", &node.attempt);
            }
            if !node.capture.is_empty() {
                json.value("capture", &node.capture);
            }
            if digests == NodeDigests::Kept {
                json.value("digest", &u128::from_be_bytes(*node.digest.as_bytes()).to_string());
            }
            json.close();
        }
        json.bytes.push(b']');
        json.close();
        json.bytes
    }
}

struct Writer {
    bytes: Vec<u8>,
    is_first: bool,
}

impl Writer {
    fn new() -> Self {
        let mut writer = Self { bytes: Vec::with_capacity(4 << 10), is_first: true };
        writer.open();
        writer
    }

    fn open(&mut self) {
        self.bytes.push(b'{');
        self.is_first = true;
    }

    fn close(&mut self) {
        self.bytes.push(b'}');
        self.is_first = false;
    }

    fn key(&mut self, name: &str) {
        if !self.is_first {
            self.bytes.push(b',');
        }
        self.is_first = false;
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    fn payload(&mut self, name: &str, payload: Option<&Payload>) {
        if let Some(payload) = payload {
            self.key(name);
            self.bytes.extend_from_slice(payload.as_str().as_bytes());
        }
    }

    fn value(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.key(name);
        // Texts, numbers and maps of them: none of them can fail to be written to memory.
        if serde_json::to_writer(&mut self.bytes, value).is_err() {
            self.bytes.extend_from_slice(b"null");
        }
    }

    fn optional(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.value(name, &value);
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default, deserialize_with = "present")]
    params: Option<Payload>,
    #[serde(default, deserialize_with = "present")]
    meta: Option<Payload>,
    #[serde(default, deserialize_with = "present")]
    outputs: Option<Payload>,
    #[serde(default)]
    error: Option<ErrorInfo>,
    #[serde(default)]
    start_capture: CaptureMarks,
    #[serde(default)]
    end_capture: CaptureMarks,
    nodes: Vec<PackedNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PackedNode {
    seq: i32,
    node_id: String,
    node_name: String,
    node_type: String,
    status: NodeStatus,
    #[serde(default)]
    executed_at: Option<i64>,
    #[serde(default)]
    duration_us: Option<i64>,
    #[serde(default, deserialize_with = "present")]
    input: Option<Payload>,
    #[serde(default, deserialize_with = "present")]
    output: Option<Payload>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_kind: Option<ErrorKind>,
    #[serde(default)]
    parent_seq: Option<i32>,
    #[serde(default)]
    iteration: Option<i32>,
    #[serde(default = "first_attempt")]
    attempt: i32,
    #[serde(default)]
    capture: CaptureMarks,
    #[serde(default)]
    digest: Option<String>,
}

const fn first_attempt() -> i32 {
    1
}

/// A payload that is there may be `null`, which is not the same as none.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Payload>, D::Error> {
    Payload::deserialize(deserializer).map(Some)
}

impl PackedNode {
    fn into_node(self) -> Result<NewNode, InvalidPack> {
        let digest = self.digest.and_then(|digest| digest.parse::<u128>().ok());
        Ok(NewNode {
            seq: self.seq,
            node_id: self.node_id,
            node_name: self.node_name,
            node_type: self.node_type,
            status: self.status,
            executed_at: self
                .executed_at
                .map(|micros| timestamp::from_unix_micros(micros).ok_or(InvalidPack::Time))
                .transpose()?,
            duration_us: self.duration_us,
            input: self.input,
            output: self.output,
            error: self.error,
            error_kind: self.error_kind,
            parent_seq: self.parent_seq,
            iteration: self.iteration,
            attempt: self.attempt,
            capture: self.capture,
            digest: Digest::from_bytes(digest.unwrap_or_default().to_be_bytes()),
            old_digest: None,
        })
    }
}
