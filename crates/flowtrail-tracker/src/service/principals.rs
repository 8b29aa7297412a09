//! Users and keys: who is asking, and how they prove it.

use std::sync::PoisonError;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flowtrail_store::{KeyHash, StoreError};
use flowtrail_types::{ApiKey, AuditAction, KeyId, Principal, Role, User, UserId};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::RulesMark;
use super::audit::Act;
use crate::access::require_more_than_reading;
use crate::{Tracker, TrackerError};

/// The first administrator: always the same, so that two processes that start at once make one of them.
pub(super) const ADMINISTRATOR: UserId =
    UserId::from_uuid(Uuid::from_u128(0x0000_0000_0000_8000_8000_0000_0000_0001));
/// The first administrator's key: always the same id, so that a configured key takes the place of the last one.
pub(super) const ADMIN_KEY: KeyId =
    KeyId::from_uuid(Uuid::from_u128(0x0000_0000_0000_8000_8000_0000_0000_0002));
/// What every key begins with.
const PREFIX: &str = "ft_";
/// How often it is noted that a key was used.
const TOUCH_EVERY: Duration = Duration::MINUTE;

/// A key that was just made: the only time that it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What is kept of it.
    pub key: ApiKey,
    /// The key itself.
    pub secret: String,
}

impl Tracker {
    /// Makes sure that there is an administrator, and that the configured key, if there is one, is theirs. It takes
    /// the place of the one that was configured before. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Invalid`] when the configured key cannot be one.
    pub fn ensure_admin_key(&self, configured: Option<&str>) -> Result<(), TrackerError> {
        let administrator = self.local_administrator()?;
        let Some(secret) = configured else { return Ok(()) };
        check_configured(secret)?;
        let keys = self.inner.store.keys();
        let hash = hash(secret);
        let is_current = keys.lookup(&hash)?.is_some_and(|known| known.key.id == ADMIN_KEY);
        if !is_current {
            // With the last one go the sessions that were begun by it.
            keys.revoke(ADMIN_KEY)?;
            keys.add(&admin_key(&administrator, secret, self.inner.clock.now()), &hash)?;
        }
        Ok(())
    }

    /// Whether the first administrator has any key. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn has_admin_key(&self) -> Result<bool, TrackerError> {
        Ok(!self.inner.store.keys().list(Some(ADMINISTRATOR))?.is_empty())
    }

    /// A new random key, known to nobody yet.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn random_key() -> Result<String, TrackerError> {
        random_secret(PREFIX)
    }

    /// The first administrator, as whom a command line or an embedding program acts. Made if there is none. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn local_administrator(&self) -> Result<Principal, TrackerError> {
        let users = self.inner.store.users();
        if let Some(user) = users.lookup(ADMINISTRATOR)? {
            return Ok(user.into());
        }
        let user = self.new_administrator();
        users.add(&user)?;
        Ok(user.into())
    }

    /// The first administrator, as whom a command line reads. Nothing is written. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn local_reader(&self) -> Result<Principal, TrackerError> {
        let user = self.inner.store.users().lookup(ADMINISTRATOR)?;
        Ok(user.unwrap_or_else(|| self.new_administrator()).into())
    }

    fn new_administrator(&self) -> User {
        User {
            id: ADMINISTRATOR,
            name: "admin".to_owned(),
            role: Role::Admin,
            created_at: self.inner.clock.now(),
        }
    }

    /// Whose key this is, or for whom the token of a page stands. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Unauthenticated`] when it is nobody's, was revoked, or has expired.
    pub fn authenticate(&self, secret: &str) -> Result<Principal, TrackerError> {
        if let Some(principal) = self.page_token(secret)? {
            return Ok(principal);
        }
        let hash = hash(secret);
        let mark = self.inner.store.rules_mark();
        if let Some(principal) = self.known_key(mark, &hash) {
            return Ok(principal);
        }
        let keys = self.inner.store.keys();
        // The lookup is by the hash of a key with 256 random bits: its time tells nothing that helps to guess one.
        let Some(known) = keys.lookup(&hash)? else {
            return Err(TrackerError::Unauthenticated("this key is unknown or was revoked"));
        };
        let now = self.inner.clock.now();
        if known.key.expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(TrackerError::Unauthenticated("this key has expired"));
        }
        if known.key.last_used_at.is_none_or(|last| now - last >= TOUCH_EVERY)
            && let Err(error) = keys.touch(known.key.id, now)
        {
            // Who may ask does not depend on whether it can be noted.
            log::warn!("the use of a key cannot be noted: {error}");
        }
        let principal = Principal { key: Some(known.key.id), ..known.user.into() };
        self.inner.known.keys.put(mark, hash, (principal.clone(), known.key.expires_at));
        Ok(principal)
    }

    /// The same by these rules, without asking the database: none when that would have to be asked. Does not block.
    #[must_use]
    pub fn recall(&self, rules: RulesMark, secret: &str) -> Option<Principal> {
        self.known_key(Some(rules.0), &hash(secret))
    }

    fn known_key(&self, mark: Option<u64>, hash: &KeyHash) -> Option<Principal> {
        let (principal, expires_at) = self.inner.known.keys.get(mark, hash)?;
        expires_at.is_none_or(|expiry| expiry > self.inner.clock.now()).then_some(principal)
    }

    /// Makes a key, for oneself or, as an administrator, for anyone. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for somebody else's key, [`TrackerError::Invalid`] when a value is out of
    /// bounds, [`TrackerError::NotFound`] when there is no such user.
    pub fn create_key(
        &self,
        principal: &Principal,
        name: &str,
        user: Option<UserId>,
        expires_at: Option<OffsetDateTime>,
    ) -> Result<NewKey, TrackerError> {
        let length = name.chars().count();
        if name.trim().is_empty() || length > 100 {
            return Err(TrackerError::invalid("name", format!("expected 1 to 100 characters, got {length}")));
        }
        require_more_than_reading(principal, "make keys")?;
        let user_id = user.unwrap_or(principal.id);
        if user_id != principal.id && !principal.is_admin() {
            return Err(TrackerError::Forbidden("make keys for others"));
        }
        self.inner.store.users().lookup(user_id)?.ok_or(TrackerError::NotFound("user"))?;
        let now = self.inner.clock.now();
        if expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(TrackerError::invalid("expiresAt", "expected a time in the future"));
        }
        let secret = random_secret(PREFIX)?;
        let key = ApiKey {
            id: KeyId::from_uuid(self.inner.ids.next(now)),
            name: name.to_owned(),
            user_id,
            prefix: prefix(&secret),
            created_at: now,
            last_used_at: None,
            expires_at,
        };
        let detail = json!({"userId": user_id, "prefix": key.prefix});
        let act = Act::to(AuditAction::KeyCreated, *key.id.as_uuid(), &key.name).with(detail);
        self.inner.noted(principal, act, || self.inner.store.keys().add(&key, &hash(&secret)))?;
        Ok(NewKey { key, secret })
    }

    /// One's own keys; all keys, as an administrator. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for the token of a page.
    pub fn keys(&self, principal: &Principal) -> Result<Vec<ApiKey>, TrackerError> {
        require_more_than_reading(principal, "see keys")?;
        let user = (!principal.is_admin()).then_some(principal.id);
        Ok(self.inner.store.keys().list(user)?)
    }

    /// Revokes a key, at once. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when there is none that the principal may revoke.
    pub fn revoke_key(&self, principal: &Principal, id: KeyId) -> Result<(), TrackerError> {
        let missing = TrackerError::NotFound("key");
        let theirs = self.keys(principal)?.into_iter().find(|key| key.id == id);
        let key = theirs.ok_or_else(|| missing.clone())?;
        let _one_at_a_time = self.inner.revoking.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has_administrator_without(|other| other.id == id)? {
            return Err(TrackerError::Forbidden(
                "revoke the last key of an administrator: make another one first",
            ));
        }
        let detail = json!({"userId": key.user_id, "prefix": key.prefix});
        let act = Act::to(AuditAction::KeyRevoked, *id.as_uuid(), &key.name).with(detail);
        if !self.inner.noted(principal, act, || self.inner.store.keys().revoke(id))? {
            return Err(missing);
        }
        self.inner.credentials_changed();
        Ok(())
    }

    /// True when an administrator can still get in without these keys.
    fn has_administrator_without(&self, is_gone: impl Fn(&ApiKey) -> bool) -> Result<bool, TrackerError> {
        let now = self.inner.clock.now();
        let users = self.inner.store.users().list()?;
        let is_admin = |id: UserId| users.iter().any(|user| user.id == id && user.role == Role::Admin);
        let is_good = |key: &ApiKey| key.expires_at.is_none_or(|at| at > now) && is_admin(key.user_id);
        let keys = self.inner.store.keys().list(None)?;
        // Where nobody can get in anyway there is nothing to lose.
        Ok(!keys.iter().any(is_good) || keys.iter().any(|key| is_good(key) && !is_gone(key)))
    }

    /// Makes a user. Administrators only. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for others, [`TrackerError::Invalid`] when the name is out of bounds.
    pub fn create_user(&self, principal: &Principal, name: &str, role: Role) -> Result<User, TrackerError> {
        if !principal.is_admin() {
            return Err(TrackerError::Forbidden("make users"));
        }
        let length = name.chars().count();
        if name.trim().is_empty() || length > 100 || name.chars().any(char::is_control) {
            return Err(TrackerError::invalid(
                "name",
                format!("expected 1 to 100 printable characters, got {length}"),
            ));
        }
        let now = self.inner.clock.now();
        let user = User {
            id: UserId::from_uuid(self.inner.ids.next(now)),
            name: name.to_owned(),
            role,
            created_at: now,
        };
        let act = Act::to(AuditAction::UserCreated, *user.id.as_uuid(), &user.name);
        let act = act.with(json!({"role": role}));
        self.inner.noted(principal, act, || self.inner.store.users().add(&user))?;
        Ok(user)
    }

    /// Deletes a user, with their keys and sessions. Their flows and what they did stay, under their name. Administrators
    /// only. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for others, and for the first administrator, who is the server's own;
    /// [`TrackerError::NotFound`] when there is no such user.
    pub fn delete_user(&self, principal: &Principal, id: UserId) -> Result<(), TrackerError> {
        if !principal.is_admin() {
            return Err(TrackerError::Forbidden("delete users"));
        }
        if id == ADMINISTRATOR {
            return Err(TrackerError::Forbidden(
                "delete the first administrator, as whom the server itself acts",
            ));
        }
        let missing = TrackerError::NotFound("user");
        let users = self.inner.store.users();
        let user = users.lookup(id)?.ok_or_else(|| missing.clone())?;
        let _one_at_a_time = self.inner.revoking.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has_administrator_without(|key| key.user_id == id)? {
            return Err(TrackerError::Forbidden(
                "delete the last administrator with a key: make a key for another one first",
            ));
        }
        let act = Act::to(AuditAction::UserDeleted, *id.as_uuid(), &user.name);
        if !self.inner.noted(principal, act, || users.delete(id, self.inner.clock.now()))? {
            return Err(missing);
        }
        self.inner.credentials_changed();
        Ok(())
    }

    /// All users, by name. Administrators only. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for others.
    pub fn users(&self, principal: &Principal) -> Result<Vec<User>, TrackerError> {
        if !principal.is_admin() {
            return Err(TrackerError::Forbidden("see users"));
        }
        Ok(self.inner.store.users().list()?)
    }

    /// The oldest user with this name. Administrators only. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for others, [`TrackerError::NotFound`] when there is none.
    pub fn user_named(&self, principal: &Principal, name: &str) -> Result<User, TrackerError> {
        if !principal.is_admin() {
            return Err(TrackerError::Forbidden("look up users"));
        }
        self.inner.store.users().lookup_named(name)?.ok_or(TrackerError::NotFound("user"))
    }
}

fn admin_key(administrator: &Principal, secret: &str, now: OffsetDateTime) -> ApiKey {
    ApiKey {
        id: ADMIN_KEY,
        name: "first administrator".to_owned(),
        user_id: administrator.id,
        prefix: prefix(secret),
        created_at: now,
        last_used_at: None,
        expires_at: None,
    }
}

fn check_configured(secret: &str) -> Result<(), TrackerError> {
    const SHORTEST: usize = 8;
    if secret.len() < SHORTEST || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TrackerError::invalid(
            "FLOWTRAIL_ADMIN_KEY",
            format!(
                "expected at least {SHORTEST} visible ASCII characters, best made by `openssl rand -hex 32`"
            ),
        ));
    }
    Ok(())
}

/// Enough to tell a key from others, and far from enough to guess it: no more than a quarter of it.
fn prefix(secret: &str) -> String {
    secret.chars().take((PREFIX.len() + 5).min(secret.len() / 4)).collect()
}

pub(super) fn hash(secret: &str) -> KeyHash {
    KeyHash(Sha256::digest(secret.as_bytes()).into())
}

/// 256 random bits behind a prefix that says what they are for.
pub(super) fn random_secret(prefix: &str) -> Result<String, TrackerError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Internal {
        reason: format!("the system gives no random numbers: {error}"),
        source: None,
    })?;
    Ok(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}
