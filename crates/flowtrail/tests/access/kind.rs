//! Who asks.

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nobody,
    BadKey,
    ExpiredKey,
    RevokedKey,
    Stranger,
    /// Somebody who may read the flow because everybody may.
    Public,
    Reader,
    Writer,
    Owner,
    Administrator,
    /// The token of a page, made by the owner.
    Page,
    /// The owner's session, without the header that a write by cookie needs.
    Cookie,
}

pub(crate) const WITHOUT_RIGHTS: [Kind; 4] = [Kind::Nobody, Kind::BadKey, Kind::ExpiredKey, Kind::RevokedKey];
pub(crate) const KNOWN: [Kind; 8] = [
    Kind::Stranger,
    Kind::Public,
    Kind::Reader,
    Kind::Writer,
    Kind::Owner,
    Kind::Administrator,
    Kind::Page,
    Kind::Cookie,
];
