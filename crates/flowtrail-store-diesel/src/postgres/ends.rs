//! How executions that were there are ended: all of a batch by one statement.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid};

use super::backend::{self, Conn, Db};
use super::shared::{EndRow, WriteError};
use crate::columns::{At, Id};

/// The columns of some ends.
#[derive(Default)]
struct Columns<'a> {
    id: Vec<Id>,
    status: Vec<&'a str>,
    inferred: Vec<bool>,
    ended_at: Vec<At>,
    duration_us: Vec<i64>,
    error_summary: Vec<Option<Cow<'a, str>>>,
    failed_node_id: Vec<Option<Cow<'a, str>>>,
    end_digest: Vec<&'a [u8]>,
    updated_at: Vec<At>,
    written: Vec<i64>,
    outputs: Vec<Option<&'a [u8]>>,
    error: Vec<Option<&'a [u8]>>,
    end_capture: Vec<Option<&'a [u8]>>,
    meta: Vec<Option<&'a [u8]>>,
}

statement! {
    /// Ends executions.
    EndExecutions<'a> {
        ends: &'a Columns<'a>,
    }
    "UPDATE executions AS e SET deadline_at = NULL, status = x.status, inferred = x.inferred, ended_at = x.ended_at, \
     duration_us = x.duration_us, error_summary = x.error_summary, failed_node_id = x.failed_node_id, \
     end_digest = x.end_digest, updated_at = x.updated_at, written = x.written FROM unnest(" [ends.id: Array<Uuid>],
    "::uuid[], " [ends.status: Array<Text>],
    "::text[], " [ends.inferred: Array<Bool>],
    "::bool[], " [ends.ended_at: Array<Timestamptz>],
    "::timestamptz[], " [ends.duration_us: Array<BigInt>],
    "::bigint[], " [ends.error_summary: Array<Nullable<Text>>],
    "::text[], " [ends.failed_node_id: Array<Nullable<Text>>],
    "::text[], " [ends.end_digest: Array<Binary>],
    "::bytea[], " [ends.updated_at: Array<Timestamptz>],
    "::timestamptz[], " [ends.written: Array<BigInt>],
    "::bigint[]) AS x (id, status, inferred, ended_at, duration_us, error_summary, failed_node_id, end_digest, updated_at, \
     written) WHERE e.id = x.id"
}

statement! {
    /// The wide half of ends.
    EndPayloads<'a> {
        ends: &'a Columns<'a>,
    }
    "UPDATE execution_payloads AS p SET outputs = x.outputs, error = x.error, end_capture = x.end_capture, \
     meta = coalesce(x.meta, p.meta) FROM unnest(" [ends.id: Array<Uuid>],
    "::uuid[], " [ends.outputs: Array<Nullable<Binary>>],
    "::bytea[], " [ends.error: Array<Nullable<Binary>>],
    "::bytea[], " [ends.end_capture: Array<Nullable<Binary>>],
    "::bytea[], " [ends.meta: Array<Nullable<Binary>>],
    "::bytea[]) AS x (id, outputs, error, end_capture, meta) WHERE p.execution_id = x.id"
}

pub(super) fn update_ends(conn: &mut Conn, ends: &[EndRow<'_>]) -> Result<(), WriteError> {
    if ends.is_empty() {
        return Ok(());
    }
    let mut columns = Columns::default();
    for end in ends {
        columns.id.push(end.id);
        columns.status.push(end.status);
        columns.inferred.push(end.inferred);
        columns.ended_at.push(end.ended_at);
        columns.duration_us.push(end.duration_us);
        columns.error_summary.push(end.error_summary.as_deref().map(backend::text));
        columns.failed_node_id.push(end.failed_node_id.map(backend::text));
        columns.end_digest.push(end.end_digest);
        columns.updated_at.push(end.updated_at);
        columns.written.push(end.written);
        columns.outputs.push(end.outputs);
        columns.error.push(end.error.as_deref());
        columns.end_capture.push(end.end_capture.as_deref());
        columns.meta.push(end.meta);
    }
    EndExecutions { ends: &columns, _borrowed: PhantomData }.execute(conn)?;
    EndPayloads { ends: &columns, _borrowed: PhantomData }.execute(conn)?;
    Ok(())
}
