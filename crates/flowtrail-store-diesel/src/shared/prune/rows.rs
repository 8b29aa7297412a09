//! Prunes as they stand in their table, and what they cover.

use diesel::prelude::*;
use flowtrail_store::StoreError;
use flowtrail_types::{ExecutionId, FlowId, Place, StatsScope, Step, Tally};
use time::OffsetDateTime;
use uuid::Uuid;

use super::backend::{self, Conn, Db};
use super::schema::{executions, prunes};
use super::statistics::{ALL_FLOWS, decode};
use crate::columns::{At, Id};

/// A prune whose rows are being deleted.
#[derive(Debug, Clone)]
pub(crate) struct ActivePrune {
    /// Its flow, or the nil id when it is of all flows.
    pub(crate) flow: Id,
    pub(super) mark: i64,
    pub(super) below: Option<Place>,
    pub(super) resume: Option<Place>,
    /// What is left in the hour of its place.
    pub(crate) edge: Tally,
}

impl ActivePrune {
    /// Whether it is of all flows.
    pub(crate) fn is_of_all(&self) -> bool {
        self.flow == ALL_FLOWS
    }

    /// Its flow; absent when it is of all flows.
    pub(crate) fn own_flow(&self) -> Option<Id> {
        (!self.is_of_all()).then_some(self.flow)
    }

    /// The hour in which its place lies.
    pub(crate) fn edge_hour(&self) -> Option<OffsetDateTime> {
        self.below.map(|below| Step::Hour.begin(below.started_at))
    }

    /// Where it ends, seen from the oldest; absent when it takes all.
    pub(crate) fn below(&self) -> Option<Place> {
        self.below
    }

    /// Whether it takes away an execution of this flow that was last written at this mark.
    pub(crate) fn covers(&self, flow: Id, place: Place, is_final: bool, written: i64) -> bool {
        let is_its = self.is_of_all() || self.flow == flow;
        is_its && is_final && written <= self.mark && self.below.is_none_or(|below| place < below)
    }

    /// Whether anything that began in this hour may stand below its place. What happens there from now on is noted
    /// apart. In the hour of the place it is noted that something may stay there, and not counted.
    pub(crate) fn reaches(&self, hour: OffsetDateTime) -> bool {
        let first = Place { started_at: hour, id: ExecutionId::from_uuid(Uuid::nil()) };
        self.below.is_none_or(|below| first < below)
    }

    /// Whether something stands below its place that would not stand below this one.
    pub(super) fn reaches_further_than(&self, place: Option<Place>) -> bool {
        match (self.below, place) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(below), Some(place)) => below > place,
        }
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = prunes, check_for_backend(Db), treat_none_as_default_value = false)]
pub(super) struct PruneRow {
    flow_id: Id,
    mark: i64,
    below_at: Option<At>,
    below_id: Option<Id>,
    resume_at: Option<At>,
    resume_id: Option<Id>,
    edge_fulfilled: i64,
    edge_error: i64,
    edge_aborted: i64,
    edge_duration_us: i64,
    edge_bytes: i64,
    edge_durations: Vec<u8>,
    edge_rejected: i64,
}

impl PruneRow {
    pub(super) fn new(prune: &ActivePrune) -> Self {
        let split = |place: Option<Place>| {
            (place.map(|place| At(place.started_at)), place.map(|place| Id(*place.id.as_uuid())))
        };
        let ((below_at, below_id), (resume_at, resume_id)) = (split(prune.below), split(prune.resume));
        Self {
            flow_id: prune.flow,
            mark: prune.mark,
            below_at,
            below_id,
            resume_at,
            resume_id,
            edge_fulfilled: prune.edge.fulfilled,
            edge_error: prune.edge.error,
            edge_aborted: prune.edge.aborted,
            edge_duration_us: prune.edge.duration_us,
            edge_bytes: prune.edge.bytes,
            edge_durations: prune.edge.durations.encode(),
            edge_rejected: prune.edge.rejected,
        }
    }

    fn into_prune(self) -> Result<ActivePrune, StoreError> {
        let join = |at: Option<At>, id: Option<Id>| {
            at.zip(id).map(|(at, id)| Place { started_at: at.0, id: ExecutionId::from_uuid(id.0) })
        };
        Ok(ActivePrune {
            flow: self.flow_id,
            mark: self.mark,
            below: join(self.below_at, self.below_id),
            resume: join(self.resume_at, self.resume_id),
            edge: Tally {
                pending: 0,
                fulfilled: self.edge_fulfilled,
                error: self.edge_error,
                aborted: self.edge_aborted,
                rejected: self.edge_rejected,
                unrecorded: 0,
                duration_us: self.edge_duration_us,
                bytes: self.edge_bytes,
                durations: decode("prunes", "edge_durations", self.flow_id, &self.edge_durations)?,
            },
        })
    }
}

/// The prunes that cover a row of `executions`, whichever flow they are of: it ended, was last written before they began,
/// and stands below their place.
#[diesel::dsl::auto_type]
pub(crate) fn covering() -> _ {
    prunes::table.filter(prunes::mark.ge(executions::written).and(executions::deadline_at.is_null())).filter(
        prunes::below_at.is_null().or(prunes::below_at.gt(executions::started_at.nullable())).or(
            prunes::below_at
                .eq(executions::started_at.nullable())
                .and(prunes::below_id.gt(executions::id.nullable())),
        ),
    )
}

/// Leaves out of a boxed statement over `executions` what prunes cover. Without any the statement stays as it is.
macro_rules! shown {
    ($prunes:expr, $statement:expr) => {{
        use diesel::dsl::{exists, not};
        let mut statement = $statement;
        if $prunes.iter().any(|prune| !prune.is_of_all()) {
            let own = covering().filter(prunes::flow_id.eq(executions::flow_id));
            statement = statement.filter(not(exists(own)));
        }
        // Asked for apart: each of the two finds its row by the key.
        if let Some(all) = $prunes.iter().find(|prune| prune.is_of_all()) {
            let of_all = covering().filter(prunes::flow_id.eq(all.flow));
            statement = statement.filter(not(exists(of_all)));
        }
        statement
    }};
}
pub(crate) use shown;

/// The prunes that decide about some flows, the oldest first. There are rarely any, and then few. A flow that has one of
/// its own goes by that, and by no other.
pub(crate) fn active(conn: &mut Conn, scope: &StatsScope) -> Result<Vec<ActivePrune>, StoreError> {
    let mut rows: Vec<PruneRow> = prunes::table
        .select(PruneRow::as_select())
        .order(prunes::mark)
        .load(conn)
        .map_err(backend::translate)?;
    if let StatsScope::Flows(flows) = scope {
        let has_own = |flow: &FlowId| rows.iter().any(|row| row.flow_id.0 == *flow.as_uuid());
        let is_all_wanted = !flows.iter().all(has_own);
        rows.retain(|row| match row.flow_id == ALL_FLOWS {
            true => is_all_wanted,
            false => flows.iter().any(|flow| *flow.as_uuid() == row.flow_id.0),
        });
    }
    rows.into_iter().map(PruneRow::into_prune).collect()
}

/// The prunes that decide about some flows, each with the ids under which that is counted.
pub(crate) fn shares(conn: &mut Conn, scope: &StatsScope) -> Result<Vec<(ActivePrune, Vec<Id>)>, StoreError> {
    let prunes = active(conn, scope)?;
    let own: Vec<Id> = prunes.iter().map(|prune| prune.flow).collect();
    let counted = |prune: &ActivePrune| match scope {
        StatsScope::Flows(flows) if prune.is_of_all() => {
            flows.iter().map(|flow| Id(*flow.as_uuid())).filter(|flow| !own.contains(flow)).collect()
        }
        StatsScope::Flows(_) | StatsScope::All => vec![prune.flow],
    };
    let ids: Vec<Vec<Id>> = prunes.iter().map(counted).collect();
    Ok(prunes.into_iter().zip(ids).collect())
}
