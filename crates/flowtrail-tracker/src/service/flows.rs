//! Flows: made, changed, found.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_store::StoreError;
use flowtrail_types::{
    Access, AuditAction, CapturePolicy, Flow, FlowActivity, FlowDefinition, FlowDraft, FlowId, FlowKind,
    FlowQuery, FlowSummary, Page, Principal, Retention, Role, SavedBy, ToolName,
};
use serde_json::json;
use tokio::sync::watch;

use super::audit::Act;
use crate::access::{self, Rights, require};
use crate::{Tracker, TrackerError};

/// What of a flow is to be changed. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowChange {
    /// Its name.
    pub name: Option<String>,
    /// Its tool name.
    pub tool_name: Option<ToolName>,
    /// Its description.
    pub description: Option<String>,
    /// Whether it can be called.
    pub active: Option<bool>,
    /// Its graph. A graph that differs from the current one is its next version.
    pub definition: Option<FlowDefinition>,
    /// Its timeout; `Some(None)` takes it away.
    pub timeout: Option<Option<Duration>>,
    /// Who may see and change it.
    pub access: Option<Access>,
    /// How much of an execution's data is kept.
    pub capture: Option<CapturePolicy>,
    /// Which executions are kept; `Some(None)` for those that the server's rules keep.
    pub retention: Option<Option<Retention>>,
}

/// The most characters that a flow's name may have.
const MAX_NAME: usize = 300;
/// The most characters that a flow's description may have.
const MAX_DESCRIPTION: usize = 10_000;
/// The longest timeout.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// With how many users a flow may be shared one by one.
const MAX_SHARED: usize = 1_000;
/// How many flows may be made at once.
const MAX_AT_ONCE: usize = 1_000;
/// How often a change is tried again when somebody else changed the flow between reading and writing it.
const TRIES: usize = 5;

impl Tracker {
    /// Makes a flow. Its owner is the principal. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Invalid`] when a value is out of bounds, [`TrackerError::Taken`] when the id or the tool
    /// name is.
    pub fn create_flow(&self, principal: &Principal, draft: FlowDraft) -> Result<Arc<Flow>, TrackerError> {
        let mut made = self.create_flows(principal, vec![draft])?;
        made.pop().ok_or(TrackerError::NotFound("flow"))
    }

    /// Makes flows, all or none. Blocks.
    ///
    /// # Errors
    ///
    /// As [`create_flow`](Self::create_flow); nothing was made then.
    pub fn create_flows(
        &self,
        principal: &Principal,
        drafts: Vec<FlowDraft>,
    ) -> Result<Vec<Arc<Flow>>, TrackerError> {
        if drafts.len() > MAX_AT_ONCE {
            let message = format!("expected at most {MAX_AT_ONCE} flows at once, got {}", drafts.len());
            return Err(TrackerError::invalid("flows", message));
        }
        access::require_more_than_reading(principal, "make flows")?;
        // What the proxy records of everybody's calls must not end up in a flow of somebody's own making.
        if !principal.is_admin() && drafts.iter().any(|draft| draft.kind == FlowKind::Upstream) {
            return Err(TrackerError::invalid(
                "kind",
                "expected runnable or external: flows of upstream tools are made by the proxy",
            ));
        }
        let mut flows = Vec::with_capacity(drafts.len());
        for draft in drafts {
            flows.push(self.new_flow(principal, draft)?);
        }
        self.inner.store.flows().add(&flows).map_err(|error| match error {
            StoreError::Taken { field } => TrackerError::Taken { field, value: self.taken(&flows, field) },
            other => other.into(),
        })?;
        self.inner.renew_catalog();
        Ok(flows.into_iter().map(Arc::new).collect())
    }

    /// Which of the flows has the value that is taken: by another flow, or by another one of these.
    fn taken(&self, flows: &[Flow], field: &str) -> String {
        let names = |flow: &Flow| match field {
            "toolName" => flow.tool_name.as_ref().map_or_else(String::new, ToString::to_string),
            _ => flow.id.to_string(),
        };
        let store = self.inner.store.flows();
        let is_taken = |index: usize, flow: &Flow| {
            let by_another_one = flows[..index].iter().any(|other| names(other) == names(flow));
            let by_another_flow = match (&flow.tool_name, field) {
                (Some(name), "toolName") => store.lookup_tool(name.as_str()),
                _ => store.lookup(flow.id),
            };
            by_another_one || matches!(by_another_flow, Ok(Some(_)))
        };
        let found = flows.iter().enumerate().find(|(index, flow)| is_taken(*index, flow));
        found.map_or_else(String::new, |(_, flow)| names(flow))
    }

    /// A flow as it would be made, which is not there yet.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Invalid`] when a value is out of bounds, [`TrackerError::Forbidden`] for the token of a page.
    pub fn draft_flow(&self, principal: &Principal, draft: FlowDraft) -> Result<Flow, TrackerError> {
        access::require_more_than_reading(principal, "make flows")?;
        self.new_flow(principal, draft)
    }

    fn new_flow(&self, principal: &Principal, draft: FlowDraft) -> Result<Flow, TrackerError> {
        let now = self.inner.clock.now();
        let flow = Flow {
            id: draft.id.unwrap_or_else(|| FlowId::from_uuid(self.inner.ids.next(now))),
            kind: draft.kind,
            name: draft.name,
            tool_name: draft.tool_name,
            description: draft.description,
            active: draft.active,
            version: 1,
            definition: draft.definition,
            timeout: draft.timeout,
            access: sorted(draft.access),
            capture: draft.capture,
            retention: draft.retention.filter(|rules| !rules.keeps_all()),
            owner_id: principal.id,
            saved_by: SavedBy::from(principal),
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        check(&flow)?;
        self.inner.refuse_secrets(&flow, None)?;
        Ok(flow)
    }

    /// Changes a flow. Blocks.
    ///
    /// What is to be changed may depend on the flow as it is: it is asked for anew when somebody else has changed
    /// the flow in between.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] and [`TrackerError::Forbidden`] by the principal's rights,
    /// [`TrackerError::Invalid`] and [`TrackerError::Taken`] by the values, and those of `change`.
    pub fn change_flow<E: From<TrackerError>>(
        &self,
        principal: &Principal,
        id: FlowId,
        change: impl Fn(&Flow) -> Result<FlowChange, E>,
    ) -> Result<Arc<Flow>, E> {
        for _ in 0..TRIES {
            // As it is now, not as it was a moment ago.
            let flow = self.inner.store.flows().lookup(id).map_err(TrackerError::from)?;
            let flow = flow.filter(|flow| flow.deleted_at.is_none()).ok_or(TrackerError::NotFound("flow"))?;
            require(principal, &flow, Rights::Write, "change this flow")?;
            let seen = flow.updated_at;
            let change = change(&flow)?;
            let before = change.access.is_some().then(|| flow.access.clone());
            let changed = self.changed(principal, flow, &change)?;
            let update = || self.inner.store.flows().update(&changed, seen);
            let updated = match before.filter(|before| *before != changed.access) {
                Some(before) => {
                    let detail = json!({"before": before, "after": changed.access});
                    let act = Act::to(AuditAction::AccessChanged, *id.as_uuid(), &changed.name);
                    self.inner.noted(principal, act.with(detail), update)
                }
                None => update().map_err(TrackerError::from),
            };
            match updated {
                Ok(()) => {
                    self.inner.renew_catalog();
                    return Ok(Arc::new(changed));
                }
                Err(TrackerError::Changed) => {}
                Err(TrackerError::Taken { field, .. }) => {
                    let value = changed.tool_name.map_or_else(String::new, |name| name.to_string());
                    return Err(TrackerError::Taken { field, value }.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(TrackerError::Changed.into())
    }

    fn changed(&self, principal: &Principal, flow: Flow, change: &FlowChange) -> Result<Flow, TrackerError> {
        let before = flow.clone();
        let definition = change.definition.clone().unwrap_or_else(|| flow.definition.clone());
        let version = if definition == flow.definition { flow.version } else { flow.version + 1 };
        let tick = Duration::from_micros(1);
        let changed = Flow {
            name: change.name.clone().unwrap_or(flow.name),
            tool_name: change.tool_name.clone().or(flow.tool_name),
            description: change.description.clone().unwrap_or(flow.description),
            active: change.active.unwrap_or(flow.active),
            timeout: change.timeout.unwrap_or(flow.timeout),
            access: change.access.clone().map_or(flow.access, sorted),
            capture: change.capture.unwrap_or(flow.capture),
            retention: change.retention.unwrap_or(flow.retention).filter(|rules| !rules.keeps_all()),
            // Later than before, whatever the clock says: by this time a change is told from the next one.
            updated_at: self.inner.clock.now().max(flow.updated_at + tick),
            version,
            // Who saves a definition answers for it, also when it is the one that was there.
            saved_by: if change.definition.is_some() { SavedBy::from(principal) } else { flow.saved_by },
            definition,
            ..flow
        };
        check(&changed)?;
        self.inner.refuse_secrets(&changed, Some(&before))?;
        Ok(changed)
    }

    /// Deletes a flow. Its executions stay, under the names that it had, guarded as they were. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] and [`TrackerError::Forbidden`] by the principal's rights.
    pub fn delete_flow(&self, principal: &Principal, id: FlowId) -> Result<(), TrackerError> {
        let flow = self.living_flow(id)?;
        require(principal, &flow, Rights::Write, "delete this flow")?;
        let act = Act::to(AuditAction::FlowDeleted, *id.as_uuid(), &flow.name);
        let delete = || self.inner.store.flows().delete(id, self.inner.clock.now());
        if !self.inner.noted(principal, act, delete)? {
            return Err(TrackerError::NotFound("flow"));
        }
        self.inner.renew_catalog();
        Ok(())
    }

    /// A flow that the principal may see. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when there is none.
    pub fn flow(&self, principal: &Principal, id: FlowId) -> Result<Arc<Flow>, TrackerError> {
        let flow = self.living_flow(id)?;
        require(principal, &flow, Rights::Public, "see this flow")?;
        Ok(flow)
    }

    /// The same for transports that tell strangers that there is a flow. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when there is none, [`TrackerError::Forbidden`] when the principal may not see it.
    pub fn known_flow(&self, principal: &Principal, id: FlowId) -> Result<Arc<Flow>, TrackerError> {
        let flow = self.living_flow(id)?;
        if access::rights(principal, &flow) == Rights::None {
            return Err(TrackerError::Forbidden("see this flow"));
        }
        Ok(flow)
    }

    /// One page of the flows that the principal may see, with how they have been doing. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn flows(
        &self,
        principal: &Principal,
        mut query: FlowQuery,
    ) -> Result<Page<FlowSummary>, TrackerError> {
        query.visible_to = (principal.role != Role::Admin).then_some(principal.id);
        query.among = principal.only.as_deref().map(<[FlowId]>::to_vec);
        let mut page = self.inner.store.flows().list(&query, self.inner.clock.now())?;
        for flow in &mut page.items {
            // Who may read only because a flow is public sees no statistics of it.
            let held = access::rights_by(principal, flow.id, flow.owner_id, &flow.access);
            if held < Rights::Read {
                flow.activity = FlowActivity::default();
            }
        }
        Ok(page)
    }

    /// The flow with this tool name, active or not, if the principal may call it. Reads no database.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when there is none.
    pub fn flow_by_tool_name(&self, principal: &Principal, name: &str) -> Result<Arc<Flow>, TrackerError> {
        let flows = self.inner.catalog.current();
        let flow = flows.tool(name).filter(|flow| access::may_use(principal, flow));
        flow.map(Arc::clone).ok_or(TrackerError::NotFound("flow"))
    }

    /// The active runnable flows that the principal may call, by tool name. Reads no database.
    #[must_use]
    pub fn tools(&self, principal: &Principal) -> Vec<Arc<Flow>> {
        let flows = self.inner.catalog.current();
        let is_callable = |flow: &&Arc<Flow>| {
            flow.active && flow.kind == FlowKind::Runnable && access::may_use(principal, flow)
        };
        flows.tools.iter().filter(is_callable).cloned().collect()
    }

    /// Tells of every change of a flow, by this process or another; the value is the flows' revision.
    #[must_use]
    pub fn flow_changes(&self) -> watch::Receiver<i64> {
        self.inner.catalog.changes()
    }

    /// The principal's external flow with this name, made if there is none: for programs that record their own
    /// runs. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Invalid`] when the name is out of bounds.
    pub fn external_flow(&self, principal: &Principal, name: &str) -> Result<Arc<Flow>, TrackerError> {
        let find = || self.inner.store.flows().lookup_named(FlowKind::External, name, principal.id);
        match find()? {
            Some(flow) => Ok(Arc::new(flow)),
            None => {
                self.create_flow(principal, FlowDraft::new(FlowKind::External, name))?;
                // Of two that were made at once, everybody takes the older one.
                find()?.map(Arc::new).ok_or(TrackerError::NotFound("flow"))
            }
        }
    }

    /// A flow that is not deleted, whoever may see it.
    fn living_flow(&self, id: FlowId) -> Result<Arc<Flow>, TrackerError> {
        let flow = self.any_flow(id)?.filter(|flow| flow.deleted_at.is_none());
        flow.ok_or(TrackerError::NotFound("flow"))
    }

    /// A flow, deleted or not.
    pub(super) fn any_flow(&self, id: FlowId) -> Result<Option<Arc<Flow>>, TrackerError> {
        let (store, known) = (&self.inner.store, &self.inner.known);
        let mark = store.rules_mark();
        if let Some(flow) = known.flows.get(mark, &id) {
            return Ok(Some(flow));
        }
        let found = store.flows().lookup(id)?.map(Arc::new);
        if let Some(flow) = &found {
            known.flows.put(mark, id, Arc::clone(flow));
        }
        Ok(found)
    }

    /// The same as [`flow`](Self::flow) without asking the database: none when that would have to be asked, or the principal
    /// may not see it. Does not block.
    #[must_use]
    pub fn recall_flow(&self, principal: &Principal, id: FlowId) -> Option<Arc<Flow>> {
        let flow = self.inner.known.flows.get(self.inner.store.rules_mark(), &id)?;
        let is_seen =
            flow.deleted_at.is_none() && require(principal, &flow, Rights::Public, "see this flow").is_ok();
        is_seen.then_some(flow)
    }
}

fn sorted(mut access: Access) -> Access {
    for list in [&mut access.read, &mut access.write] {
        list.sort_unstable();
        list.dedup();
    }
    // Whoever may write may read.
    access.read.retain(|user| !access.write.contains(user));
    access
}

fn check(flow: &Flow) -> Result<(), TrackerError> {
    // The nil id stands for all flows in the counters.
    if flow.id.as_uuid().is_nil() {
        return Err(TrackerError::invalid("id", "expected a UUID other than the nil one"));
    }
    let shared_with = flow.access.read.len() + flow.access.write.len();
    if shared_with > MAX_SHARED {
        return Err(TrackerError::invalid(
            "access",
            format!("expected at most {MAX_SHARED} users, got {shared_with}"),
        ));
    }
    let length = flow.name.chars().count();
    if flow.name.trim().is_empty() || length > MAX_NAME {
        return Err(TrackerError::invalid(
            "name",
            format!("expected 1 to {MAX_NAME} characters, got {length}"),
        ));
    }
    if flow.name.chars().any(char::is_control) {
        return Err(TrackerError::invalid("name", "expected no control characters"));
    }
    if flow.description.chars().count() > MAX_DESCRIPTION {
        return Err(TrackerError::invalid(
            "description",
            format!("expected at most {MAX_DESCRIPTION} characters"),
        ));
    }
    if flow.timeout.is_some_and(|timeout| timeout.is_zero() || timeout > MAX_TIMEOUT) {
        return Err(TrackerError::invalid("timeout", "expected more than nothing and at most 24 hours"));
    }
    match flow.kind {
        FlowKind::Runnable | FlowKind::Upstream if flow.tool_name.is_none() => {
            Err(TrackerError::invalid("toolName", "a flow of this kind needs one"))
        }
        FlowKind::External if flow.tool_name.is_some() => {
            Err(TrackerError::invalid("toolName", "an external flow is no tool and has none"))
        }
        FlowKind::External | FlowKind::Upstream if !flow.definition.nodes.is_empty() => {
            Err(TrackerError::invalid("nodes", "a flow of this kind runs elsewhere and has none"))
        }
        FlowKind::Runnable | FlowKind::External | FlowKind::Upstream => Ok(()),
    }
}
