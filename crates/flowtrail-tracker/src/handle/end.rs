//! An end as it is to be written.

use flowtrail_store::{NewEnd, NewNode};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{CaptureMarks, CapturePolicy, Digest, ErrorInfo, timestamp};
use time::OffsetDateTime;

use crate::Ending;
use crate::capture::{Captured, note};

/// An end as it is to be written: its texts and outputs redacted and capped. When it was, if that was told, and now.
pub(crate) fn new_end(
    capture: &crate::capture::Capture<'_>,
    told: Told,
    ending: Ending<'_>,
    now: OffsetDateTime,
    running: Vec<NewNode>,
) -> NewEnd {
    let Ending { outcome, outputs, whole_size, meta, ended_at } = ending;
    let mut marks = CaptureMarks::new();
    let outputs = outputs.map(|outputs| {
        let captured = capture.payload(outputs).part_of(whole_size);
        note(&mut marks, "outputs", &captured);
        captured
    });
    let meta = meta.map(|meta| {
        let captured = capture.payload(meta);
        note(&mut marks, "meta", &captured);
        captured
    });
    let clean = |error: ErrorInfo| {
        // Where texts are not kept, the kind says what can be said.
        let message = capture.text(&error.message).unwrap_or_else(|| error.kind.as_str().to_owned());
        match capture.policy {
            CapturePolicy::None => ErrorInfo::new(error.kind, message),
            CapturePolicy::Metadata | CapturePolicy::Full => capture.error(message, &error),
        }
    };
    let outcome = match outcome {
        Outcome::Fulfilled => Outcome::Fulfilled,
        Outcome::Error(error) => Outcome::Error(clean(error)),
        Outcome::Aborted(reason) => Outcome::Aborted(reason.map(clean)),
    };
    let error = outcome.error();
    let digest_of = |whole: fn(Option<&Captured>) -> &[u8]| {
        Digest::of(&[
            outcome.status().as_str().as_bytes(),
            whole(outputs.as_ref()),
            error.map_or("", |error| &error.message).as_bytes(),
            error.map_or("", |error| error.kind.as_str()).as_bytes(),
            error.and_then(|error| error.node_id.as_deref()).unwrap_or_default().as_bytes(),
            error.and_then(|error| error.node_name.as_deref()).unwrap_or_default().as_bytes(),
            &digested(ended_at),
        ])
    };
    let digest = digest_of(Captured::whole_of);
    let old_digest = Captured::any_old([&outputs]).then(|| digest_of(Captured::old_whole_of));
    NewEnd {
        told,
        ended_at: ended_at.unwrap_or(now),
        recorded_at: now,
        outcome,
        outputs: outputs.and_then(|captured| captured.stored),
        meta: meta.and_then(|captured| captured.stored),
        running,
        capture: marks,
        digest,
        old_digest,
        due_at: None,
    }
}

/// A time as a digest takes it. One that was not told is the same at every retry, whenever that comes.
pub(crate) fn digested(told: Option<OffsetDateTime>) -> [u8; 8] {
    told.map_or(i64::MIN, timestamp::unix_micros).to_le_bytes()
}
