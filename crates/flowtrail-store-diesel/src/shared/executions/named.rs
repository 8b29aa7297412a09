//! What a text names that is a whole id: it is found by its key, however long the history is.

use diesel::prelude::*;
use flowtrail_store::{Counted, Found, StoreError};
use flowtrail_types::{ExecutionId, ExecutionQuery, ExecutionSummary, FlowId, Place, Rank, SortKey};

use super::super::backend::{self, Conn};
use super::super::schema::{execution_tags, executions};
use super::lookup;
use crate::columns::{At, Id};

/// What the text of a question names.
pub(super) enum Named {
    /// An execution that the rest of the question finds.
    Execution(Box<ExecutionSummary>),
    /// A flow that has executions: the same question of these.
    Flow(Box<ExecutionQuery>),
    /// Nothing: it is a text as any other, if there is one.
    Nothing,
}

pub(super) fn named(conn: &mut Conn, query: &ExecutionQuery) -> Result<Named, StoreError> {
    let Some((id, others)) = query.named() else { return Ok(Named::Nothing) };
    let execution = ExecutionId::from_uuid(id);
    if let Some(summary) = lookup::lookup_summary(conn, execution)?
        && others.visibility.shows(&summary)
        && others.filter.matches(&summary)
        && is_found(conn, &others, Id(id)).map_err(backend::translate)?
    {
        return Ok(Named::Execution(Box::new(summary)));
    }
    match others.within(FlowId::from_uuid(id)) {
        Some(of_flow) if has_executions(conn, Id(id)).map_err(backend::translate)? => {
            Ok(Named::Flow(Box::new(of_flow)))
        }
        _ => Ok(Named::Nothing),
    }
}

/// Whether an execution has the tag that is asked for, and was there at the anchor.
fn is_found(conn: &mut Conn, query: &ExecutionQuery, id: Id) -> QueryResult<bool> {
    if let Some(tag) = &query.filter.tag {
        let value: Option<String> = execution_tags::table
            .find((id, backend::text(tag.key()).into_owned()))
            .select(execution_tags::value)
            .first(conn)
            .optional()?;
        if value.as_deref() != Some(&*backend::text(tag.value())) {
            return Ok(false);
        }
    }
    let Some(as_of) = query.as_of else { return Ok(true) };
    let created_at: At = executions::table.find(id).select(executions::created_at).first(conn)?;
    Ok(created_at.0 <= as_of)
}

fn has_executions(conn: &mut Conn, flow: Id) -> QueryResult<bool> {
    let newest: Option<Id> = executions::table
        .filter(executions::flow_id.eq(flow))
        .select(executions::id)
        .order((executions::started_at.desc(), executions::id.desc()))
        .first(conn)
        .optional()?;
    Ok(newest.is_some())
}

/// A page of a list that has one execution.
pub(super) fn page(summary: ExecutionSummary, query: &ExecutionQuery) -> Found {
    let place = Place { started_at: summary.started_at, id: summary.id };
    let rank = Rank { duration_us: summary.duration_us(), id: summary.id };
    let is_passed = match (query.sort, query.after) {
        (_, None) => query.offset > 0,
        (SortKey::StartedAt, Some(after)) => after.place().is_some_and(|after| place >= after),
        (SortKey::Duration, Some(after)) => after.rank().is_some_and(|after| rank >= after),
    };
    let sorted = (query.sort == SortKey::Duration).then_some(Counted { count: 1, is_exact: true });
    let items = if is_passed { Vec::new() } else { vec![summary] };
    Found { items, sorted, ..Found::default() }
}
