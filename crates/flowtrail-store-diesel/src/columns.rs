//! One Rust type for a column, whatever the database keeps it as.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::pg::data_types::PgTimestamp;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, Timestamptz, Uuid as SqlUuid};
use diesel::sqlite::Sqlite;
use flowtrail_types::timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

/// An id: 16 bytes on SQLite, a `uuid` on PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
#[diesel(sql_type = SqlUuid)]
pub(crate) struct Id(pub(crate) Uuid);

impl ToSql<Binary, Sqlite> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(&self.0.as_bytes()[..]);
        Ok(IsNull::No)
    }
}

impl FromSql<Binary, Sqlite> for Id {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
        Ok(Self(Uuid::from_slice(&bytes)?))
    }
}

/// A time: microseconds since the Unix epoch on SQLite, a `timestamptz` on PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = BigInt)]
#[diesel(sql_type = Timestamptz)]
pub(crate) struct At(pub(crate) OffsetDateTime);

impl ToSql<BigInt, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(timestamp::unix_micros(self.0));
        Ok(IsNull::No)
    }
}

impl FromSql<BigInt, Sqlite> for At {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?;
        timestamp::from_unix_micros(micros).map(Self).ok_or_else(|| format!("{micros} is no time").into())
    }
}

impl ToSql<SqlUuid, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write;
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<SqlUuid, Pg> for Id {
    fn from_sql(value: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.as_bytes())?))
    }
}

/// PostgreSQL counts from the beginning of 2000.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl ToSql<Timestamptz, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let since = PgTimestamp(timestamp::unix_micros(self.0) - POSTGRES_EPOCH);
        ToSql::<Timestamptz, Pg>::to_sql(&since, &mut out.reborrow())
    }
}

impl FromSql<Timestamptz, Pg> for At {
    fn from_sql(value: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let PgTimestamp(since) = FromSql::<Timestamptz, Pg>::from_sql(value)?;
        let micros = since.saturating_add(POSTGRES_EPOCH);
        timestamp::from_unix_micros(micros).map(Self).ok_or_else(|| format!("{micros} is no time").into())
    }
}
