//! What can go wrong with a store, in words that know no database.

use std::error::Error;
use std::fmt::{self, Display};

use serde::Serialize;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached. Trying again later may help.
    #[error("the database cannot be reached: {reason}")]
    Unavailable {
        /// What was tried, and what the database said.
        reason: String,
        /// The driver's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Others kept the database locked for too long. Trying again later may help.
    #[error("the database is busy")]
    Busy(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// The disk is full.
    #[error("the disk is full: {reason}")]
    Full {
        /// The words of the database, or the room that is left.
        reason: String,
        /// The driver's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The file of the database is damaged.
    #[error("the database is damaged: {reason}")]
    Damaged {
        /// The words of the database.
        reason: String,
        /// The driver's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The disk does not do what it is asked, or the database may not be written.
    #[error("the database cannot be written: {reason}")]
    NotWritable {
        /// The words of the database.
        reason: String,
        /// The driver's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// A stored row does not make sense.
    #[error("a row of {table} is corrupt: {column} of {id}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
        /// What was wrong with the value.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The schema is not the one that this program knows.
    #[error("{0}")]
    Schema(String),
    /// A copy of the database was not made.
    #[error("no copy was made: {0}")]
    NoCopy(String),
    /// The database's size on disk cannot be bounded.
    #[error("{0}")]
    NoCeiling(&'static str),
    /// A value that must be unique is taken.
    #[error("this {field} is taken")]
    Taken {
        /// Which one.
        field: &'static str,
    },
    /// The row was changed by somebody else since it was read, or is gone.
    #[error("it was changed by somebody else in the meantime")]
    Changed,
    /// Anything else.
    #[error("the database failed: {reason}")]
    Internal {
        /// The words of the database.
        reason: String,
        /// The driver's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// A stored row that does not make sense.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's id.
    pub id: String,
}

impl Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} in {}", self.column, self.id, self.table)
    }
}

impl StoreError {
    /// The one row that is damaged, if it is no more than that.
    #[must_use]
    pub fn damage(&self) -> Option<Damage> {
        match self {
            Self::Corrupt { table, column, id, .. } => Some(Damage { table, column, id: id.clone() }),
            _ => None,
        }
    }

    /// Whether the same call may well succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Busy(_) => true,
            Self::Full { .. }
            | Self::Damaged { .. }
            | Self::NotWritable { .. }
            | Self::Corrupt { .. }
            | Self::Schema(_)
            | Self::NoCopy(_)
            | Self::NoCeiling(_)
            | Self::Taken { .. }
            | Self::Changed
            | Self::Internal { .. } => false,
        }
    }

    /// True when other records may well be read: what is damaged is a row, or the part of the file where it stands.
    #[must_use]
    pub fn is_of_one_record(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Damaged { .. })
    }

    /// True when the disk is to blame: it is full, or fails.
    #[must_use]
    pub fn is_of_disk(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Damaged { .. } | Self::NotWritable { .. })
    }
}
