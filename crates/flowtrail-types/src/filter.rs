//! Which executions, which flows.

use std::str::FromStr;

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Cursor, Digest, DurationRange, ExecutionStatus, ExecutionSummary, FlowId, PageRequest, SearchText,
    Source, Tag, UnknownName, UserId, timestamp,
};

/// What executions are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Of this flow.
    pub flow: Option<FlowId>,
    /// With this status.
    pub status: Option<ExecutionStatus>,
    /// Reported by this source.
    pub source: Option<Source>,
    /// Started by this user.
    pub user: Option<UserId>,
    /// That began at this time or later.
    pub from: Option<OffsetDateTime>,
    /// That began before this time.
    pub to: Option<OffsetDateTime>,
    /// That ended, and took so long.
    pub duration: DurationRange,
    /// Marked with this key and value.
    pub tag: Option<Tag>,
    /// With this text in what lists show of them, or with an id that it is, or is the beginning of.
    pub text: Option<SearchText>,
}

impl ExecutionFilter {
    /// Those of one flow.
    #[must_use]
    pub fn of_flow(flow: FlowId) -> Self {
        Self { flow: Some(flow), ..Self::default() }
    }

    /// Whether nothing but the flow and the status is asked for: then counters know the total.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        let is_only_of_time = self.source.is_none() && self.user.is_none() && self.duration.is_any();
        let is_always = self.from.is_none() && self.to.is_none();
        is_only_of_time && is_always && self.tag.is_none() && self.text.is_none()
    }

    /// Whether an execution is wanted, as far as its summary tells: all but the tag.
    #[must_use]
    pub fn matches(&self, summary: &ExecutionSummary) -> bool {
        self.flow.is_none_or(|flow| summary.guarding_flow_id == flow)
            && self.status.is_none_or(|status| summary.status == status)
            && self.source.is_none_or(|source| summary.source == source)
            && self.user.is_none_or(|user| summary.user_id == Some(user))
            && self.from.is_none_or(|from| summary.started_at >= from)
            && self.to.is_none_or(|to| summary.started_at < to)
            && self.duration.has(summary.duration_us())
            && self.text.as_ref().is_none_or(|text| text.is_in(summary))
    }

    /// The filter and the order as a number that a cursor carries, so that it is not used with another.
    #[must_use]
    pub fn fingerprint(&self, sort: SortKey, direction: SortDirection) -> u32 {
        let time = |at: Option<OffsetDateTime>| at.map_or(i64::MIN, timestamp::unix_micros).to_le_bytes();
        let micros = |us: Option<i64>| us.unwrap_or(i64::MIN).to_le_bytes();
        let digest = Digest::of(&[
            self.flow.as_ref().map_or(&[][..], |flow| flow.as_uuid().as_bytes()),
            self.status.map_or("", ExecutionStatus::as_str).as_bytes(),
            self.source.map_or("", Source::as_str).as_bytes(),
            self.user.as_ref().map_or(&[][..], |user| user.as_uuid().as_bytes()),
            &time(self.from),
            &time(self.to),
            &micros(self.duration.min_us()),
            &micros(self.duration.max_us()),
            self.tag.as_ref().map_or("", Tag::key).as_bytes(),
            self.tag.as_ref().map_or("", Tag::value).as_bytes(),
            self.text.as_ref().map_or("", SearchText::as_str).as_bytes(),
            &[sort as u8, direction as u8],
        ]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

/// What a list of executions is sorted by. The id breaks ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SortKey {
    /// When they began: the newest first.
    #[default]
    StartedAt,
    /// How long they took: the longest first, and what has not ended last. No index has this order: the newest ones that
    /// the filter finds are sorted, a bounded number of them.
    Duration,
}

impl FromStr for SortKey {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "startedAt" => Ok(Self::StartedAt),
            "duration" => Ok(Self::Duration),
            _ => Err(UnknownName::new("sort", text, "startedAt or duration")),
        }
    }
}

/// In which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SortDirection {
    /// The newest, or the longest, first.
    #[default]
    Descending,
}

/// What of the history a principal may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// Everything.
    All,
    /// Some of it.
    Limited {
        /// Everything of these flows.
        flows: Vec<FlowId>,
        /// Of every other public flow, what this user started.
        user: UserId,
        /// The public flows, of which they see their own executions.
        own_in: Vec<FlowId>,
    },
}

impl Visibility {
    /// Whether it lets anything of a flow be seen, if only what one user started.
    #[must_use]
    pub fn has(&self, flow: FlowId) -> bool {
        match self {
            Self::All => true,
            Self::Limited { flows, own_in, .. } => flows.contains(&flow) || own_in.contains(&flow),
        }
    }

    /// Whether it lets an execution be seen.
    #[must_use]
    pub fn shows(&self, summary: &ExecutionSummary) -> bool {
        let flow = summary.guarding_flow_id;
        match self {
            Self::All => true,
            Self::Limited { flows, user, own_in } => {
                flows.contains(&flow) || (own_in.contains(&flow) && summary.user_id == Some(*user))
            }
        }
    }
}

/// A question for a page of executions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionQuery {
    /// Which ones are wanted.
    pub filter: ExecutionFilter,
    /// Which ones may be seen.
    pub visibility: Visibility,
    /// What they are sorted by.
    pub sort: SortKey,
    /// Only what was recorded at this time or earlier.
    pub as_of: Option<OffsetDateTime>,
    /// Only what stands after this place.
    pub after: Option<Cursor>,
    /// How many of them are left out from the beginning.
    pub offset: u64,
    /// How many are wanted.
    pub limit: u32,
}

impl ExecutionQuery {
    /// The newest executions that a filter finds, whoever may see them.
    #[must_use]
    pub fn newest(filter: ExecutionFilter, limit: u32) -> Self {
        Self {
            filter,
            visibility: Visibility::All,
            sort: SortKey::StartedAt,
            as_of: None,
            after: None,
            offset: 0,
            limit,
        }
    }

    /// The id that the text is, when it is a whole one, and the same question without the text.
    #[must_use]
    pub fn named(&self) -> Option<(Uuid, Self)> {
        let id = self.filter.text.as_ref()?.whole_id()?;
        let filter = ExecutionFilter { text: None, ..self.filter.clone() };
        Some((id, Self { filter, ..self.clone() }))
    }

    /// The same question of one flow only, if it may be seen and no other one is asked for.
    #[must_use]
    pub fn within(mut self, flow: FlowId) -> Option<Self> {
        let is_asked_for = self.filter.flow.is_none_or(|wanted| wanted == flow);
        self.filter.flow = Some(flow);
        (is_asked_for && self.visibility.has(flow)).then_some(self)
    }
}

/// A question for a page of flows, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowQuery {
    /// Whose flows: those that this user owns or that are shared with them. Everyone's when absent.
    pub visible_to: Option<UserId>,
    /// Among these. All when absent.
    pub among: Option<Vec<FlowId>>,
    /// Text that the name or the tool name has, whatever its case.
    pub text: Option<String>,
    /// Which part of them.
    pub page: PageRequest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_and_every_order_has_a_fingerprint_of_its_own_and_only_flow_and_status_are_counted() {
        let any = ExecutionFilter::default;
        let id = Uuid::from_u128(7);
        let at = Some(OffsetDateTime::UNIX_EPOCH);
        let counted = [
            any(),
            ExecutionFilter::of_flow(FlowId::from_uuid(id)),
            ExecutionFilter { status: Some(ExecutionStatus::Error), ..any() },
        ];
        let others = [
            ExecutionFilter { source: Some(Source::Api), ..any() },
            ExecutionFilter { user: Some(UserId::from_uuid(id)), ..any() },
            ExecutionFilter { from: at, ..any() },
            ExecutionFilter { to: at, ..any() },
            ExecutionFilter { duration: DurationRange::of_millis(Some(0), None), ..any() },
            ExecutionFilter { duration: DurationRange::of_millis(None, Some(0)), ..any() },
            ExecutionFilter { tag: Some("a:b".parse().unwrap()), ..any() },
            ExecutionFilter { tag: Some("a:bc".parse().unwrap()), ..any() },
            ExecutionFilter { text: Some("a".parse().unwrap()), ..any() },
        ];
        assert!(counted.iter().all(ExecutionFilter::is_counted));
        assert!(!others.iter().any(ExecutionFilter::is_counted));
        let mut prints: Vec<u32> = [SortKey::StartedAt, SortKey::Duration]
            .into_iter()
            .flat_map(|sort| {
                let filters = counted.iter().chain(&others);
                filters.map(move |filter| filter.fingerprint(sort, SortDirection::Descending))
            })
            .collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), 2 * (counted.len() + others.len()));
    }

    #[test]
    fn what_cannot_be_sorted_by_says_what_can() {
        assert_eq!("duration".parse(), Ok(SortKey::Duration));
        let error = "colour".parse::<SortKey>().unwrap_err();
        assert_eq!(error.to_string(), "unknown sort \"colour\", expected startedAt or duration");
    }
}
