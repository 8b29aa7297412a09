//! What is wanted of executions, as conditions of statements. Each index has its own, and those that no index has are
//! applied to what lies between two places of it.

use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Bool, Text};
use flowtrail_types::SearchText;

use super::super::backend::sql::IdSql;
use super::super::backend::{self, Db};
use crate::columns::Id;

/// Keeps a boxed statement to the part of an index between two places, by the columns that hold the start and the id.
macro_rules! between {
    ($statement:expr, $walk:expr, $started_at:expr, $id:expr) => {{
        let mut statement = $statement;
        let (upper, before) = $walk.upper_end();
        let (lower, from) = $walk.lower_end();
        // The first condition of each pair bounds the walk of the index, the second breaks ties.
        if let Some(upper) = upper {
            let (at, id) = (At(upper.started_at), Id(*upper.id.as_uuid()));
            statement = statement.filter($started_at.le(at)).filter($started_at.lt(at).or($id.lt(id)));
        }
        if let Some(lower) = lower {
            let (at, id) = (At(lower.started_at), Id(*lower.id.as_uuid()));
            statement = statement.filter($started_at.ge(at)).filter($started_at.gt(at).or($id.ge(id)));
        }
        if let Some(before) = before {
            statement = statement.filter($started_at.lt(At(before)));
        }
        if let Some(from) = from {
            statement = statement.filter($started_at.ge(At(from)));
        }
        statement
    }};
}
pub(super) use between;

/// Keeps a boxed statement to what one index has in one piece.
macro_rules! along_index {
    ($statement:expr, $walk:expr) => {{
        let mut statement = between!($statement, $walk, executions::started_at, executions::id);
        let ExecutionFilter { flow, status, source, .. } = &$walk.filter;
        let user = $walk.only_of.or($walk.filter.user);
        if let Some(flow) = flow {
            statement = statement.filter(executions::flow_id.eq(Id(*flow.as_uuid())));
        }
        match status {
            // Each of them has an index of its own: what is pending is little, and most is fulfilled.
            Some(ExecutionStatus::Pending) => {
                statement = statement.filter(executions::deadline_at.is_not_null());
            }
            Some(status @ (ExecutionStatus::Error | ExecutionStatus::Aborted)) => {
                let is_indexed = match flow {
                    Some(_) => backend::IS_INDEXED_BY_FLOW_STATUS,
                    None => backend::IS_INDEXED_BY_STATUS,
                };
                statement = statement
                    .filter(diesel::dsl::sql::<Bool>(is_indexed))
                    .filter(executions::status.eq(status.as_str()));
            }
            Some(ExecutionStatus::Fulfilled) | None => {
                if flow.is_none() {
                    if let Some(user) = user {
                        statement = statement.filter(executions::user_id.eq(Id(*user.as_uuid())));
                    } else if let Some(source) = source {
                        statement = statement.filter(executions::source.eq(Source::as_str(*source)));
                    }
                }
            }
        }
        statement
    }};
}
pub(super) use along_index;

/// Keeps a boxed statement to all that is wanted.
macro_rules! wanted {
    ($statement:expr, $walk:expr) => {{
        let mut statement = along_index!($statement, $walk);
        let ExecutionFilter { status, source, user, duration, text, .. } = &$walk.filter;
        if *status == Some(ExecutionStatus::Fulfilled) {
            statement = statement.filter(executions::status.eq("fulfilled"));
        }
        if let Some(source) = source {
            statement = statement.filter(executions::source.eq(Source::as_str(*source)));
        }
        for user in [user.as_ref(), $walk.only_of.as_ref()].into_iter().flatten() {
            statement = statement.filter(executions::user_id.eq(Id(*user.as_uuid())));
        }
        if let Some(flows) = $walk.flows {
            let flows: Vec<Id> = flows.iter().map(|flow| Id(*flow.as_uuid())).collect();
            statement = statement.filter(executions::flow_id.eq_any(flows));
        }
        if let Some(min) = duration.min_us() {
            statement = statement.filter(executions::duration_us.ge(min));
        }
        if let Some(max) = duration.max_us() {
            statement = statement.filter(executions::duration_us.le(max));
        }
        if let Some(text) = text {
            statement = statement.filter(HasText::new(text));
        }
        if let Some(as_of) = $walk.as_of {
            statement = statement.filter(executions::created_at.le(At(as_of)));
        }
        shown!($walk.prunes, statement)
    }};
}
pub(super) use wanted;

/// Whether a row of `executions` has a text in what lists show of it, or the id that the text is.
pub(super) struct HasText {
    text: String,
    ids: Option<(Id, Id)>,
    flow: Option<Id>,
}

impl HasText {
    pub(super) fn new(text: &SearchText) -> Self {
        Self {
            text: backend::text(text.as_str()).into_owned(),
            ids: text.ids().map(|(first, last)| (Id(first), Id(last))),
            flow: text.whole_id().map(Id),
        }
    }
}

impl QueryFragment<Db> for HasText {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Db>) -> QueryResult<()> {
        // A function looks for it, and not LIKE: no character has a meaning of its own.
        let [begin, middle, end] = backend::HAS_TEXT;
        let columns = ["flow_name", "flow_tool_name", "preview", "error_summary"];
        for (index, column) in columns.into_iter().enumerate() {
            out.push_sql(if index == 0 { "(" } else { " OR " });
            out.push_sql(begin);
            out.push_sql("executions.");
            out.push_sql(column);
            out.push_sql(middle);
            out.push_bind_param::<Text, _>(&self.text)?;
            out.push_sql(end);
        }
        if let Some((first, last)) = &self.ids {
            out.push_sql(" OR (executions.id >= ");
            out.push_bind_param::<IdSql, _>(first)?;
            out.push_sql(" AND executions.id <= ");
            out.push_bind_param::<IdSql, _>(last)?;
            out.push_sql(")");
        }
        if let Some(flow) = &self.flow {
            out.push_sql(" OR executions.flow_id = ");
            out.push_bind_param::<IdSql, _>(flow)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

/// Its statement depends on the text.
impl QueryId for HasText {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Expression for HasText {
    type SqlType = Bool;
}

impl ValidGrouping<()> for HasText {
    type IsAggregate = is_aggregate::No;
}

// It is put into statements over `executions` only.
impl<Tables> AppearsOnTable<Tables> for HasText {}
impl<Tables> SelectableExpression<Tables> for HasText {}
