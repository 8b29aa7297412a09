//! Who is asking.

use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use crate::{FlowId, KeyId, UserId};

words! {
    /// What a user may do.
    Role, "role", "admin or user",
    {
        /// Sees and changes everything.
        Admin = "admin",
        /// Sees the flows that they own and those shared with them.
        User = "user",
    }
}

/// A person or a program that has keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their name, shown beside what they started.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when they are known.
    #[serde(with = "crate::timestamp")]
    pub created_at: OffsetDateTime,
}

/// A user who was recognised by a key, or the local administrator of a command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// The user.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The flows whose history may be read, and nothing else be done, by a token that was made for somebody's page. It
    /// reads what its maker may read.
    #[serde(skip)]
    pub only: Option<Arc<[FlowId]>>,
    /// The key by which, in the end, they were recognised; absent for who needs none, such as a command line.
    #[serde(skip)]
    pub key: Option<KeyId>,
}

impl Principal {
    /// Whether they see and change everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin && self.only.is_none()
    }

    /// Whether they may do nothing but read.
    #[must_use]
    pub fn is_reader(&self) -> bool {
        self.only.is_some()
    }
}

impl From<User> for Principal {
    fn from(user: User) -> Self {
        Self { id: user.id, name: user.name, role: user.role, only: None, key: None }
    }
}

/// An API key as it can be shown: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Its id, by which it is revoked.
    pub id: KeyId,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user_id: UserId,
    /// Its first characters, enough to tell it from others.
    pub prefix: String,
    /// When it was made.
    #[serde(with = "crate::timestamp")]
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute; null when never.
    #[serde(with = "crate::timestamp::option")]
    pub last_used_at: Option<OffsetDateTime>,
    /// When it stops working; null when never.
    #[serde(with = "crate::timestamp::option")]
    pub expires_at: Option<OffsetDateTime>,
}

words! {
    /// What a token is for.
    TokenKind, "kind of token", "session, embed or login",
    {
        /// A session of the web UI.
        Session = "session",
        /// A page of another origin: it reads some flows.
        Embed = "embed",
        /// To log in once.
        Login = "login",
    }
}

/// What stands for a user for a while. Never the token itself, which is kept only as a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is for.
    pub kind: TokenKind,
    /// For whom it stands.
    pub user_id: UserId,
    /// The key by means of which it was made: it goes when that is revoked.
    pub key_id: Option<KeyId>,
    /// The flows that it may read; absent when it may do what its user may.
    pub flows: Option<Arc<[FlowId]>>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it stops working.
    pub expires_at: OffsetDateTime,
}
