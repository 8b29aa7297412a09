//! Who is asking.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{KeyId, UnknownName, UserId};

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees and changes everything.
    Admin,
    /// Sees the flows that they own and those shared with them.
    User,
}

impl Role {
    /// The role as it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let known = [Self::Admin, Self::User].into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| UnknownName::new("role", text, "admin or user"))
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
}

impl Principal {
    /// Whether they see and change everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

impl From<User> for Principal {
    fn from(user: User) -> Self {
        Self { id: user.id, name: user.name, role: user.role }
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
