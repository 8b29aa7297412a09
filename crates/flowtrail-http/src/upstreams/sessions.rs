//! The sessions of clients with other servers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flowtrail_mcp::proxy::{HeldChild, Tap};
use flowtrail_types::UserId;

/// How long a session may be silent before it is forgotten, as for Flowtrail's own.
const IDLE: Duration = Duration::from_secs(3600);
/// How many a user has at most; beyond it the one of theirs that was silent for longest is forgotten.
const MOST: usize = 100;

/// A session with a server.
#[derive(Debug, Clone)]
pub(super) enum Session {
    /// With a server behind an address, which keeps the session: here it is only watched.
    Watched(Arc<Tap>),
    /// With a process of its own.
    Held(HeldChild),
}

/// Where a session stands: the server's name and the session's id, or the user for whom a process answers requests that
/// stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Session(String, String),
    User(String, UserId),
}

/// A session of somebody else's, which to others is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotTheirs;

#[derive(Debug)]
struct Entry {
    session: Session,
    /// Whose it is: nobody else is let near it.
    user: UserId,
    heard_at: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Place, Entry>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user's session, which is heard of now.
    ///
    /// # Errors
    ///
    /// When it is somebody else's.
    pub(super) fn lookup(&self, place: &Place, user: UserId) -> Result<Option<Session>, NotTheirs> {
        let mut sessions = self.lock();
        let Some(entry) = sessions.get_mut(place) else { return Ok(None) };
        if entry.user != user {
            return Err(NotTheirs);
        }
        if let Session::Held(child) = &entry.session
            && !child.is_alive()
        {
            sessions.remove(place);
            return Ok(None);
        }
        entry.heard_at = Instant::now();
        Ok(Some(entry.session.clone()))
    }

    /// A new one of a user's.
    pub(super) fn add(&self, place: Place, user: UserId, session: Session) {
        let mut sessions = self.lock();
        let own = || sessions.iter().filter(|(_, entry)| entry.user == user);
        if own().count() >= MOST {
            let oldest = own().min_by_key(|(_, entry)| entry.heard_at).map(|(place, _)| place.clone());
            if let Some(oldest) = oldest {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(place, Entry { session, user, heard_at: Instant::now() });
    }

    /// Ends the session with a process that a user has not used for longest, if there is one that nobody uses now.
    pub(super) fn end_idle(&self, user: UserId) -> bool {
        let mut sessions = self.lock();
        let is_idle = |entry: &Entry| match &entry.session {
            Session::Held(child) => entry.user == user && !child.is_heard() && !child.is_asked(),
            Session::Watched(_) => false,
        };
        let idle = sessions.iter().filter(|(_, entry)| is_idle(entry));
        let oldest = idle.min_by_key(|(_, entry)| entry.heard_at).map(|(place, _)| place.clone());
        oldest.is_some_and(|oldest| sessions.remove(&oldest).is_some())
    }

    /// Forgets a user's session. False when they have none there.
    pub(super) fn remove(&self, place: &Place, user: UserId) -> bool {
        let mut sessions = self.lock();
        let is_theirs = sessions.get(place).is_some_and(|entry| entry.user == user);
        is_theirs && sessions.remove(place).is_some()
    }

    /// Forgets those that were silent for too long, and those whose process has ended.
    pub(super) fn sweep(&self) {
        self.lock().retain(|_, entry| match &entry.session {
            Session::Held(child) if !child.is_alive() => false,
            // Somebody listens, who need not say anything.
            Session::Held(child) if child.is_heard() => {
                entry.heard_at = Instant::now();
                true
            }
            _ => entry.heard_at.elapsed() < IDLE,
        });
    }

    /// Forgets all of them, and returns when their processes are gone.
    pub(super) fn clear(&self) -> impl Future<Output = ()> + Send + 'static {
        let all: Vec<Entry> = self.lock().drain().map(|(_, entry)| entry).collect();
        let going = all.iter().filter_map(|entry| match &entry.session {
            Session::Held(child) => Some(child.gone()),
            Session::Watched(_) => None,
        });
        let going = futures_util::future::join_all(going.collect::<Vec<_>>());
        drop(all);
        async move { drop(going.await) }
    }
}
