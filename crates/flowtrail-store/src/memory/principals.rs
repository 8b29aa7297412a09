//! Users, what they prove themselves by, and what they did, in memory.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;

use flowtrail_types::{ApiKey, AuditEntry, AuditQuery, KeyId, Role, Token, User, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{MemoryStore, State};
use crate::{AuditStore, KeyHash, KeyStore, RecognisedKey, StoreError, TokenStore, UserStore};

impl State {
    fn living_users(&self) -> impl Iterator<Item = &User> {
        self.users.values().filter(|user| !self.deleted_users.contains(&user.id))
    }

    fn require_user(&self, id: UserId) -> Result<(), StoreError> {
        if self.users.contains_key(&id) {
            return Ok(());
        }
        Err(StoreError::Internal { reason: "no such user".to_owned(), source: None })
    }
}

impl UserStore for MemoryStore {
    fn lookup(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.lock().living_users().find(|user| user.id == id).cloned())
    }

    fn lookup_named(&self, name: &str) -> Result<Option<User>, StoreError> {
        let state = self.lock();
        let named = state.living_users().filter(|user| user.name == name);
        Ok(named.min_by_key(|user| (user.created_at, user.id)).cloned())
    }

    fn list(&self) -> Result<Vec<User>, StoreError> {
        let mut users: Vec<User> = self.lock().living_users().cloned().collect();
        users.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(users)
    }

    fn add(&self, user: &User) -> Result<(), StoreError> {
        self.lock().users.entry(user.id).or_insert_with(|| user.clone());
        Ok(())
    }

    fn remember(&self, id: UserId, name: &str, at: OffsetDateTime) -> Result<(), StoreError> {
        let mut state = self.lock();
        if let Entry::Vacant(unknown) = state.users.entry(id) {
            unknown.insert(User { id, name: name.to_owned(), role: Role::User, created_at: at });
            state.deleted_users.insert(id);
        }
        Ok(())
    }

    fn delete(&self, id: UserId, _at: OffsetDateTime) -> Result<bool, StoreError> {
        let mut state = self.lock();
        if !state.users.contains_key(&id) || !state.deleted_users.insert(id) {
            return Ok(false);
        }
        state.keys.retain(|_, (key, _)| key.user_id != id);
        state.tokens.retain(|_, token| token.user_id != id);
        Ok(true)
    }
}

impl KeyStore for MemoryStore {
    fn lookup(&self, hash: &KeyHash) -> Result<Option<RecognisedKey>, StoreError> {
        let state = self.lock();
        Ok(state.keys.values().find(|(_, kept)| kept == hash).and_then(|(key, _)| {
            let user = state.living_users().find(|user| user.id == key.user_id)?.clone();
            Some(RecognisedKey { key: key.clone(), user })
        }))
    }

    fn list(&self, user: Option<UserId>) -> Result<Vec<ApiKey>, StoreError> {
        let state = self.lock();
        let mut keys: Vec<ApiKey> = state.keys.values().map(|(key, _)| key.clone()).collect();
        keys.retain(|key| user.is_none_or(|user| key.user_id == user));
        keys.sort_by_key(|key| (key.created_at, key.id));
        Ok(keys)
    }

    fn add(&self, key: &ApiKey, hash: &KeyHash) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.require_user(key.user_id)?;
        state.keys.insert(key.id, (key.clone(), *hash));
        Ok(())
    }

    fn revoke(&self, id: KeyId) -> Result<bool, StoreError> {
        let mut state = self.lock();
        state.tokens.retain(|_, token| token.key_id != Some(id));
        Ok(state.keys.remove(&id).is_some())
    }

    fn touch(&self, id: KeyId, at: OffsetDateTime) -> Result<(), StoreError> {
        if let Some((key, _)) = self.lock().keys.get_mut(&id) {
            key.last_used_at = Some(at);
        }
        Ok(())
    }
}

impl TokenStore for MemoryStore {
    fn lookup(&self, hash: &KeyHash) -> Result<Option<(Token, User)>, StoreError> {
        let state = self.lock();
        let Some(token) = state.tokens.get(hash) else { return Ok(None) };
        let user = state.living_users().find(|user| user.id == token.user_id);
        Ok(user.map(|user| (token.clone(), user.clone())))
    }

    fn add(&self, token: &Token, hash: &KeyHash) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let has_user = state.living_users().any(|user| user.id == token.user_id);
        let has_key = token.key_id.is_none_or(|key| state.keys.contains_key(&key));
        if has_user && has_key {
            state.tokens.insert(*hash, token.clone());
        }
        Ok(has_user && has_key)
    }

    fn delete(&self, hash: &KeyHash) -> Result<bool, StoreError> {
        Ok(self.lock().tokens.remove(hash).is_some())
    }

    fn delete_expired(&self, before: OffsetDateTime) -> Result<usize, StoreError> {
        let mut state = self.lock();
        let were = state.tokens.len();
        state.tokens.retain(|_, token| token.expires_at >= before);
        Ok(were - state.tokens.len())
    }
}

impl AuditStore for MemoryStore {
    fn add(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.audit.retain(|other| other.id != entry.id);
        state.audit.push(entry.clone());
        Ok(())
    }

    fn add_with(
        &self,
        entry: &AuditEntry,
        act: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        act()?;
        AuditStore::add(self, entry)
    }

    fn delete_before(
        &self,
        before: OffsetDateTime,
        but: Option<Uuid>,
        most: u32,
    ) -> Result<usize, StoreError> {
        let mut state = self.lock();
        let mut deleted = 0;
        state.audit.retain(|entry| {
            let goes = entry.at < before && Some(entry.id) != but && deleted < most as usize;
            deleted += usize::from(goes);
            !goes
        });
        Ok(deleted)
    }

    fn list(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let state = self.lock();
        let is_wanted = |entry: &&AuditEntry| {
            query.action.is_none_or(|action| entry.action == action)
                && query.user.is_none_or(|user| entry.user_id == user)
                && query.before.is_none_or(|before| entry.id < before)
        };
        let mut found: Vec<AuditEntry> = state.audit.iter().filter(is_wanted).cloned().collect();
        found.sort_by_key(|entry| Reverse(entry.id));
        found.truncate(query.limit as usize);
        Ok(found)
    }
}
