//! The connection that writes, as seen from outside of the thread that waits for it. libpq waits for a server for as long as the
//! server's machine answers, also when its process does not. So whoever looks after the database ends the connection then: the
//! thread's wait fails, and the next write opens another one.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text};

use super::backend::Conn;

/// Time after which the server should have ended every statement, by its own limit.
const STUCK: Duration = Duration::from_secs(40);

/// Time after which a connection that the server does not know any more is ended.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// The connection that writes.
#[derive(Debug, Default)]
pub(super) struct Line {
    ends: Option<Ends>,
    /// The time since which a transaction goes on.
    busy_since: Option<Instant>,
}

/// Both ends of a connection.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(super) struct Ends {
    /// The server's process.
    #[diesel(sql_type = Integer)]
    process: i32,
    /// The client's port, when it is connected by TCP.
    #[diesel(sql_type = Nullable<Integer>)]
    port: Option<i32>,
}

impl Ends {
    /// Those of a connection. Asks the server, so no lock is held meanwhile.
    pub(super) fn of(conn: &mut Conn) -> QueryResult<Self> {
        diesel::sql_query("SELECT pg_backend_pid() AS process, inet_client_port() AS port").get_result(conn)
    }
}

impl Line {
    /// The connection, as far as it is known.
    pub(super) fn ends(&self) -> Option<Ends> {
        self.ends
    }

    /// Notes that a transaction begins on this connection.
    pub(super) fn begin(&mut self, ends: Ends) {
        self.ends = Some(ends);
        self.busy_since = Some(Instant::now());
    }

    /// Forgets the connection: another one is opened.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Notes that it has ended. After a failure the next one may be on another connection.
    pub(super) fn end(&mut self, is_committed: bool) {
        self.busy_since = None;
        if !is_committed {
            self.ends = None;
        }
    }

    /// The connection and the time for which it has been busy, when that is long enough to be looked after.
    pub(super) fn busy(&self) -> Option<Busy> {
        let busy = Busy { ends: self.ends?, waited: self.busy_since?.elapsed() };
        (busy.waited > FORGOTTEN).then_some(busy)
    }
}

/// A connection that has been busy for some time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Busy {
    ends: Ends,
    waited: Duration,
}

#[derive(QueryableByName)]
struct Standing {
    #[diesel(sql_type = Nullable<Text>)]
    waits_for: Option<String>,
}

impl Busy {
    /// Ends it when the server, asked by another connection, does not know it or should have ended its statement long ago. A
    /// commit that waits for a standby is left alone: it waits for good reason, and a new one would wait as well.
    pub(super) fn look_after(self, conn: &mut Conn) -> QueryResult<()> {
        let standing: Option<Standing> =
            diesel::sql_query("SELECT wait_event AS waits_for FROM pg_stat_activity WHERE pid = $1")
                .bind::<Integer, _>(self.ends.process)
                .get_result(conn)
                .optional()?;
        let is_stuck = match standing {
            None => true,
            Some(Standing { waits_for }) => self.waited > STUCK && waits_for.as_deref() != Some("SyncRep"),
        };
        if is_stuck && self.ends.port.is_some_and(cut) {
            log::warn!(
                "the connection that writes has waited for {} s for a server process that does not answer, and is ended",
                self.waited.as_secs()
            );
        }
        Ok(())
    }
}

/// Ends the connection of this process from this port. False when there is none, or the system does not let it be found.
#[cfg(target_os = "linux")]
fn cut(port: i32) -> bool {
    use rustix::net::{Shutdown, SocketAddrAny, getpeername, getsockname, shutdown};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let Ok(process) = pidfd_open(getpid(), PidfdFlags::empty()) else { return false };
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return false };
    let port_of = |address: SocketAddrAny| {
        let address = std::net::SocketAddr::try_from(address).ok()?;
        Some(i32::from(address.port()))
    };
    for file in open.flatten() {
        let is_socket =
            std::fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
        let number = file.file_name().to_str().and_then(|name| name.parse().ok());
        let (true, Some(number)) = (is_socket, number) else { continue };
        // A second handle of the same socket. The first may be closed meanwhile, and its number be another's.
        let Ok(socket) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
        let is_it = getsockname(&socket).ok().and_then(port_of) == Some(port);
        // What listens at the port has no other end.
        if is_it && getpeername(&socket).is_ok() {
            return shutdown(&socket, Shutdown::Both).is_ok();
        }
    }
    false
}

/// Nothing here: no other system gives a second handle of a socket that belongs to a library.
#[cfg(not(target_os = "linux"))]
fn cut(_port: i32) -> bool {
    false
}

#[cfg(all(test, target_os = "linux", feature = "testing"))]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::testing;

    #[test]
    fn a_connection_that_waits_can_be_ended_by_another_thread() {
        let Some(database) = testing::test_database() else { return };
        let open = || Conn::establish(database.url()).unwrap();
        let (mut line, mut waiting, mut other) = (Line::default(), open(), open());
        let ends = Ends::of(&mut waiting).unwrap();
        line.begin(ends);
        let waits = std::thread::spawn(move || waiting.batch_execute("SELECT pg_sleep(600)"));
        // It goes on for as long as the server may still end the statement.
        Busy { ends, waited: STUCK / 2 }.look_after(&mut other).unwrap();
        assert!(!waits.is_finished());
        Busy { ends, waited: STUCK * 2 }.look_after(&mut other).unwrap();
        waits.join().unwrap().unwrap_err();
        other.batch_execute("SELECT 1").unwrap();

        line.end(false);
        assert!(line.busy().is_none() && line.ends.is_none(), "the next one is another connection");
    }
}
