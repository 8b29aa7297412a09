//! The number of processes of other servers that run, by user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flowtrail_types::UserId;

/// The processes that run, by user. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Processes {
    /// Maximum number for one user.
    most: usize,
    running: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// The place of one process, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    processes: Processes,
    user: UserId,
}

/// There are as many processes as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// As many as the user may have.
    User,
    /// As many as this server runs for all users.
    All,
}

impl Processes {
    /// So many for a user, and twice as many for all of them.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), running: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a user's process.
    pub(super) fn take(&self, user: UserId) -> Result<Place, Full> {
        let mut running = self.lock();
        let all: usize = running.values().sum();
        let own = running.entry(user).or_default();
        if *own >= self.most {
            return Err(Full::User);
        }
        if all >= 2 * self.most {
            if *own == 0 {
                running.remove(&user);
            }
            return Err(Full::All);
        }
        *own += 1;
        Ok(Place { processes: self.clone(), user })
    }

    /// A place in exchange for one that ends.
    pub(super) fn take_over(&self, user: UserId) -> Place {
        *self.lock().entry(user).or_default() += 1;
        Place { processes: self.clone(), user }
    }

    /// Maximum number for one user.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.processes.lock();
        if let Some(own) = running.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                running.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_user_has_so_many_and_all_have_twice_as_many() {
        let processes = Processes::new(2);
        let user = |number| UserId::from_uuid(Uuid::from_u128(number));
        let places: Vec<Place> = [1, 1, 2].map(|number| processes.take(user(number)).unwrap()).into();
        assert_eq!(processes.take(user(1)).unwrap_err(), Full::User);
        let last = processes.take(user(3)).unwrap();
        assert_eq!(processes.take(user(4)).unwrap_err(), Full::All);
        drop(last);
        drop(places);
        assert!(processes.lock().is_empty());
    }
}
