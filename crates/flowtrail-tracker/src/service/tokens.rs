//! What stands for a user for a while: sessions of the web UI, tokens for pages of other origins, codes to log in once.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flowtrail_types::{AuditAction, AuditQuery, FlowId, KeyId, Principal, Token, TokenKind, User};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::audit::Act;
use super::principals::{ADMIN_KEY, hash, random_secret};
use crate::access::{Rights, require_more_than_reading};
use crate::{Tracker, TrackerError};

/// What each kind of token begins with.
const fn prefix(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Session => "fts_",
        TokenKind::Embed => "fte_",
        TokenKind::Login => "ftl_",
    }
}

/// How long somebody stays logged in.
const SESSION: time::Duration = time::Duration::days(30);
/// How long a code to log in once can be used.
const LOGIN: time::Duration = time::Duration::days(1);
/// The shortest and the longest that the token of a page may live.
const EMBED: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// For how many flows the token of a page may be.
const MOST_FLOWS: usize = 100;

/// A token that was just made: the only time that it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The token itself.
    pub secret: String,
    /// When it stops working.
    pub expires_at: OffsetDateTime,
}

/// Somebody who is logged in to the web UI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub principal: Principal,
    /// What a page of this server sends with every write, and no other page can know.
    pub csrf: String,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

impl Tracker {
    /// Begins a session of the web UI, for who was recognised by a key. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Unauthenticated`] when it was no key but the token of a page, or is good no longer.
    pub fn log_in(&self, principal: &Principal) -> Result<NewToken, TrackerError> {
        if principal.is_reader() {
            return Err(TrackerError::Unauthenticated("the token of a page is no key: log in with a key"));
        }
        self.new_token(TokenKind::Session, principal, None, SESSION, |_| Some(Act::of(AuditAction::LoggedIn)))
    }

    /// The same with a code to log in once, which is used up by it. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Unauthenticated`] when the code is unknown, was used, or has expired.
    pub fn log_in_once(&self, code: &str) -> Result<NewToken, TrackerError> {
        let unknown =
            TrackerError::Unauthenticated("this code is unknown, was used or has expired: log in with a key");
        let Some((token, user)) = self.living_token(code, TokenKind::Login)? else { return Err(unknown) };
        // Of two who use it at the same time, one does.
        if !self.inner.store.tokens().delete(&hash(code))? {
            return Err(unknown);
        }
        self.log_in(&principal_of(user, &token))
    }

    /// Who is logged in by this token. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Unauthenticated`] when nobody is, or not any more.
    pub fn session(&self, secret: &str) -> Result<Session, TrackerError> {
        let (token, user) = self
            .living_token(secret, TokenKind::Session)?
            .ok_or(TrackerError::Unauthenticated("you are not logged in, or not any more"))?;
        let principal = principal_of(user, &token);
        Ok(Session { principal, csrf: csrf(secret), expires_at: token.expires_at })
    }

    /// Ends a session that was found by this token. One that is over already is no error. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn log_out(&self, secret: &str, session: &Session) -> Result<(), TrackerError> {
        let act = Act::of(AuditAction::LoggedOut);
        if self.inner.noted(&session.principal, act, || self.inner.store.tokens().delete(&hash(secret)))? {
            self.inner.credentials_changed();
        }
        Ok(())
    }

    /// Makes a token with which a page of another origin reads the history of some flows, and does nothing else. It reads
    /// no more than the principal may, and goes when the key goes by which they were recognised. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Invalid`] when a value is out of bounds, [`TrackerError::NotFound`] for a flow that the principal
    /// may not see, [`TrackerError::Forbidden`] for one of which they see only their own executions.
    pub fn create_embed_token(
        &self,
        principal: &Principal,
        flows: &[FlowId],
        ttl: Duration,
    ) -> Result<NewToken, TrackerError> {
        require_more_than_reading(principal, "make tokens")?;
        if flows.is_empty() || flows.len() > MOST_FLOWS {
            let message = format!("expected 1 to {MOST_FLOWS} flows, got {}", flows.len());
            return Err(TrackerError::invalid("flowIds", message));
        }
        if !EMBED.contains(&ttl) {
            let (least, most) = (EMBED.start().as_secs(), EMBED.end().as_secs());
            let message = format!("expected a whole number from {least} to {most}, got {}", ttl.as_secs());
            return Err(TrackerError::invalid("ttlSeconds", message));
        }
        for flow in flows {
            match self.rights_in(principal, *flow)? {
                Rights::None => return Err(TrackerError::NotFound("flow")),
                Rights::Public => {
                    return Err(TrackerError::Forbidden("show others the history of this flow"));
                }
                Rights::Read | Rights::Write => {}
            }
        }
        let lives = time::Duration::try_from(ttl).unwrap_or(time::Duration::DAY);
        self.new_token(TokenKind::Embed, principal, Some(flows.into()), lives, |expires_at| {
            let expires_at = flowtrail_types::timestamp::format(expires_at);
            let detail = json!({"flowIds": flows, "expiresAt": expires_at});
            Some(Act::of(AuditAction::EmbedTokenCreated).with(detail))
        })
    }

    /// Makes a code with which the first administrator logs in once, for a login link. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn create_login_code(&self) -> Result<NewToken, TrackerError> {
        let administrator = self.local_administrator()?;
        // The session goes with the first key, unless that was revoked: whoever can write here can make another one.
        let keys = self.inner.store.keys().list(Some(administrator.id))?;
        let key = keys.iter().any(|key| key.id == ADMIN_KEY).then_some(ADMIN_KEY);
        self.new_token(TokenKind::Login, &Principal { key, ..administrator }, None, LOGIN, |_| None)
    }

    /// Whether anybody has ever logged in to the web UI. Sessions end; the audit log keeps that they began. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn has_anybody_logged_in(&self) -> Result<bool, TrackerError> {
        let query = AuditQuery { action: Some(AuditAction::LoggedIn), user: None, before: None, limit: 1 };
        Ok(!self.inner.store.audit().list(&query)?.is_empty())
    }

    /// For whom the token of a page stands, if it is one.
    pub(super) fn page_token(&self, secret: &str) -> Result<Option<Principal>, TrackerError> {
        if !secret.starts_with(prefix(TokenKind::Embed)) {
            return Ok(None);
        }
        let found = self.living_token(secret, TokenKind::Embed)?;
        Ok(found.map(|(token, user)| principal_of(user, &token)))
    }

    fn new_token(
        &self,
        kind: TokenKind,
        principal: &Principal,
        flows: Option<Arc<[FlowId]>>,
        lives: time::Duration,
        act: impl FnOnce(OffsetDateTime) -> Option<Act>,
    ) -> Result<NewToken, TrackerError> {
        let now = self.inner.clock.now();
        let tokens = self.inner.store.tokens();
        tokens.delete_expired(now)?;
        let secret = random_secret(prefix(kind))?;
        let key_id: Option<KeyId> = principal.key;
        // It does not outlive the key by means of which it is made.
        let key =
            self.inner.store.keys().list(Some(principal.id))?.into_iter().find(|key| Some(key.id) == key_id);
        let latest = now + lives;
        let expires_at = key.and_then(|key| key.expires_at).map_or(latest, |expiry| expiry.min(latest));
        let token = Token { kind, user_id: principal.id, key_id, flows, created_at: now, expires_at };
        let add = || tokens.add(&token, &hash(&secret));
        let is_added = match act(expires_at) {
            Some(act) => self.inner.noted(principal, act, add)?,
            None => add()?,
        };
        if !is_added {
            return Err(TrackerError::Unauthenticated("this key is unknown or was revoked"));
        }
        Ok(NewToken { secret, expires_at })
    }

    /// A token of this kind that has not expired.
    fn living_token(&self, secret: &str, kind: TokenKind) -> Result<Option<(Token, User)>, TrackerError> {
        let now = self.inner.clock.now();
        let found = self.inner.store.tokens().lookup(&hash(secret))?;
        Ok(found.filter(|(token, _)| token.kind == kind && token.expires_at > now))
    }
}

fn principal_of(user: User, token: &Token) -> Principal {
    Principal { only: token.flows.clone(), key: token.key_id, ..user.into() }
}

/// What goes with a session's cookie in a header. It follows from the cookie, which no page can read, and does not lead
/// back to it.
fn csrf(secret: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"flowtrail csrf\n");
    digest.update(secret.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(digest.finalize())
}
