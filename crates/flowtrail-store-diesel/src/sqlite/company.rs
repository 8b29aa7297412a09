//! What processes on one SQLite file tell each other: each batch leaves the ids of what it wrote to in a short log, as long
//! as anybody else is there.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use flowtrail_store::{ForeignWrites, StoreError};
use flowtrail_types::ExecutionId;
use uuid::Uuid;

use super::backend::{self, Conn};
use super::own::Own;
use super::shared::{DieselStore, WriteError};

/// How many batches the log goes back.
const KEPT: i64 = 4_096;

/// Leaves word of a batch.
pub(super) fn tell(
    own: &Own,
    conn: &mut Conn,
    mark: i64,
    executions: &[ExecutionId],
) -> Result<(), WriteError> {
    note(own, mark);
    // A batch that wrote to nothing leaves word of that, too: one without is one that nobody was told of.
    if !own.has_company.load(Ordering::Relaxed) {
        return Ok(());
    }
    let ids: Vec<u8> = executions.iter().flat_map(|id| *id.as_uuid().as_bytes()).collect();
    diesel::sql_query("INSERT INTO write_log (mark, writer, executions) VALUES (?, ?, ?)")
        .bind::<BigInt, _>(mark)
        .bind::<Binary, _>(&own.name.as_bytes()[..])
        .bind::<Binary, _>(ids)
        .execute(conn)?;
    if mark % 64 == 0 {
        diesel::sql_query("DELETE FROM write_log WHERE mark < ?")
            .bind::<BigInt, _>(mark - KEPT)
            .execute(conn)?;
    }
    Ok(())
}

/// Leaves a mark without a word: whoever listens looks at everything again.
pub(super) fn tell_of_deletion(own: &Own, conn: &mut Conn) -> Result<(), WriteError> {
    let (mark, _) = backend::next_mark(conn)?;
    note(own, mark);
    Ok(())
}

/// Remembers a mark as this process's own. Of a batch that is rolled back the next one has the same.
fn note(own: &Own, mark: i64) {
    let mut made = own.made.lock().unwrap_or_else(PoisonError::into_inner);
    if made.back() != Some(&mark) {
        made.push_back(mark);
    }
    if made.len() > usize::try_from(KEPT).unwrap_or(usize::MAX) {
        made.pop_front();
    }
}

/// How many of this process's own marks lie above one and up to another.
fn made_between(own: &Own, above: i64, up_to: i64) -> i64 {
    let made = own.made.lock().unwrap_or_else(PoisonError::into_inner);
    let count = made.iter().filter(|mark| **mark > above && **mark <= up_to).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[derive(QueryableByName)]
struct Mark {
    #[diesel(sql_type = BigInt)]
    mark: i64,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Binary)]
    writer: Vec<u8>,
    #[diesel(sql_type = Binary)]
    executions: Vec<u8>,
}

pub(super) fn foreign_writes(store: &DieselStore) -> Result<ForeignWrites, StoreError> {
    let own = store.own();
    let mut heard = own.heard.lock().unwrap_or_else(PoisonError::into_inner);
    let conn = &mut *store.reader()?;
    let (now, words) = backend::snapshot(conn, |conn| -> QueryResult<_> {
        let now: Mark = diesel::sql_query("SELECT mark FROM write_mark").get_result(conn)?;
        let words: Vec<Word> = match *heard {
            Some(heard) if heard < now.mark => {
                diesel::sql_query("SELECT writer, executions FROM write_log WHERE mark > ? ORDER BY mark")
                    .bind::<BigInt, _>(heard)
                    .load(conn)?
            }
            _ => Vec::new(),
        };
        Ok((now.mark, words))
    })
    .map_err(backend::translate)?;
    // What was written before the first look nobody heard, and neither what was written without a word: by a process that
    // did not know yet that anybody else is there, or by a prune.
    let others = words.iter().filter(|word| word.writer != own.name.as_bytes()).count();
    let told = i64::try_from(others).unwrap_or(i64::MAX);
    let missed =
        heard.is_none_or(|heard| heard < now - KEPT || now - heard > told + made_between(own, heard, now));
    *heard = Some(now);
    let mut executions: Vec<ExecutionId> = words
        .iter()
        .filter(|word| word.writer != own.name.as_bytes())
        .flat_map(|word| word.executions.chunks_exact(16))
        .filter_map(|id| Uuid::from_slice(id).ok().map(ExecutionId::from_uuid))
        .collect();
    executions.sort_unstable();
    executions.dedup();
    Ok(ForeignWrites { executions, missed })
}
