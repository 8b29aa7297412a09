//! Flows, their definitions, and who may see them.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use diesel::dsl::exists;
use diesel::prelude::*;
use flowtrail_store::{FlowStore, StoreError, VisibleFlows};
use flowtrail_types::{
    Access, Flow, FlowActivity, FlowDefinition, FlowId, FlowKind, FlowQuery, FlowSummary, FlowVersion, Page,
    Retention, Role, SavedBy, StatsScope, Step, ToolName, UserId,
};
use time::OffsetDateTime;

use super::audit;
use super::backend::{self, Conn, Db};
use super::damage::only_sound;
use super::schema::{flow_access, flow_revision, flow_versions, flows, users};
use super::store::WriteError;
use super::{DieselStore, corrupt, executions as history, statistics};
use crate::columns::{At, Id};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = flows, check_for_backend(Db), treat_none_as_default_value = false)]
#[diesel(treat_none_as_null = true)]
struct FlowRow {
    id: Id,
    kind: String,
    name: String,
    search_text: String,
    tool_name: Option<String>,
    description: String,
    active: bool,
    version: i32,
    timeout_us: Option<i64>,
    public: bool,
    capture: String,
    owner_id: Id,
    created_at: At,
    updated_at: At,
    deleted_at: Option<At>,
    retention: Option<String>,
}

impl From<&Flow> for FlowRow {
    fn from(flow: &Flow) -> Self {
        let tool_name = flow.tool_name.as_ref().map(|name| name.as_str().to_owned());
        let search_text =
            format!("{}\n{}", flow.name, tool_name.as_deref().unwrap_or_default()).to_lowercase();
        Self {
            id: Id(*flow.id.as_uuid()),
            kind: flow.kind.as_str().to_owned(),
            name: backend::text(&flow.name).into_owned(),
            search_text: backend::text(&search_text).into_owned(),
            tool_name,
            description: backend::text(&flow.description).into_owned(),
            active: flow.active,
            version: flow.version,
            timeout_us: flow.timeout.map(|timeout| i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX)),
            public: flow.access.public,
            capture: flow.capture.as_str().to_owned(),
            owner_id: Id(*flow.owner_id.as_uuid()),
            created_at: At(flow.created_at),
            updated_at: At(flow.updated_at),
            deleted_at: flow.deleted_at.map(At),
            // Numbers only: nothing in it can fail to be written.
            retention: flow.retention.as_ref().and_then(|rules| serde_json::to_string(rules).ok()),
        }
    }
}

impl FlowRow {
    fn into_flow(self, current: Current, mut access: Access) -> Result<Flow, StoreError> {
        let id = self.id.0;
        let bad = |column, error: String| corrupt("flows", column, id, error);
        access.public = self.public;
        Ok(Flow {
            id: FlowId::from_uuid(id),
            kind: self.kind.parse().map_err(|error| bad("kind", format!("{error}")))?,
            name: backend::from_text(self.name),
            tool_name: self
                .tool_name
                .map(|name| ToolName::from_str(&name))
                .transpose()
                .map_err(|error| bad("tool_name", error.to_string()))?,
            description: backend::from_text(self.description),
            active: self.active,
            version: self.version,
            definition: current.definition,
            timeout: self.timeout_us.map(|us| Duration::from_micros(u64::try_from(us).unwrap_or(0))),
            access,
            retention: self
                .retention
                .map(|rules| serde_json::from_str::<Retention>(&rules))
                .transpose()
                .map_err(|error| bad("retention", error.to_string()))?,
            capture: self.capture.parse().map_err(|error| bad("capture", format!("{error}")))?,
            owner_id: UserId::from_uuid(self.owner_id.0),
            saved_by: current.saved_by,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
            deleted_at: self.deleted_at.map(|at| at.0),
        })
    }
}

/// The definition of a flow that is current, and who saved it.
struct Current {
    definition: FlowDefinition,
    saved_by: SavedBy,
}

/// Who saved a definition, as its row tells. Rows of earlier editions do not.
type SaverColumns = (Option<Id>, Option<String>, Option<bool>);

fn saver(columns: SaverColumns) -> Option<SavedBy> {
    let (Some(id), name, is_admin) = columns else { return None };
    let name = backend::from_text(name.unwrap_or_default());
    Some(SavedBy { id: UserId::from_uuid(id.0), name, is_admin: is_admin.unwrap_or(false) })
}

/// Who stands for the one who saved a definition when that is not known: the flow's owner, as they are now.
fn owner(conn: &mut Conn, id: Id) -> Result<SavedBy, StoreError> {
    let user: Option<(String, String)> = users::table
        .find(id)
        .filter(users::deleted_at.is_null())
        .select((users::name, users::role))
        .first(conn)
        .optional()
        .map_err(backend::translate)?;
    let (name, role) = user.unwrap_or_default();
    let name = backend::from_text(name);
    Ok(SavedBy { id: UserId::from_uuid(id.0), name, is_admin: role == Role::Admin.as_str() })
}

/// Adds the access lists and, if they are wanted, the definitions to rows. Each flow may be damaged by itself.
fn complete(
    conn: &mut Conn,
    rows: Vec<FlowRow>,
    with_definitions: bool,
) -> Result<Vec<Result<Flow, StoreError>>, StoreError> {
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let mut access: HashMap<Id, Access> = HashMap::new();
    let mut definitions: HashMap<Id, (Vec<u8>, Option<SavedBy>)> = HashMap::new();
    for ids in ids.chunks(backend::MAX_BINDS) {
        let shared: Vec<(Id, Id, bool)> = flow_access::table
            .filter(flow_access::flow_id.eq_any(ids))
            .order((flow_access::flow_id, flow_access::user_id))
            .load(conn)
            .map_err(backend::translate)?;
        for (flow, user, can_write) in shared {
            let lists = access.entry(flow).or_default();
            let list = if can_write { &mut lists.write } else { &mut lists.read };
            list.push(UserId::from_uuid(user.0));
        }
        if with_definitions {
            let current: Vec<(Id, Vec<u8>, SaverColumns)> = flow_versions::table
                .inner_join(
                    flows::table.on(flows::id
                        .eq(flow_versions::flow_id)
                        .and(flows::version.eq(flow_versions::version))),
                )
                .filter(flow_versions::flow_id.eq_any(ids))
                .select((
                    flow_versions::flow_id,
                    flow_versions::definition,
                    (flow_versions::saved_by, flow_versions::saved_by_name, flow_versions::saved_by_admin),
                ))
                .load(conn)
                .map_err(backend::translate)?;
            for (flow, definition, saved_by) in current {
                definitions.insert(flow, (definition, saver(saved_by)));
            }
        }
    }
    let flows = rows.into_iter().map(|row| {
        let id = row.id;
        let (definition, saved_by) = match definitions.remove(&id) {
            Some((definition, saved_by)) => (parse_definition(id, &definition)?, saved_by),
            None if with_definitions => {
                return Err(corrupt("flow_versions", "version", id.0, "the current one is missing"));
            }
            None => (FlowDefinition::default(), None),
        };
        let saved_by = match saved_by {
            Some(saved_by) => saved_by,
            None if with_definitions => owner(conn, row.owner_id)?,
            None => SavedBy::id_only(UserId::from_uuid(row.owner_id.0)),
        };
        row.into_flow(Current { definition, saved_by }, access.remove(&id).unwrap_or_default())
    });
    Ok(flows.collect())
}

fn parse_definition(flow: Id, json: &[u8]) -> Result<FlowDefinition, StoreError> {
    serde_json::from_slice(json).map_err(|error| corrupt("flow_versions", "definition", flow.0, error))
}

/// Writes the access lists and the definition that belong to a flow's row.
fn write_parts(conn: &mut Conn, flow: &Flow) -> Result<(), WriteError> {
    let flow_id = Id(*flow.id.as_uuid());
    let definition = serde_json::to_vec(&flow.definition).map_err(|error| StoreError::Internal {
        reason: "a definition cannot be written as JSON".to_owned(),
        source: Some(Box::new(error)),
    })?;
    let saved_by = (
        flow_versions::saved_by.eq(Id(*flow.saved_by.id.as_uuid())),
        flow_versions::saved_by_name.eq(backend::text(&flow.saved_by.name).into_owned()),
        flow_versions::saved_by_admin.eq(flow.saved_by.is_admin),
    );
    diesel::insert_into(flow_versions::table)
        .values((
            flow_versions::flow_id.eq(flow_id),
            flow_versions::version.eq(flow.version),
            flow_versions::definition.eq(definition),
            &saved_by,
        ))
        .on_conflict((flow_versions::flow_id, flow_versions::version))
        .do_update()
        .set(saved_by.clone())
        .execute(conn)?;
    diesel::delete(flow_access::table.filter(flow_access::flow_id.eq(flow_id))).execute(conn)?;
    // Whoever may write may read, so a user stands in one list.
    let readers = flow.access.read.iter().filter(|user| !flow.access.write.contains(user));
    let lists = [
        readers.map(|user| (user, false)).collect::<Vec<_>>(),
        flow.access.write.iter().map(|user| (user, true)).collect(),
    ];
    for (user, can_write) in lists.into_iter().flatten() {
        diesel::insert_into(flow_access::table)
            .values((
                flow_access::flow_id.eq(flow_id),
                flow_access::user_id.eq(Id(*user.as_uuid())),
                flow_access::can_write.eq(can_write),
            ))
            .on_conflict((flow_access::flow_id, flow_access::user_id))
            .do_nothing()
            .execute(conn)?;
    }
    diesel::update(flow_revision::table)
        .set(flow_revision::revision.eq(flow_revision::revision + 1))
        .execute(conn)?;
    Ok(())
}

/// Reads every flow with every definition that it ever had, deleted ones too.
pub(super) fn check(conn: &mut Conn) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let rows: Vec<FlowRow> =
        flows::table.select(FlowRow::as_select()).load(conn).map_err(backend::translate)?;
    let flows = complete(conn, rows, true)?.into_iter().map(|flow| flow.map(drop));
    let mut checked: Vec<_> = flows.collect();
    let versions: Vec<(Id, Vec<u8>)> = flow_versions::table
        .inner_join(flows::table.on(flows::id.eq(flow_versions::flow_id)))
        .filter(flow_versions::version.ne(flows::version))
        .select((flow_versions::flow_id, flow_versions::definition))
        .load(conn)
        .map_err(backend::translate)?;
    checked.extend(versions.iter().map(|(flow, json)| parse_definition(*flow, json).map(drop)));
    Ok(checked)
}

impl DieselStore {
    fn one_flow(&self, row: Option<FlowRow>) -> Result<Option<Flow>, StoreError> {
        let Some(row) = row else { return Ok(None) };
        complete(&mut *self.reader()?, vec![row], true)?.pop().transpose()
    }
}

impl FlowStore for DieselStore {
    fn lookup(&self, id: FlowId) -> Result<Option<Flow>, StoreError> {
        let row = flows::table
            .find(Id(*id.as_uuid()))
            .select(FlowRow::as_select())
            .first(&mut *self.reader()?)
            .optional()
            .map_err(backend::translate)?;
        self.one_flow(row)
    }

    fn lookup_tool(&self, tool_name: &str) -> Result<Option<Flow>, StoreError> {
        let row = flows::table
            .filter(
                flows::tool_name.eq(backend::text(tool_name).into_owned()).and(flows::deleted_at.is_null()),
            )
            .select(FlowRow::as_select())
            .first(&mut *self.reader()?)
            .optional()
            .map_err(backend::translate)?;
        self.one_flow(row)
    }

    fn lookup_named(&self, kind: FlowKind, name: &str, owner: UserId) -> Result<Option<Flow>, StoreError> {
        let row = flows::table
            .filter(flows::name.eq(backend::text(name).into_owned()).and(flows::kind.eq(kind.as_str())))
            .filter(flows::owner_id.eq(Id(*owner.as_uuid())).and(flows::deleted_at.is_null()))
            .order((flows::created_at, flows::id))
            .select(FlowRow::as_select())
            .first(&mut *self.reader()?)
            .optional()
            .map_err(backend::translate)?;
        self.one_flow(row)
    }

    fn lookup_version(&self, flow: FlowId, version: i32) -> Result<Option<FlowVersion>, StoreError> {
        let id = Id(*flow.as_uuid());
        let definition: Option<Vec<u8>> = flow_versions::table
            .find((id, version))
            .select(flow_versions::definition)
            .first(&mut *self.reader()?)
            .optional()
            .map_err(backend::translate)?;
        definition
            .map(|json| Ok(FlowVersion { flow_id: flow, version, definition: parse_definition(id, &json)? }))
            .transpose()
    }

    fn list(&self, query: &FlowQuery, now: OffsetDateTime) -> Result<Page<FlowSummary>, StoreError> {
        let matching = || {
            let mut found = flows::table.filter(flows::deleted_at.is_null()).into_boxed::<Db>();
            if let Some(text) = &query.text {
                found = found.filter(
                    flows::search_text
                        .like(format!("%{}%", escape_like(&backend::text(&text.to_lowercase()))))
                        .escape('\\'),
                );
            }
            if let Some(user) = query.visible_to {
                let user = Id(*user.as_uuid());
                let shared = flow_access::table
                    .filter(flow_access::flow_id.eq(flows::id).and(flow_access::user_id.eq(user)));
                found = found.filter(flows::owner_id.eq(user).or(flows::public).or(exists(shared)));
            }
            if let Some(among) = &query.among {
                found = found.filter(flows::id.eq_any(among.iter().map(|flow| Id(*flow.as_uuid()))));
            }
            found
        };
        let conn = &mut *self.reader()?;
        let total: i64 = matching().count().get_result(conn).map_err(backend::translate)?;
        let rows: Vec<FlowRow> = matching()
            .order((flows::name, flows::id))
            .limit(i64::from(query.page.limit))
            .offset(i64::try_from(query.page.offset()).unwrap_or(i64::MAX))
            .select(FlowRow::as_select())
            .load(conn)
            .map_err(backend::translate)?;
        let mut items = Vec::with_capacity(rows.len());
        for flow in only_sound(complete(conn, rows, false)?)? {
            let activity = activity(conn, flow.id, now)?;
            items.push(FlowSummary::new(flow, activity));
        }
        Ok(Page::exact(items, u64::try_from(total).unwrap_or(0), &query.page))
    }

    fn list_visible(&self, user: UserId) -> Result<VisibleFlows, StoreError> {
        let user = Id(*user.as_uuid());
        let conn = &mut *self.reader()?;
        let shared =
            flow_access::table.filter(flow_access::flow_id.eq(flows::id).and(flow_access::user_id.eq(user)));
        let full: Vec<Id> = flows::table
            .filter(flows::owner_id.eq(user).or(exists(shared)))
            .order(flows::id)
            .select(flows::id)
            .load(conn)
            .map_err(backend::translate)?;
        let public: Vec<Id> = flows::table
            .filter(flows::public)
            .order(flows::id)
            .select(flows::id)
            .load(conn)
            .map_err(backend::translate)?;
        let ids = |ids: Vec<Id>| ids.into_iter().map(|id| FlowId::from_uuid(id.0)).collect();
        let own_only = public.into_iter().filter(|id| full.binary_search(id).is_err()).collect();
        Ok(VisibleFlows { full: ids(full), own_only: ids(own_only) })
    }

    fn list_all(&self) -> Result<Vec<Flow>, StoreError> {
        let conn = &mut *self.reader()?;
        let rows: Vec<FlowRow> = flows::table
            .filter(flows::deleted_at.is_null())
            .order((flows::tool_name, flows::id))
            .select(FlowRow::as_select())
            .load(conn)
            .map_err(backend::translate)?;
        only_sound(complete(conn, rows, true)?)
    }

    fn revision(&self) -> Result<i64, StoreError> {
        flow_revision::table
            .select(flow_revision::revision)
            .first(&mut *self.reader()?)
            .map_err(backend::translate)
    }

    fn add(&self, flows: &[Flow]) -> Result<(), StoreError> {
        self.write_rules(|conn, _| {
            for flow in flows {
                diesel::insert_into(flows::table).values(FlowRow::from(flow)).execute(conn)?;
                write_parts(conn, flow)?;
            }
            Ok(())
        })
    }

    fn update(&self, flow: &Flow, seen: OffsetDateTime) -> Result<(), StoreError> {
        self.write_rules(|conn, _| {
            let read = flows::table
                .find(Id(*flow.id.as_uuid()))
                .filter(flows::updated_at.eq(At(seen)).and(flows::deleted_at.is_null()));
            let changed = diesel::update(read).set(FlowRow::from(flow)).execute(conn)?;
            if changed == 0 {
                return Err(StoreError::Changed.into());
            }
            write_parts(conn, flow)?;
            Ok(audit::note(conn)?)
        })
    }

    fn delete(&self, id: FlowId, at: OffsetDateTime) -> Result<bool, StoreError> {
        self.write_rules(|conn, _| {
            let living = flows::table.find(Id(*id.as_uuid())).filter(flows::deleted_at.is_null());
            let deleted = diesel::update(living).set(flows::deleted_at.eq(At(at))).execute(conn)? > 0;
            if deleted {
                diesel::update(flow_revision::table)
                    .set(flow_revision::revision.eq(flow_revision::revision + 1))
                    .execute(conn)?;
                audit::note(conn)?;
            }
            Ok(deleted)
        })
    }
}

/// How a flow has been doing. Reads the newest 20 rows, and the counters of a day.
fn activity(conn: &mut Conn, flow: FlowId, now: OffsetDateTime) -> Result<FlowActivity, StoreError> {
    let newest = history::newest(conn, flow, 20)?;
    let first_hour = Step::Hour.begin(now) - time::Duration::hours(23);
    let runs_last_day = statistics::runs_since(conn, Id(*flow.as_uuid()), first_hour);
    let counts = statistics::status_counts(conn, &StatsScope::Flows(vec![flow]))?;
    Ok(FlowActivity {
        last_execution_at: newest.first().map(|summary| summary.started_at),
        last_statuses: newest.into_iter().map(|summary| summary.status).collect(),
        runs_last_day: u64::try_from(runs_last_day.map_err(backend::translate)?).unwrap_or(0),
        success_rate: counts.success_rate(),
    })
}

/// Text in which LIKE sees no wildcard.
fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
