//! Flows and processes in memory.

use flowtrail_types::{
    Flow, FlowActivity, FlowId, FlowKind, FlowQuery, FlowSummary, FlowVersion, InstanceId, Page, Step, Tally,
    UserId,
};
use time::{Duration, OffsetDateTime};

use super::{MemoryStore, Row, State};
use crate::{FlowStore, InstanceStore, StatusCounts, StoreError, VisibleFlows};

impl FlowStore for MemoryStore {
    fn lookup(&self, id: FlowId) -> Result<Option<Flow>, StoreError> {
        Ok(self.lock().flows.get(&id).cloned())
    }

    fn lookup_tool(&self, tool_name: &str) -> Result<Option<Flow>, StoreError> {
        let is_it = |flow: &&Flow| flow.tool_name.as_ref().is_some_and(|name| name.as_str() == tool_name);
        Ok(self.lock().living().find(is_it).cloned())
    }

    fn lookup_named(&self, kind: FlowKind, name: &str, owner: UserId) -> Result<Option<Flow>, StoreError> {
        let state = self.lock();
        let named =
            state.living().filter(|flow| flow.kind == kind && flow.name == name && flow.owner_id == owner);
        Ok(named.min_by_key(|flow| (flow.created_at, flow.id)).cloned())
    }

    fn lookup_version(&self, flow: FlowId, version: i32) -> Result<Option<FlowVersion>, StoreError> {
        Ok(self.lock().versions.get(&(flow, version)).cloned())
    }

    fn list(&self, query: &FlowQuery, now: OffsetDateTime) -> Result<Page<FlowSummary>, StoreError> {
        let state = self.lock();
        let text = query.text.as_ref().map(|text| text.to_lowercase());
        let has_text = |flow: &Flow| {
            let contains = |name: &str, text: &String| name.to_lowercase().contains(text);
            text.as_ref().is_none_or(|text| {
                contains(&flow.name, text)
                    || flow.tool_name.as_ref().is_some_and(|name| contains(name.as_str(), text))
            })
        };
        let is_visible = |flow: &Flow| {
            query.visible_to.is_none_or(|user| {
                flow.owner_id == user
                    || flow.access.public
                    || flow.access.read.contains(&user)
                    || flow.access.write.contains(&user)
            })
        };
        let is_among = |flow: &Flow| query.among.as_ref().is_none_or(|among| among.contains(&flow.id));
        let mut found: Vec<&Flow> =
            state.living().filter(|flow| has_text(flow) && is_visible(flow) && is_among(flow)).collect();
        found.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let total = found.len() as u64;
        let items = found
            .into_iter()
            .skip(usize::try_from(query.page.offset()).unwrap_or(usize::MAX))
            .take(query.page.limit as usize)
            .map(|flow| FlowSummary::new(flow.clone(), state.activity(flow.id, now)))
            .collect();
        Ok(Page::exact(items, total, &query.page))
    }

    fn list_visible(&self, user: UserId) -> Result<VisibleFlows, StoreError> {
        let mut visible = VisibleFlows::default();
        for flow in self.lock().flows.values() {
            let access = &flow.access;
            if flow.owner_id == user || access.read.contains(&user) || access.write.contains(&user) {
                visible.full.push(flow.id);
            } else if access.public {
                visible.own_only.push(flow.id);
            }
        }
        Ok(visible)
    }

    fn list_all(&self) -> Result<Vec<Flow>, StoreError> {
        let mut flows: Vec<Flow> = self.lock().living().cloned().collect();
        flows.sort_by(|a, b| (&a.tool_name, a.id).cmp(&(&b.tool_name, b.id)));
        Ok(flows)
    }

    fn revision(&self) -> Result<i64, StoreError> {
        Ok(self.lock().revision)
    }

    fn add(&self, flows: &[Flow]) -> Result<(), StoreError> {
        let mut state = self.lock();
        for (index, flow) in flows.iter().enumerate() {
            let others = || flows[..index].iter();
            if state.flows.contains_key(&flow.id) || others().any(|other| other.id == flow.id) {
                return Err(StoreError::Taken { field: "id" });
            }
            let taken = flow.tool_name.is_some()
                && state.living().chain(others()).any(|other| other.tool_name == flow.tool_name);
            if taken {
                return Err(StoreError::Taken { field: "toolName" });
            }
        }
        for flow in flows {
            state.keep_version(flow);
            state.flows.insert(flow.id, flow.clone());
        }
        state.revision += 1;
        Ok(())
    }

    fn update(&self, flow: &Flow, seen: OffsetDateTime) -> Result<(), StoreError> {
        let mut state = self.lock();
        let unchanged = state
            .flows
            .get(&flow.id)
            .is_some_and(|kept| kept.updated_at == seen && kept.deleted_at.is_none());
        if !unchanged {
            return Err(StoreError::Changed);
        }
        let taken = flow.tool_name.is_some()
            && state.living().any(|other| other.id != flow.id && other.tool_name == flow.tool_name);
        if taken {
            return Err(StoreError::Taken { field: "toolName" });
        }
        state.keep_version(flow);
        state.flows.insert(flow.id, flow.clone());
        state.revision += 1;
        Ok(())
    }

    fn delete(&self, id: FlowId, at: OffsetDateTime) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let Some(flow) = state.flows.get_mut(&id).filter(|flow| flow.deleted_at.is_none()) else {
            return Ok(false);
        };
        flow.deleted_at = Some(at);
        state.revision += 1;
        Ok(true)
    }
}

impl State {
    fn living(&self) -> impl Iterator<Item = &Flow> {
        self.flows.values().filter(|flow| flow.deleted_at.is_none())
    }

    fn keep_version(&mut self, flow: &Flow) {
        let version =
            FlowVersion { flow_id: flow.id, version: flow.version, definition: flow.definition.clone() };
        self.versions.entry((flow.id, flow.version)).or_insert(version);
    }

    fn activity(&self, flow: FlowId, now: OffsetDateTime) -> FlowActivity {
        let mut rows: Vec<&Row> = self.executions.values().filter(|row| row.flow_id == flow).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.place()));
        let first_hour = Step::Hour.begin(now) - Duration::hours(23);
        let mut tally = Tally::default();
        let mut runs_last_day = 0;
        for row in &rows {
            let summary = &row.execution.summary;
            row.count_in(&mut tally);
            runs_last_day += u64::from(!row.is_rejected && summary.started_at >= first_hour);
        }
        FlowActivity {
            last_statuses: rows.iter().take(20).map(|row| row.execution.summary.status).collect(),
            runs_last_day,
            success_rate: StatusCounts::of_tally(&tally).success_rate(),
            last_execution_at: rows.first().map(|row| row.execution.summary.started_at),
        }
    }
}

impl InstanceStore for MemoryStore {
    fn register(&self, id: InstanceId, _at: OffsetDateTime) -> Result<(), StoreError> {
        self.lock().instances.insert(id, true);
        Ok(())
    }

    fn list_dead(&self) -> Result<Vec<InstanceId>, StoreError> {
        let state = self.lock();
        Ok(state.instances.iter().filter(|(_, alive)| !**alive).map(|(id, _)| *id).collect())
    }

    fn forget(&self, id: InstanceId) -> Result<(), StoreError> {
        self.lock().instances.remove(&id);
        Ok(())
    }

    fn release(&self, id: InstanceId) -> Result<(), StoreError> {
        if let Some(alive) = self.lock().instances.get_mut(&id) {
            *alive = false;
        }
        Ok(())
    }
}
