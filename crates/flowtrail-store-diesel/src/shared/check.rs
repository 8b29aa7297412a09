//! A look at every row, whether it makes sense.

use diesel::prelude::*;
use flowtrail_store::StoreError;
use flowtrail_types::{AuditEntry, User};

use super::DieselStore;
use super::audit::AuditRow;
use super::backend::{self, Conn};
use super::principals::UserRow;
use super::schema::{audit, executions, flow_stats, flows, users};
use super::{executions as history, flows as flow_rows, statistics};
use crate::Finding;
use crate::columns::Id;

/// How many rows are looked at in one statement.
const AT_ONCE: i64 = 500;

type Found<'f> = &'f mut dyn FnMut(Finding);

impl DieselStore {
    /// Reads every row, tells of those that make no sense, and gives the number of executions.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub(crate) fn check_rows(&self, found: Found<'_>, progress: &dyn Fn(u64)) -> Result<u64, StoreError> {
        let conn = &mut *self.reader()?;
        users(conn, found)?;
        for flow in flow_rows::check(conn)? {
            tell(flow, found)?;
        }
        audit_log(conn, found)?;
        counters(conn, found)?;
        let mut count = 0;
        let mut after = Vec::new();
        loop {
            let mut page =
                executions::table.order(executions::id).limit(AT_ONCE).select(executions::id).into_boxed();
            if let Some(last) = after.last() {
                page = page.filter(executions::id.gt(*last));
            }
            let ids: Vec<Id> = page.load(conn).map_err(backend::translate)?;
            if ids.is_empty() {
                return Ok(count);
            }
            for id in &ids {
                tell(history::check(conn, *id), found)?;
            }
            count += ids.len() as u64;
            progress(count);
            after = ids;
        }
    }
}

/// Tells of a row that makes no sense, or that stands in a part of the file that does not. Other errors are passed on.
fn tell(read: Result<(), StoreError>, found: Found<'_>) -> Result<(), StoreError> {
    let Err(error) = read else { return Ok(()) };
    match (error.damage(), &error) {
        (Some(damage), _) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            found(Finding::Row { damage, reason: cause.unwrap_or_default() });
        }
        (None, StoreError::Damaged { reason, .. }) => found(Finding::File(reason.clone())),
        (None, _) => return Err(error),
    }
    Ok(())
}

fn users(conn: &mut Conn, found: Found<'_>) -> Result<(), StoreError> {
    let rows: Vec<UserRow> =
        users::table.select(UserRow::as_select()).load(conn).map_err(backend::translate)?;
    rows.into_iter().try_for_each(|row| tell(User::try_from(row).map(drop), found))
}

fn audit_log(conn: &mut Conn, found: Found<'_>) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let mut page =
            audit::table.order(audit::id).limit(AT_ONCE).select(AuditRow::as_select()).into_boxed();
        if let Some(after) = after {
            page = page.filter(audit::id.gt(after));
        }
        let rows: Vec<AuditRow> = page.load(conn).map_err(backend::translate)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(last.id);
        rows.into_iter().try_for_each(|row| tell(AuditEntry::try_from(row).map(drop), found))?;
    }
}

fn counters(conn: &mut Conn, found: Found<'_>) -> Result<(), StoreError> {
    let flows: Vec<Id> = flows::table.select(flows::id).load(conn).map_err(backend::translate)?;
    for flow in flows {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = flow_stats::table
            .filter(flow_stats::flow_id.eq(flow))
            .select((flow_stats::durations, flow_stats::removed_durations))
            .load(conn)
            .map_err(backend::translate)?;
        for (durations, removed) in rows {
            let decoded =
                |column, bytes: &[u8]| statistics::decode("flow_stats", column, flow, bytes).map(drop);
            tell(decoded("durations", &durations), found)?;
            tell(decoded("removed_durations", &removed), found)?;
        }
    }
    Ok(())
}
