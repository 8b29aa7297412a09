//! `column IN (…)`, prepared once.
//!
//! Diesel takes a list of values for one that differs each time, and has SQLite parse and plan its statement anew: longer than
//! the statement then runs. Here lists have few lengths, filled up with the last value, so that few statements are prepared.

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{Bool, HasSqlType};

use crate::columns::Id;

/// Whether a column has one of some ids.
#[derive(Debug, Clone)]
pub(crate) struct OneOf<C> {
    column: C,
    ids: Vec<Id>,
}

/// Whether the column has one of these ids, of which there is at least one.
pub(crate) fn one_of<C>(column: C, mut ids: Vec<Id>) -> OneOf<C> {
    if let Some(last) = ids.last().copied() {
        ids.resize(length(ids.len()), last);
    }
    OneOf { column, ids }
}

/// The length to which a list is filled up: a power of two, or halfway to the next one.
fn length(count: usize) -> usize {
    let power = count.next_power_of_two();
    let halfway = power / 4 * 3;
    if count <= halfway { halfway } else { power }
}

impl<C: Expression> Expression for OneOf<C> {
    type SqlType = Bool;
}

impl<C, DB> QueryFragment<DB> for OneOf<C>
where
    DB: Backend + HasSqlType<C::SqlType>,
    C: Expression + QueryFragment<DB>,
    Id: ToSql<C::SqlType, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        for (number, id) in self.ids.iter().enumerate() {
            out.push_sql(if number == 0 { " IN (" } else { ", " });
            out.push_bind_param::<C::SqlType, Id>(id)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<C> QueryId for OneOf<C> {
    type QueryId = ();
    // Its length is a part of it, which only the text of the statement tells.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: SelectableExpression<QS>, QS> SelectableExpression<QS> for OneOf<C> {}
impl<C: AppearsOnTable<QS>, QS> AppearsOnTable<QS> for OneOf<C> {}
impl<C> ValidGrouping<()> for OneOf<C> {
    type IsAggregate = is_aggregate::No;
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn lists_have_few_lengths() {
        let lengths: std::collections::BTreeSet<usize> = (1..=101).map(length).collect();
        assert_eq!(
            lengths.into_iter().collect::<Vec<_>>(),
            [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]
        );
        assert!((1..=1_000).all(|count| length(count) >= count));
    }
}
