//! Places for what runs at the same time, of which nobody takes more than their share, and for which whoever waits is
//! served in turn by user.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flowtrail_types::UserId;
use tokio::sync::oneshot;

/// Places. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Maximum number for one user, where that is not all of them.
    share: Option<usize>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: usize,
    /// Number of places by user. A user who has none is not in it.
    taken: HashMap<UserId, usize>,
    /// Those that wait, by user. One that has given up is found out when it is their turn.
    waiting: HashMap<UserId, VecDeque<oneshot::Sender<Place>>>,
    /// The users who wait, whose turn is next first.
    turns: VecDeque<UserId>,
}

/// A place, until this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    user: UserId,
}

/// The reason for the lack of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All of them are taken.
    All,
    /// The user has their share.
    Share {
        /// The number of places in a share.
        of: usize,
    },
}

/// A user's share of so many places, from a percentage.
pub fn share(count: usize, percent: u8) -> usize {
    count.saturating_mul(usize::from(percent)) / 100
}

impl Places {
    /// So many places, of which a user may have so many, and at least one.
    pub fn new(count: usize, share: usize) -> Self {
        let state = State { free: count, ..State::default() };
        let share = Some(share.max(1)).filter(|share| *share < count);
        Self(Arc::new(Inner { share, state: Mutex::new(state) }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place at once.
    ///
    /// # Errors
    ///
    /// When the user has their share, or all places are taken.
    pub fn try_take(&self, user: UserId) -> Result<Place, Full> {
        let mut state = self.lock();
        if let Some(of) = self.0.share.filter(|share| state.taken(user) >= *share) {
            return Err(Full::Share { of });
        }
        if state.free == 0 {
            return Err(Full::All);
        }
        Ok(self.give(&mut state, user))
    }

    /// A place as soon as it is this user's turn.
    pub async fn take(&self, user: UserId) -> Option<Place> {
        match self.queue(user) {
            Ok(place) => Some(place),
            Err(turn) => turn.await.ok(),
        }
    }

    /// The same for whoever may block.
    pub fn take_blocking(&self, user: UserId) -> Option<Place> {
        match self.queue(user) {
            Ok(place) => Some(place),
            Err(turn) => turn.blocking_recv().ok(),
        }
    }

    /// A place, or the turn of one who waits. Nobody overtakes others of the same user.
    fn queue(&self, user: UserId) -> Result<Place, oneshot::Receiver<Place>> {
        let mut state = self.lock();
        if state.free > 0 && !self.has_share(&state, user) && !state.waiting.contains_key(&user) {
            return Ok(self.give(&mut state, user));
        }
        let (sender, receiver) = oneshot::channel();
        let State { waiting, turns, .. } = &mut *state;
        waiting
            .entry(user)
            .or_insert_with(|| {
                turns.push_back(user);
                VecDeque::new()
            })
            .push_back(sender);
        Err(receiver)
    }

    /// True when the user has all that they may have.
    fn has_share(&self, state: &State, user: UserId) -> bool {
        self.0.share.is_some_and(|share| state.taken(user) >= share)
    }

    fn give(&self, state: &mut State, user: UserId) -> Place {
        state.free -= 1;
        *state.taken.entry(user).or_default() += 1;
        Place { places: self.clone(), user }
    }

    /// Gives free places to those who wait, in turn.
    fn serve(&self) {
        // Those who gave up are dropped when nothing is locked: dropping a place locks.
        let mut given_back = Vec::new();
        let mut state = self.lock();
        let mut passed = 0;
        while state.free > 0 && passed < state.turns.len() {
            let Some(user) = state.turns.pop_front() else { break };
            if self.has_share(&state, user) {
                state.turns.push_back(user);
                passed += 1;
                continue;
            }
            let next = state.waiting.get_mut(&user).and_then(VecDeque::pop_front);
            if state.waiting.get(&user).is_some_and(|queue| !queue.is_empty()) {
                state.turns.push_back(user);
            } else {
                state.waiting.remove(&user);
            }
            // Those who were passed by are counted anew: the next of this user may still want the place.
            passed = 0;
            let Some(next) = next.filter(|next| !next.is_closed()) else { continue };
            let place = self.give(&mut state, user);
            given_back.extend(next.send(place).err());
        }
        drop(state);
        drop(given_back);
    }
}

impl State {
    fn taken(&self, user: UserId) -> usize {
        self.taken.get(&user).copied().unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.free += 1;
        if let Some(taken) = state.taken.get_mut(&self.user) {
            *taken -= 1;
            if *taken == 0 {
                state.taken.remove(&self.user);
            }
        }
        drop(state);
        self.places.serve();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn nobody_takes_more_than_their_share() {
        let places = Places::new(3, 2);
        let mine: Vec<Place> = (0..2).map(|_| places.try_take(user(1)).unwrap()).collect();
        assert_eq!(places.try_take(user(1)).unwrap_err(), Full::Share { of: 2 });
        let _yours = places.try_take(user(2)).unwrap();
        assert_eq!(places.try_take(user(2)).unwrap_err(), Full::All);
        drop(mine);
        assert!(places.try_take(user(2)).is_ok());
    }

    #[tokio::test]
    async fn those_who_wait_are_served_in_turn_by_user() {
        let places = Places::new(1, 1);
        let first = places.try_take(user(1)).unwrap();
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for name in [1, 1, 1, 2, 3] {
            let (places, told) = (places.clone(), told.clone());
            tokio::spawn(async move {
                let place = places.take(user(name)).await;
                told.send(name).unwrap();
                drop(place);
            });
            tokio::task::yield_now().await;
        }
        drop(first);
        let mut served = Vec::new();
        while served.len() < 5 {
            served.push(order.recv().await.unwrap());
        }
        assert_eq!(served, [1, 2, 3, 1, 1]);
        assert_eq!(places.lock().free, 1);
    }

    #[tokio::test]
    async fn whoever_gives_up_takes_no_place() {
        let places = Places::new(2, 1);
        let place = places.try_take(user(1)).unwrap();
        let mut waiting = Box::pin(places.take(user(1)));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(waiting);
        drop(place);
        let free = places.lock().free;
        assert_eq!((free, places.lock().turns.len()), (2, 0));
        assert!(places.take(user(1)).await.is_some());
    }
}
