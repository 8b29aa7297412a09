//! How executions that were there are ended: row by row, by statements that stay prepared.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};

use super::backend::sql::{AtSql, IdSql};
use super::backend::{Conn, Db};
use super::shared::{EndRow, WriteError};

statement! {
    /// Ends an execution.
    EndExecution<'a> {
        end: &'a EndRow<'a>,
    }
    "UPDATE executions SET deadline_at = NULL, status = " [end.status: Text],
    ", inferred = " [end.inferred: Bool],
    ", ended_at = " [end.ended_at: AtSql],
    ", duration_us = " [end.duration_us: BigInt],
    ", error_summary = " [end.error_summary: Nullable<Text>],
    ", failed_node_id = " [end.failed_node_id: Nullable<Text>],
    ", end_digest = " [end.end_digest: Binary],
    ", updated_at = " [end.updated_at: AtSql],
    ", written = " [end.written: BigInt],
    " WHERE id = " [end.id: IdSql]
}

statement! {
    /// The wide half of an end.
    EndPayload<'a> {
        end: &'a EndRow<'a>,
    }
    "UPDATE execution_payloads SET outputs = " [end.outputs: Nullable<Binary>],
    ", error = " [end.error: Nullable<Binary>],
    ", end_capture = " [end.end_capture: Nullable<Binary>],
    ", meta = coalesce(" [end.meta: Nullable<Binary>],
    ", meta) WHERE execution_id = " [end.id: IdSql]
}

pub(super) fn update_ends(conn: &mut Conn, ends: &[EndRow<'_>]) -> Result<(), WriteError> {
    for end in ends {
        EndExecution { end, _borrowed: PhantomData }.execute(conn)?;
        EndPayload { end, _borrowed: PhantomData }.execute(conn)?;
    }
    Ok(())
}
