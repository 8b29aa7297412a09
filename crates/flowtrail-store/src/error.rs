//! What can go wrong with a store, in words that know no database.

use std::error::Error;

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

impl StoreError {
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

    /// True when the disk is to blame: it is full, or fails.
    #[must_use]
    pub fn is_of_disk(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Damaged { .. } | Self::NotWritable { .. })
    }
}
