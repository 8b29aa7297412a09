//! Who did what.

use std::cell::RefCell;

use diesel::prelude::*;
use flowtrail_store::{AuditStore, StoreError};
use flowtrail_types::{AuditEntry, AuditQuery, UserId};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

use super::backend::{self, Conn, Db};
use super::damage::only_sound;
use super::schema::audit;
use super::{DieselStore, corrupt};
use crate::columns::{At, Id};

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit, check_for_backend(Db))]
pub(super) struct AuditRow {
    pub(super) id: Id,
    at: At,
    user_id: Id,
    user_name: String,
    action: String,
    subject_id: Option<Id>,
    subject: Option<String>,
    detail: Option<String>,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        let id = row.id.0;
        let action =
            row.action.parse().map_err(|error| corrupt("audit", "action", id, format!("{error}")))?;
        let detail = row
            .detail
            .map(|json| serde_json::from_str(&backend::from_text(json)))
            .transpose()
            .map_err(|error| corrupt("audit", "detail", id, error))?;
        Ok(Self {
            id,
            at: row.at.0,
            user_id: UserId::from_uuid(row.user_id.0),
            user_name: backend::from_text(row.user_name),
            action,
            subject_id: row.subject_id.map(|id| id.0),
            subject: row.subject.map(backend::from_text),
            detail,
        })
    }
}

impl AuditStore for DieselStore {
    fn add(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write(|conn, _| Ok(insert(conn, entry)?))
    }

    fn add_with(
        &self,
        entry: &AuditEntry,
        act: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        TO_NOTE.set(Some(entry.clone()));
        let done = act();
        TO_NOTE.set(None);
        done
    }

    fn delete_before(
        &self,
        before: OffsetDateTime,
        but: Option<Uuid>,
        most: u32,
    ) -> Result<usize, StoreError> {
        self.write(|conn, _| {
            let old: Vec<Id> = audit::table
                .filter(audit::id.lt(Id(first_id(before))))
                .filter(audit::id.ne(Id(but.unwrap_or_default())))
                .order(audit::id)
                .limit(i64::from(most))
                .select(audit::id)
                .load(conn)?;
            Ok(diesel::delete(audit::table.filter(audit::id.eq_any(old))).execute(conn)?)
        })
    }

    fn list(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let mut query = query.clone();
        let mut entries = Vec::new();
        // A page with damaged rows is filled with what comes after them.
        loop {
            let rows = self.audit_rows(&query)?;
            let is_last = rows.len() < query.limit as usize;
            query.before = rows.last().map(|row| row.id.0).or(query.before);
            let sound = only_sound(rows.into_iter().map(AuditEntry::try_from))?;
            query.limit = query.limit.saturating_sub(u32::try_from(sound.len()).unwrap_or(u32::MAX));
            entries.extend(sound);
            if is_last || query.limit == 0 {
                return Ok(entries);
            }
        }
    }
}

thread_local! {
    /// The entry for what this thread is about to write.
    static TO_NOTE: RefCell<Option<AuditEntry>> = const { RefCell::new(None) };
}

/// Adds the entry for what a transaction has changed, if somebody wants one. Called within the transaction, by each that is of
/// interest to the audit log.
pub(super) fn note(conn: &mut Conn) -> QueryResult<()> {
    match TO_NOTE.take() {
        Some(entry) => insert(conn, &entry),
        None => Ok(()),
    }
}

/// The least id of an entry from this time: ids begin with their time in milliseconds.
fn first_id(at: OffsetDateTime) -> Uuid {
    let milliseconds = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid()
}

fn insert(conn: &mut Conn, entry: &AuditEntry) -> QueryResult<()> {
    let text = |text: &str| backend::text(text).into_owned();
    diesel::insert_into(audit::table)
        .values((
            audit::id.eq(Id(entry.id)),
            audit::at.eq(At(entry.at)),
            audit::user_id.eq(Id(*entry.user_id.as_uuid())),
            audit::user_name.eq(text(&entry.user_name)),
            audit::action.eq(entry.action.as_str()),
            audit::subject_id.eq(entry.subject_id.map(Id)),
            audit::subject.eq(entry.subject.as_deref().map(text)),
            audit::detail.eq(entry.detail.as_ref().map(|detail| text(&detail.to_string()))),
        ))
        .on_conflict(audit::id)
        .do_update()
        .set(audit::detail.eq(diesel::upsert::excluded(audit::detail)))
        .execute(conn)?;
    Ok(())
}
impl DieselStore {
    fn audit_rows(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        let mut found = audit::table
            .order(audit::id.desc())
            .limit(i64::from(query.limit))
            .select(AuditRow::as_select())
            .into_boxed::<Db>();
        if let Some(action) = query.action {
            found = found.filter(audit::action.eq(action.as_str()));
        }
        if let Some(user) = query.user {
            found = found.filter(audit::user_id.eq(Id(*user.as_uuid())));
        }
        if let Some(before) = query.before {
            found = found.filter(audit::id.lt(Id(before)));
        }
        found.load(&mut *self.reader()?).map_err(backend::translate)
    }
}
