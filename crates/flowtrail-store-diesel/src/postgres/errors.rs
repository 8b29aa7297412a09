//! What PostgreSQL and libpq say, in the words of the store.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use flowtrail_store::StoreError;

/// libpq's messages have several lines.
pub(super) fn in_one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Diesel's error in the words of the store. The only place that does it.
pub(crate) fn translate(error: DieselError) -> StoreError {
    let (kind, message, constraint) = match &error {
        DieselError::DatabaseError(kind, info) => {
            (kind, in_one_line(info.message()), info.constraint_name().map(str::to_owned))
        }
        DieselError::BrokenTransactionManager => {
            let reason = "the connection was lost within a transaction".to_owned();
            return StoreError::Unavailable { reason, source: Some(Box::new(error)) };
        }
        other => {
            let reason = other.to_string();
            return StoreError::Internal { reason, source: Some(Box::new(error)) };
        }
    };
    let says = |text: &str| message.contains(text);
    match kind {
        DatabaseErrorKind::UniqueViolation => {
            let is_tool_name = constraint.is_some_and(|name| name == "flows_tool_name");
            return StoreError::Taken { field: if is_tool_name { "toolName" } else { "id" } };
        }
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
            return StoreError::Unavailable { reason: message, source: Some(Box::new(error)) };
        }
        DatabaseErrorKind::SerializationFailure => return StoreError::Busy(Some(Box::new(error))),
        DatabaseErrorKind::ReadOnlyTransaction => {
            return StoreError::NotWritable { reason: message, source: Some(Box::new(error)) };
        }
        _ => {}
    }
    // The statement was stopped before the transaction was committed, so nothing was written.
    if says("canceling statement due to")
        || says("deadlock detected")
        || says("lock timeout")
        || says("could not obtain lock")
    {
        StoreError::Busy(Some(Box::new(error)))
    } else if says("No space left on device") || says("disk full") || says("could not extend file") {
        StoreError::Full { reason: message, source: Some(Box::new(error)) }
    } else if says("server closed the connection")
        || says("terminating connection")
        || says("the database system is")
        || says("too many clients")
        || says("remaining connection slots")
        || says("could not connect")
        || says("connection to server")
        || says("could not receive data")
        || says("no connection to the server")
        || says("SSL connection has been closed")
        || says("SSL SYSCALL")
    {
        StoreError::Unavailable { reason: message, source: Some(Box::new(error)) }
    } else {
        StoreError::Internal { reason: message, source: Some(Box::new(error)) }
    }
}
