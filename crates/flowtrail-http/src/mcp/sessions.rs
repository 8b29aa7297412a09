//! Sessions at `/mcp`: their owners, their number and their lifetime.
//!
//! This table is the authority: a session that is not in it does not exist, whatever the SDK still holds. So the ownership
//! check fails closed, and the SDK's own session timeout is off.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use flowtrail_types::{Principal, UserId};
use rmcp_actix_web::transport::{LocalSessionManager, SessionManager as _};
use tokio::runtime::Handle;

use crate::{ApiError, ErrorCode};

/// Limits on sessions.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionLimits {
    /// Maximum idle time of a session: without a request in flight and without an open stream.
    pub(super) idle: Duration,
    /// Maximum number of sessions of a user, and of the visitors of a user's pages.
    pub(super) per_user: usize,
    /// Maximum number of sessions in the process.
    pub(super) per_process: usize,
}

impl SessionLimits {
    /// The default numbers with this idle time.
    pub(super) fn with_idle(idle: Duration) -> Self {
        Self { idle, per_user: 100, per_process: 2_000 }
    }
}

/// The owner of a session: a user, or the embed tokens that only read for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Owner {
    user: UserId,
    is_reader: bool,
}

impl Owner {
    fn of(principal: &Principal) -> Self {
        Self { user: principal.id, is_reader: principal.is_reader() }
    }
}

#[derive(Debug)]
struct Entry {
    owner: Owner,
    /// Number of requests in flight and open streams.
    uses: usize,
    idle_since: Instant,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<String, Entry>,
    /// Number of sessions of each owner, with those that are being opened.
    counts: HashMap<Owner, usize>,
    total: usize,
}

impl Table {
    fn count(&self, owner: Owner) -> usize {
        self.counts.get(&owner).copied().unwrap_or_default()
    }

    fn add_one(&mut self, owner: Owner) {
        *self.counts.entry(owner).or_default() += 1;
        self.total += 1;
    }

    fn remove_one(&mut self, owner: Owner) {
        self.total -= 1;
        if let Some(count) = self.counts.get_mut(&owner) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&owner);
            }
        }
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(entry) = self.entries.remove(id) else { return false };
        self.remove_one(entry.owner);
        true
    }

    /// The session of an owner that has been idle for longest.
    fn longest_idle(&self, owner: Owner) -> Option<String> {
        let idle = self.entries.iter().filter(|(_, entry)| entry.owner == owner && entry.uses == 0);
        idle.min_by_key(|(_, entry)| entry.idle_since).map(|(id, _)| id.clone())
    }
}

/// All sessions of the process.
#[derive(Debug)]
pub(super) struct Sessions {
    limits: SessionLimits,
    manager: Arc<LocalSessionManager>,
    table: Mutex<Table>,
    /// Set once something ends idle sessions.
    sweeping: OnceLock<()>,
    /// The runtime on which idle sessions are ended; that of the first session's worker when absent.
    runtime: Option<Handle>,
}

impl Sessions {
    pub(super) fn new(
        limits: SessionLimits,
        manager: Arc<LocalSessionManager>,
        runtime: Option<Handle>,
    ) -> Arc<Self> {
        Arc::new(Self { limits, manager, table: Mutex::default(), sweeping: OnceLock::new(), runtime })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses a session until the guard is dropped.
    ///
    /// # Errors
    ///
    /// When there is no such session, or it has another owner, or it has been idle for too long.
    pub(super) fn enter(self: &Arc<Self>, id: &str, principal: &Principal) -> Result<InUse, ApiError> {
        let missing = || ApiError::new(ErrorCode::NotFound, "there is no such session");
        let mut table = self.lock();
        let entry = table.entries.get_mut(id).ok_or_else(missing)?;
        if entry.owner != Owner::of(principal)
            || (entry.uses == 0 && entry.idle_since.elapsed() >= self.limits.idle)
        {
            return Err(missing());
        }
        entry.uses += 1;
        Ok(InUse { sessions: Arc::clone(self), id: id.to_owned() })
    }

    /// Makes room for a session that is about to be opened, by ending the owner's longest idle one where needed.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Busy`] when there is a limit's number of sessions and none of the owner's is idle.
    pub(super) fn reserve(self: &Arc<Self>, principal: &Principal) -> Result<Opening, ApiError> {
        let owner = Owner::of(principal);
        let mut ended = Vec::new();
        let reserved = {
            let mut table = self.lock();
            loop {
                let is_users = table.count(owner) >= self.limits.per_user;
                if !is_users && table.total < self.limits.per_process {
                    table.add_one(owner);
                    break Ok(());
                }
                let Some(id) = table.longest_idle(owner) else { break Err(is_users) };
                table.remove(&id);
                ended.push(id);
            }
        };
        for id in ended {
            self.close(id);
        }
        match reserved {
            Ok(()) => Ok(Opening { sessions: Arc::clone(self), owner, is_opened: false }),
            Err(is_users) => {
                let (whose, most) = if is_users {
                    ("your MCP sessions", self.limits.per_user)
                } else {
                    ("the MCP sessions of this server", self.limits.per_process)
                };
                let message = format!("all {most} of {whose} are in use: end one, or try again");
                Err(ApiError::new(ErrorCode::Busy, message))
            }
        }
    }

    /// Number of sessions in the SDK; none while one is added or removed.
    pub(super) fn held(&self) -> Option<usize> {
        self.manager.sessions.try_read().ok().map(|sessions| sessions.len())
    }

    /// Removes a session that its client has ended.
    pub(super) fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Ends the sessions that have been idle for too long.
    fn sweep(&self) {
        let mut table = self.lock();
        let is_over = |entry: &Entry| entry.uses == 0 && entry.idle_since.elapsed() >= self.limits.idle;
        let over: Vec<String> =
            table.entries.iter().filter(|(_, entry)| is_over(entry)).map(|(id, _)| id.clone()).collect();
        for id in &over {
            table.remove(id);
        }
        // A burst of sessions would otherwise keep its memory.
        let room = 2 * table.entries.len();
        table.entries.shrink_to(room);
        drop(table);
        for id in over {
            self.close(id);
        }
    }

    /// Ends a session in the SDK. It is out of the table already.
    fn close(&self, id: String) {
        let manager = Arc::clone(&self.manager);
        let closing = async move {
            if let Err(error) = manager.close_session(&id.into()).await {
                log::debug!("an MCP session did not end cleanly: {error}");
            }
        };
        match (&self.runtime, Handle::try_current()) {
            (Some(runtime), _) => drop(runtime.spawn(closing)),
            (None, Ok(current)) => drop(current.spawn(closing)),
            (None, Err(_)) => log::debug!("an MCP session is left to the end of the process"),
        }
    }

    /// Ends idle sessions from now on, as long as anything else holds this table.
    fn end_idle(self: &Arc<Self>) {
        self.sweeping.get_or_init(|| {
            let every = (self.limits.idle / 4).clamp(Duration::from_millis(50), Duration::from_secs(15));
            let sweep = sweep_every(Arc::downgrade(self), every);
            match &self.runtime {
                Some(runtime) => drop(runtime.spawn(sweep)),
                None => drop(tokio::spawn(sweep)),
            }
        });
    }
}

async fn sweep_every(sessions: Weak<Sessions>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        let Some(sessions) = sessions.upgrade() else { return };
        sessions.sweep();
    }
}

/// A session that is being opened, and counts already.
#[derive(Debug)]
pub(super) struct Opening {
    sessions: Arc<Sessions>,
    owner: Owner,
    is_opened: bool,
}

impl Opening {
    /// Adds the session under the id that the SDK gave it.
    pub(super) fn opened(mut self, id: &str) {
        self.is_opened = true;
        let entry = Entry { owner: self.owner, uses: 0, idle_since: Instant::now() };
        self.sessions.lock().entries.insert(id.to_owned(), entry);
        self.sessions.end_idle();
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if !self.is_opened {
            self.sessions.lock().remove_one(self.owner);
        }
    }
}

/// A request in flight or an open stream of a session.
#[derive(Debug)]
pub(super) struct InUse {
    sessions: Arc<Sessions>,
    id: String,
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut table = self.sessions.lock();
        if let Some(entry) = table.entries.get_mut(&self.id) {
            entry.uses = entry.uses.saturating_sub(1);
            entry.idle_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use flowtrail_types::Role;

    use super::*;

    const IDLE: Duration = Duration::from_millis(200);

    fn principal(number: u128) -> Principal {
        let id = uuid::Uuid::from_u128(number).into();
        Principal { id, name: "somebody".to_owned(), role: Role::User, only: None, key: None }
    }

    fn sessions(per_user: usize, per_process: usize) -> Arc<Sessions> {
        let limits = SessionLimits { idle: IDLE, per_user, per_process };
        Sessions::new(limits, Arc::default(), None)
    }

    fn open(sessions: &Arc<Sessions>, principal: &Principal, id: &str) -> Result<(), ErrorCode> {
        sessions.reserve(principal).map(|opening| opening.opened(id)).map_err(|error| error.code())
    }

    fn is_open(sessions: &Arc<Sessions>, principal: &Principal, id: &str) -> bool {
        sessions.enter(id, principal).is_ok()
    }

    #[actix_web::test]
    async fn unknown_sessions_and_those_of_others_do_not_exist() {
        let (ann, ben) = (principal(1), principal(2));
        let sessions = sessions(2, 10);
        open(&sessions, &ann, "a").unwrap();
        assert!(is_open(&sessions, &ann, "a"));
        assert!(!is_open(&sessions, &ben, "a"));
        assert!(!is_open(&sessions, &ann, "b"));
        sessions.remove("a");
        assert!(!is_open(&sessions, &ann, "a"));
        assert_eq!(sessions.lock().total, 0);
    }

    #[actix_web::test]
    async fn at_a_limit_the_owners_longest_idle_session_ends_first() {
        let (ann, ben) = (principal(1), principal(2));
        let sessions = sessions(2, 3);
        for id in ["a", "b"] {
            open(&sessions, &ann, id).unwrap();
        }
        let in_use = sessions.enter("a", &ann).unwrap();
        open(&sessions, &ann, "c").unwrap();
        assert!(is_open(&sessions, &ann, "a") && is_open(&sessions, &ann, "c"));
        assert!(!is_open(&sessions, &ann, "b"), "it was idle for longest");
        // The process has room for one more, which is in use.
        open(&sessions, &ben, "d").unwrap();
        let other = sessions.enter("d", &ben).unwrap();
        assert_eq!(open(&sessions, &ben, "e"), Err(ErrorCode::Busy), "nobody ends the sessions of others");
        drop(other);
        open(&sessions, &ben, "e").unwrap();
        assert!(!is_open(&sessions, &ben, "d"));
        let last = sessions.enter("c", &ann).unwrap();
        assert_eq!(open(&sessions, &ann, "f"), Err(ErrorCode::Busy));
        drop((in_use, last));
        // What was not opened after all counts no longer.
        for _ in 0..5 {
            drop(sessions.reserve(&ann).unwrap());
        }
        assert_eq!(sessions.lock().total, 2);
    }

    #[actix_web::test]
    async fn idle_sessions_end_and_those_in_use_do_not() {
        let ann = principal(1);
        let sessions = sessions(5, 5);
        for id in ["a", "b"] {
            open(&sessions, &ann, id).unwrap();
        }
        let in_use = sessions.enter("b", &ann).unwrap();
        while sessions.lock().total > 1 {
            tokio::task::yield_now().await;
        }
        assert!(!is_open(&sessions, &ann, "a"));
        assert!(is_open(&sessions, &ann, "b"));
        drop(in_use);
        while sessions.lock().total > 0 {
            tokio::task::yield_now().await;
        }
    }
}
