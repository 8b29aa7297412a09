//! How an execution begins.

use std::collections::BTreeMap;
use std::time::Duration;

use flowtrail_types::{ExecutionId, Flow, Source};
use serde_json::Value;
use time::OffsetDateTime;

use crate::Sent;

/// How an execution begins: the flow, who reports it, and what it was given.
#[derive(Debug, Clone)]
pub struct StartExecution<'a> {
    pub(crate) flow: &'a Flow,
    pub(crate) source: Source,
    pub(crate) id: Option<ExecutionId>,
    pub(crate) params: Option<Sent<'a>>,
    pub(crate) whole_params: Option<u64>,
    pub(crate) first_param: Option<&'a str>,
    pub(crate) meta: Option<Sent<'a>>,
    pub(crate) parent: Option<ExecutionId>,
    pub(crate) replay_of: Option<ExecutionId>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) lease: Option<Duration>,
    pub(crate) started_at: Option<OffsetDateTime>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl<'a> StartExecution<'a> {
    /// The parameter that lists show: the first declared one, or the first one there is.
    pub(crate) fn preview(&self) -> Option<(&'a str, &'a Value)> {
        let params = self.params?.value.as_object()?;
        match self.first_param {
            Some(name) => params.get(name).map(|value| (name, value)),
            None => params.iter().next().map(|(name, value)| (name.as_str(), value)),
        }
    }

    /// An execution of a flow, reported by a source, that begins now.
    #[must_use]
    pub fn of(flow: &'a Flow, source: Source) -> Self {
        Self {
            flow,
            source,
            id: None,
            params: None,
            whole_params: None,
            first_param: None,
            meta: None,
            parent: None,
            replay_of: None,
            timeout: None,
            lease: None,
            started_at: None,
            tags: BTreeMap::new(),
        }
    }

    /// An id of the reporter's choosing, by which a retry is told from another execution.
    #[must_use]
    pub fn id(mut self, id: ExecutionId) -> Self {
        self.id = Some(id);
        self
    }

    /// What it was given.
    #[must_use]
    pub fn params(mut self, params: impl Into<Sent<'a>>) -> Self {
        self.params = Some(params.into());
        self
    }

    /// `params` is the beginning of what it was given, all of which has so many bytes of JSON.
    #[must_use]
    pub fn part_of(mut self, whole_size: Option<u64>) -> Self {
        self.whole_params = whole_size;
        self
    }

    /// Which parameter lists show; the first one of `params` when not told.
    #[must_use]
    pub fn first_param(mut self, name: Option<&'a str>) -> Self {
        self.first_param = name;
        self
    }

    /// What the reporter says besides: the client, the session, a trace.
    #[must_use]
    pub fn meta(mut self, meta: impl Into<Sent<'a>>) -> Self {
        self.meta = Some(meta.into());
        self
    }

    /// The execution that called it.
    #[must_use]
    pub fn parent(mut self, parent: ExecutionId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// The execution that it repeats.
    #[must_use]
    pub fn replay_of(mut self, original: ExecutionId) -> Self {
        self.replay_of = Some(original);
        self
    }

    /// How long it may take before it is taken for dead; the flow's timeout when not told.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// For how long it may be silent, when it runs elsewhere: every append gives it as long again. When nothing was heard
    /// for so long it is taken for interrupted. Without a lease it has the flow's timeout for all of it.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// When it began; now when not told.
    #[must_use]
    pub fn started_at(mut self, at: OffsetDateTime) -> Self {
        self.started_at = Some(at);
        self
    }

    /// A key and value to filter by.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}
