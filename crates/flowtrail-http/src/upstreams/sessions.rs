//! The sessions of clients with other servers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flowtrail_mcp::proxy::{HeldChild, Tap};
use flowtrail_types::UserId;

/// How long a session may be silent before it is forgotten, as for Flowtrail's own.
const IDLE: Duration = Duration::from_secs(3600);
/// How many there are at most; beyond it the one that was silent for longest is forgotten.
const MOST: usize = 1_000;

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

#[derive(Debug)]
struct Entry {
    session: Session,
    heard_at: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Place, Entry>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session, which is heard of now.
    pub(super) fn lookup(&self, place: &Place) -> Option<Session> {
        let mut sessions = self.lock();
        let entry = sessions.get_mut(place)?;
        if let Session::Held(child) = &entry.session
            && !child.is_alive()
        {
            sessions.remove(place);
            return None;
        }
        entry.heard_at = Instant::now();
        Some(entry.session.clone())
    }

    /// A new one. Those that were silent for too long go.
    pub(super) fn add(&self, place: Place, session: Session) {
        let mut sessions = self.lock();
        sessions.retain(|_, entry| entry.heard_at.elapsed() < IDLE);
        if sessions.len() >= MOST {
            let oldest =
                sessions.iter().min_by_key(|(_, entry)| entry.heard_at).map(|(place, _)| place.clone());
            if let Some(oldest) = oldest {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(place, Entry { session, heard_at: Instant::now() });
    }

    pub(super) fn remove(&self, place: &Place) -> Option<Session> {
        self.lock().remove(place).map(|entry| entry.session)
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }
}
