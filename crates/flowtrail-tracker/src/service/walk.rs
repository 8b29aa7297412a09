//! Lists that are read to their end: to export them, and to delete what they have.

use flowtrail_types::{
    Cursor, ExecutionFilter, ExecutionQuery, ExecutionSummary, Place, Position, Principal, SortDirection,
    SortKey,
};

use crate::{Tracker, TrackerError};

/// The executions that a filter finds and a principal may see, from the newest to the oldest, as they were when this was
/// asked for: what is recorded later is left out. However long it is, no more than a part is in memory.
#[derive(Debug)]
pub struct Walk {
    tracker: Tracker,
    query: ExecutionQuery,
    is_over: bool,
}

impl Tracker {
    /// Begins to read a list to its end. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when the filter names a flow that the principal may not see.
    pub fn walk(&self, principal: &Principal, filter: &ExecutionFilter) -> Result<Walk, TrackerError> {
        let visibility = self.visibility(principal, filter.flow)?;
        let as_of = self.inner.store.executions().last_recorded_at()?;
        let query = ExecutionQuery {
            visibility,
            as_of: Some(as_of.unwrap_or_else(|| self.inner.clock.now())),
            ..ExecutionQuery::newest(filter.clone(), 0)
        };
        Ok(Walk { tracker: self.clone(), query, is_over: false })
    }
}

impl Walk {
    /// The next executions, at most so many; none when it is over. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer. It can be asked again.
    pub fn next(&mut self, limit: u32) -> Result<Vec<ExecutionSummary>, TrackerError> {
        while !self.is_over {
            let query = ExecutionQuery { limit, ..self.query.clone() };
            let found = self.tracker.inner.store.executions().list(&query)?;
            let last = found.items.last().map(|last| Place { started_at: last.started_at, id: last.id });
            let is_full = found.items.len() >= limit as usize;
            // A search that stopped on its way goes on from there.
            let place = found.searched_to.or(last.filter(|_| is_full));
            match place {
                Some(place) => self.go_on_after(place),
                None => self.is_over = true,
            }
            if !found.items.is_empty() {
                return Ok(found.items);
            }
        }
        Ok(Vec::new())
    }

    fn go_on_after(&mut self, place: Place) {
        let fingerprint = self.query.filter.fingerprint(SortKey::default(), SortDirection::default());
        self.query.after = Some(Cursor { position: Position::Start(place), filter: fingerprint });
    }
}
