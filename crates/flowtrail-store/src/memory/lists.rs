//! Lists of executions in memory.

use std::cmp::Reverse;

use flowtrail_types::{ExecutionFilter, ExecutionId, ExecutionQuery, FlowId, Place, Rank, SortKey};

use super::{Row, State};
use crate::{Counted, Found, MOST_SORTED};

impl State {
    pub(super) fn list(&self, query: &ExecutionQuery) -> Found {
        let mut rows = self.found(query);
        match query.sort {
            SortKey::StartedAt => {
                let after = query.after.and_then(|cursor| cursor.place());
                let passed = after.map(|after| rows.iter().take_while(|row| row.place() >= after).count());
                self.page(query, &rows, passed)
            }
            SortKey::Duration => {
                let is_exact = rows.len() <= MOST_SORTED as usize;
                rows.truncate(MOST_SORTED as usize);
                let searched_to = rows.last().filter(|_| !is_exact).map(|row| row.place());
                let sorted = Some(Counted { count: rows.len() as u64, is_exact });
                rows.sort_by_key(|row| Reverse(row.rank()));
                let after = query.after.and_then(|cursor| cursor.rank());
                let passed = after.map(|after| rows.iter().take_while(|row| row.rank() >= after).count());
                Found { searched_to, sorted, ..self.page(query, &rows, passed) }
            }
        }
    }

    /// A page of rows that are in order: after a cursor that so many stand before, or by its offset.
    fn page(&self, query: &ExecutionQuery, rows: &[&Row], passed: Option<usize>) -> Found {
        let passed = passed.unwrap_or_else(|| usize::try_from(query.offset).unwrap_or(usize::MAX));
        let page = rows.iter().skip(passed).take(query.limit as usize);
        Found { items: page.map(|row| self.summary(row)).collect(), ..Found::default() }
    }

    /// All that a question finds, newest first, wherever the page begins.
    pub(super) fn found(&self, query: &ExecutionQuery) -> Vec<&Row> {
        if let Some((id, others)) = query.named() {
            let named = self.executions.get(&ExecutionId::from_uuid(id));
            if let Some(row) = named.filter(|row| row.is_found(&others)) {
                return vec![row];
            }
            let flow = FlowId::from_uuid(id);
            if let Some(of_flow) = others.within(flow)
                && self.executions.values().any(|row| row.flow_id == flow)
            {
                return self.found(&of_flow);
            }
        }
        let mut found: Vec<&Row> = self.executions.values().filter(|row| row.is_found(query)).collect();
        found.sort_by_key(|row| Reverse(row.place()));
        found
    }
}

impl Row {
    pub(super) fn place(&self) -> Place {
        let summary = &self.execution.summary;
        Place { started_at: summary.started_at, id: summary.id }
    }

    fn rank(&self) -> Rank {
        let summary = &self.execution.summary;
        Rank { duration_us: summary.duration_us(), id: summary.id }
    }

    fn is_found(&self, query: &ExecutionQuery) -> bool {
        let ExecutionFilter { tag, .. } = &query.filter;
        let is_tagged = |key: &str, value: &str| self.execution.tags.get(key).is_some_and(|is| is == value);
        query.visibility.shows(&self.execution.summary)
            && query.filter.matches(&self.execution.summary)
            && tag.as_ref().is_none_or(|tag| is_tagged(tag.key(), tag.value()))
            && query.as_of.is_none_or(|as_of| self.execution.created_at <= as_of)
    }
}
