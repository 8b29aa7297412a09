//! Commits that a standby may not have. PostgreSQL lets a wait for a synchronous standby be cancelled, for example by
//! `pg_cancel_backend`, completes the commit and sends a warning, which Diesel does not pass on. So a commit that took longer than
//! usual is not believed by itself: the standbys are asked. A role that may not ask them commits something else, which waits for
//! the same standbys and has to be quick.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{BigInt, Bool, Text};

use super::backend::Conn;

/// Time within which nobody cancels a wait.
const QUICK: Duration = Duration::from_millis(20);

/// The same where nothing but the time can be looked at.
const QUICK_ENOUGH: Duration = Duration::from_millis(200);

/// Longest time of commits that all take about as long because the standby is far away.
const FAR: Duration = Duration::from_millis(500);

/// Most commits after the one that took long.
const TRIES: usize = 4;

/// Longest wait for standbys that can be asked.
const ASKING: Duration = Duration::from_secs(10);

/// The pause before they are asked again, in which the server may notice that this client has gone.
const PAUSE: &str = "SELECT pg_sleep(0.02)";

/// The settings and rights that decide how a commit is confirmed.
#[derive(QueryableByName)]
struct Setup {
    /// `synchronous_standby_names`.
    #[diesel(sql_type = Text)]
    names: String,
    /// True for a role that sees what standbys have.
    #[diesel(sql_type = Bool)]
    can_ask: bool,
    /// The end of the log, which has the commit.
    #[diesel(sql_type = Text)]
    end: String,
}

const SETUP: &str = "SELECT current_setting('synchronous_standby_names') AS names, \
     pg_has_role('pg_read_all_stats', 'USAGE') AS can_ask, pg_current_wal_flush_lsn()::text AS end";

/// Makes sure that a commit that took so long is where the database's settings say that it is to be.
///
/// # Errors
///
/// As a lost connection, when that cannot be told.
pub(super) fn confirm(conn: &mut Conn, took: Duration) -> QueryResult<()> {
    if took < QUICK {
        return Ok(());
    }
    // Whatever goes wrong here, what was committed may stay.
    is_confirmed(conn, took)
        .map_err(|error| error.to_string())
        .and_then(|is_confirmed| {
            let doubt = "a commit took long, and it is not known whether the synchronous standby has it";
            if is_confirmed { Ok(()) } else { Err(doubt.to_owned()) }
        })
        .map_err(|doubt| DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(doubt)))
}

fn is_confirmed(conn: &mut Conn, took: Duration) -> QueryResult<bool> {
    let setup: Setup = diesel::sql_query(SETUP).get_result(conn)?;
    let needed = standbys_needed(&setup.names);
    if needed == 0 {
        Ok(true)
    } else if setup.can_ask {
        standbys_have(conn, &setup.end, needed)
    } else if took < QUICK_ENOUGH {
        Ok(true)
    } else {
        others_are_quick(conn)
    }
}

/// Number of standbys that a commit waits for, by `synchronous_standby_names`: `ANY 2 (a, b, c)`, `FIRST 2 (a, b)`, `2 (a, b)` or
/// `a, b`.
fn standbys_needed(names: &str) -> i64 {
    let names = names.trim();
    if names.is_empty() {
        return 0;
    }
    let Some((before, _)) = names.split_once('(') else { return 1 };
    let number = before.split_whitespace().last().and_then(|number| number.parse().ok());
    number.unwrap_or(1)
}

/// Waits until the standbys have the log up to a place. False when they do not come to have it.
fn standbys_have(conn: &mut Conn, end: &str, needed: i64) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Standbys {
        #[diesel(sql_type = BigInt)]
        having: i64,
    }
    let begun = Instant::now();
    loop {
        let standbys: Standbys = diesel::sql_query(
            "SELECT count(*) AS having FROM pg_stat_replication \
             WHERE sync_state IN ('sync', 'quorum') AND flush_lsn >= $1::pg_lsn",
        )
        .bind::<Text, _>(end)
        .get_result(conn)?;
        if standbys.having >= needed {
            return Ok(true);
        }
        if begun.elapsed() > ASKING {
            return Ok(false);
        }
        // The standby may have gone for good, and be no longer waited for.
        if standbys_needed(&diesel::sql_query(SETUP).get_result::<Setup>(conn)?.names) == 0 {
            return Ok(true);
        }
        conn.batch_execute(PAUSE)?;
    }
}

/// Commits something that changes nothing until that is quick, or takes about as long as before.
fn others_are_quick(conn: &mut Conn) -> QueryResult<bool> {
    let mut before: Option<Duration> = None;
    for _ in 0..TRIES {
        let begun = Instant::now();
        conn.batch_execute("SELECT pg_logical_emit_message(true, 'flowtrail', '')")?;
        let took = begun.elapsed();
        if took < QUICK_ENOUGH || before.is_some_and(|before| are_alike(before, took)) {
            return Ok(true);
        }
        before = Some(took);
    }
    Ok(false)
}

fn are_alike(one: Duration, other: Duration) -> bool {
    let (short, long) = (one.min(other), one.max(other));
    long < FAR && long < 2 * short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_to_a_standby_that_is_far_away_take_about_as_long() {
        let ms = Duration::from_millis;
        assert!(are_alike(ms(250), ms(450)) && are_alike(ms(450), ms(250)));
        assert!(!are_alike(ms(200), ms(450)), "a wait that somebody cancelled");
        assert!(!are_alike(ms(1_000), ms(1_000)), "two of them");
    }

    #[test]
    fn as_many_standbys_are_asked_as_a_commit_waits_for() {
        for (names, needed) in [
            ("", 0),
            ("  ", 0),
            ("*", 1),
            ("one", 1),
            ("one, \"other\"", 1),
            ("2 (one, other)", 2),
            ("FIRST 2 (one, other)", 2),
            ("any 3(one, other, third)", 3),
            ("ANY 1 (*)", 1),
        ] {
            assert_eq!(standbys_needed(names), needed, "{names}");
        }
    }
}
