//! What processes on one PostgreSQL tell each other: each batch notifies of the ids of what it wrote to, as long as anybody
//! else is there. The notification commits after the batch, so that no commit waits for another process's.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::Text;
use flowtrail_store::{ForeignWrites, StoreError};
use flowtrail_types::ExecutionId;
use uuid::Uuid;

use super::backend::{self, Conn};
use super::own::Own;
use super::shared::{DieselStore, WriteError};

const CHANNEL: &str = "flowtrail_writes";

/// How many ids fit into a notification of at most 8,000 bytes.
const FITS: usize = 200;

/// Notes what a batch wrote to. It is told once the batch is committed.
pub(super) fn tell(
    own: &Own,
    _conn: &mut Conn,
    _mark: i64,
    executions: &[ExecutionId],
) -> Result<(), WriteError> {
    if executions.is_empty() || !own.has_company.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut word = own.name.simple().to_string();
    if executions.len() <= FITS {
        for id in executions {
            word.push_str(&id.as_uuid().simple().to_string());
        }
    } else {
        word.push('*');
    }
    *own.word.lock().unwrap_or_else(PoisonError::into_inner) = Some(word);
    Ok(())
}

/// Has whoever listens look at everything again, once the transaction is committed.
pub(super) fn tell_of_deletion(own: &Own, _conn: &mut Conn) -> Result<(), WriteError> {
    if own.has_company.load(Ordering::Relaxed) {
        let word = format!("{}*", own.name.simple());
        *own.word.lock().unwrap_or_else(PoisonError::into_inner) = Some(word);
    }
    Ok(())
}

/// After a transaction: tells what was noted, if it was committed. Nobody waits for the disk here: what is lost with the
/// server is of no use any more.
pub(super) fn after_write(own: &Own, conn: &mut Conn, is_committed: bool) {
    let Some(word) = own.word.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    if !is_committed {
        return;
    }
    let told = conn.build_transaction().run(|conn| -> QueryResult<()> {
        diesel::sql_query("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)")
            .bind::<Text, _>(CHANNEL)
            .bind::<Text, _>(word)
            .execute(conn)?;
        Ok(())
    });
    if let Err(error) = told {
        log::debug!("other processes are not told of a write: {error}");
    }
}

/// The connection that listens.
pub(super) struct Ear {
    conn: Conn,
    /// Until when others may not know yet that anybody listens.
    in_doubt_until: Option<Instant>,
    /// How often others' changes were looked for since it was last read.
    unread: u32,
}

/// After so long a process is known to all others, which from then on tell what they write.
const NOTICED: Duration = Duration::from_secs(3);

/// How often it may be passed by before it is closed.
const UNREAD: u32 = 20;

/// Closes the ear when nobody wants to hear what it hears: the server keeps what is said until all who listen have read
/// it, and has room for only so much.
pub(super) fn rest(own: &Own) {
    let mut ear = own.ear.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(open) = &mut *ear {
        open.unread += 1;
        if open.unread > UNREAD {
            *ear = None;
        }
    }
}

pub(super) fn foreign_writes(store: &DieselStore) -> Result<ForeignWrites, StoreError> {
    let own = store.own();
    let mut ear = own.ear.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Ear { conn, in_doubt_until, unread }) = &mut *ear else {
        let mut conn = backend::open_writer(store.address())?;
        diesel::sql_query(format!("LISTEN {CHANNEL}")).execute(&mut conn).map_err(backend::translate)?;
        let in_doubt_until = own.opened_at + NOTICED;
        let in_doubt_until = (Instant::now() < in_doubt_until).then_some(in_doubt_until);
        *ear = Some(Ear { conn, in_doubt_until, unread: 0 });
        // What was said before nobody heard.
        return Ok(ForeignWrites { executions: Vec::new(), missed: true });
    };
    *unread = 0;
    let name = own.name.simple().to_string();
    let mut writes = ForeignWrites::default();
    if in_doubt_until.is_some_and(|until| until <= Instant::now()) {
        *in_doubt_until = None;
        writes.missed = own.has_company.load(Ordering::Relaxed);
    }
    let mut failed = None;
    for notification in conn.notifications_iter() {
        match notification {
            Ok(notification) => {
                let Some((writer, ids)) = notification.payload.split_at_checked(32) else { continue };
                if writer == name {
                    continue;
                }
                writes.missed |= ids == "*";
                let ids = (0..ids.len() / 32).filter_map(|index| ids.get(index * 32..index * 32 + 32));
                writes
                    .executions
                    .extend(ids.filter_map(|id| Uuid::parse_str(id).ok()).map(ExecutionId::from_uuid));
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    if let Some(error) = failed {
        *ear = None;
        return Err(backend::translate(error));
    }
    writes.executions.sort_unstable();
    writes.executions.dedup();
    Ok(writes)
}
