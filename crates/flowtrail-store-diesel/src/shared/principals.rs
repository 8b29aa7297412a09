//! Users and their keys.

use diesel::prelude::*;
use diesel::upsert::excluded;
use flowtrail_store::{KeyHash, KeyStore, RecognisedKey, StoreError, UserStore};
use flowtrail_types::{ApiKey, KeyId, Role, User, UserId};
use time::OffsetDateTime;

use super::audit;
use super::backend::{self, Db};
use super::damage::only_sound;
use super::schema::{api_keys, tokens, users};
use super::{DieselStore, corrupt};
use crate::columns::{At, Id};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Db))]
pub(super) struct UserRow {
    id: Id,
    name: String,
    role: String,
    created_at: At,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let role: Role =
            row.role.parse().map_err(|error| corrupt("users", "role", row.id.0, format!("{error}")))?;
        Ok(Self {
            id: UserId::from_uuid(row.id.0),
            name: backend::from_text(row.name),
            role,
            created_at: row.created_at.0,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys, check_for_backend(Db))]
struct KeyRow {
    id: Id,
    name: String,
    user_id: Id,
    prefix: String,
    created_at: At,
    last_used_at: Option<At>,
    expires_at: Option<At>,
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        Self {
            id: KeyId::from_uuid(row.id.0),
            name: backend::from_text(row.name),
            user_id: UserId::from_uuid(row.user_id.0),
            prefix: row.prefix,
            created_at: row.created_at.0,
            last_used_at: row.last_used_at.map(|at| at.0),
            expires_at: row.expires_at.map(|at| at.0),
        }
    }
}

impl UserStore for DieselStore {
    fn lookup(&self, id: UserId) -> Result<Option<User>, StoreError> {
        users::table
            .find(Id(*id.as_uuid()))
            .filter(users::deleted_at.is_null())
            .select(UserRow::as_select())
            .first(&mut *self.reader()?)
            .optional()
            .map_err(backend::translate)?
            .map(User::try_from)
            .transpose()
    }

    fn lookup_named(&self, name: &str) -> Result<Option<User>, StoreError> {
        users::table
            .filter(users::name.eq(backend::text(name).into_owned()))
            .filter(users::deleted_at.is_null())
            .order((users::created_at, users::id))
            .select(UserRow::as_select())
            .first(&mut *self.reader()?)
            .optional()
            .map_err(backend::translate)?
            .map(User::try_from)
            .transpose()
    }

    fn list(&self) -> Result<Vec<User>, StoreError> {
        let rows: Vec<UserRow> = users::table
            .filter(users::deleted_at.is_null())
            .order((users::name, users::id))
            .select(UserRow::as_select())
            .load(&mut *self.reader()?)
            .map_err(backend::translate)?;
        only_sound(rows.into_iter().map(User::try_from))
    }

    fn add(&self, user: &User) -> Result<(), StoreError> {
        self.write_rules(|conn, _| {
            diesel::insert_into(users::table)
                .values((
                    users::id.eq(Id(*user.id.as_uuid())),
                    users::name.eq(backend::text(&user.name).into_owned()),
                    users::role.eq(user.role.as_str()),
                    users::created_at.eq(At(user.created_at)),
                ))
                .on_conflict(users::id)
                .do_nothing()
                .execute(conn)?;
            audit::note(conn)?;
            Ok(())
        })
    }

    fn remember(&self, id: UserId, name: &str, at: OffsetDateTime) -> Result<(), StoreError> {
        self.write_rules(|conn, _| {
            diesel::insert_into(users::table)
                .values((
                    users::id.eq(Id(*id.as_uuid())),
                    users::name.eq(backend::text(name).into_owned()),
                    users::role.eq(Role::User.as_str()),
                    users::created_at.eq(At(at)),
                    users::deleted_at.eq(At(at)),
                ))
                .on_conflict(users::id)
                .do_nothing()
                .execute(conn)?;
            Ok(())
        })
    }

    fn delete(&self, id: UserId, at: OffsetDateTime) -> Result<bool, StoreError> {
        let id = Id(*id.as_uuid());
        self.write_rules(|conn, _| {
            let deleted = diesel::update(users::table.find(id).filter(users::deleted_at.is_null()))
                .set(users::deleted_at.eq(At(at)))
                .execute(conn)?;
            diesel::delete(api_keys::table.filter(api_keys::user_id.eq(id))).execute(conn)?;
            diesel::delete(tokens::table.filter(tokens::user_id.eq(id))).execute(conn)?;
            if deleted > 0 {
                audit::note(conn)?;
            }
            Ok(deleted > 0)
        })
    }
}

impl KeyStore for DieselStore {
    fn lookup(&self, hash: &KeyHash) -> Result<Option<RecognisedKey>, StoreError> {
        let row: Option<(KeyRow, UserRow)> = api_keys::table
            .inner_join(users::table.on(users::id.eq(api_keys::user_id)))
            .filter(api_keys::hash.eq(&hash.0[..]))
            .filter(users::deleted_at.is_null())
            .select((KeyRow::as_select(), UserRow::as_select()))
            .first(&mut *self.reader()?)
            .optional()
            .map_err(backend::translate)?;
        row.map(|(key, user)| Ok(RecognisedKey { key: key.into(), user: user.try_into()? })).transpose()
    }

    fn list(&self, user: Option<UserId>) -> Result<Vec<ApiKey>, StoreError> {
        let mut query = api_keys::table
            .order((api_keys::created_at, api_keys::id))
            .select(KeyRow::as_select())
            .into_boxed::<Db>();
        if let Some(user) = user {
            query = query.filter(api_keys::user_id.eq(Id(*user.as_uuid())));
        }
        let rows: Vec<KeyRow> = query.load(&mut *self.reader()?).map_err(backend::translate)?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    fn add(&self, key: &ApiKey, hash: &KeyHash) -> Result<(), StoreError> {
        self.write_rules(|conn, _| {
            diesel::insert_into(api_keys::table)
                .values((
                    api_keys::id.eq(Id(*key.id.as_uuid())),
                    api_keys::name.eq(backend::text(&key.name).into_owned()),
                    api_keys::user_id.eq(Id(*key.user_id.as_uuid())),
                    api_keys::prefix.eq(&key.prefix),
                    api_keys::hash.eq(&hash.0[..]),
                    api_keys::created_at.eq(At(key.created_at)),
                    api_keys::last_used_at.eq(key.last_used_at.map(At)),
                    api_keys::expires_at.eq(key.expires_at.map(At)),
                ))
                .on_conflict(api_keys::id)
                .do_update()
                .set((
                    api_keys::name.eq(excluded(api_keys::name)),
                    api_keys::prefix.eq(excluded(api_keys::prefix)),
                    api_keys::hash.eq(excluded(api_keys::hash)),
                    api_keys::expires_at.eq(excluded(api_keys::expires_at)),
                ))
                .execute(conn)?;
            audit::note(conn)?;
            Ok(())
        })
    }

    fn revoke(&self, id: KeyId) -> Result<bool, StoreError> {
        let id = Id(*id.as_uuid());
        // Its tokens go with it.
        self.write_rules(|conn, _| {
            let is_revoked = diesel::delete(api_keys::table.find(id)).execute(conn)? > 0;
            if is_revoked {
                audit::note(conn)?;
            }
            Ok(is_revoked)
        })
    }

    fn touch(&self, id: KeyId, at: OffsetDateTime) -> Result<(), StoreError> {
        self.write(|conn, _| {
            diesel::update(api_keys::table.find(Id(*id.as_uuid())))
                .set(api_keys::last_used_at.eq(At(at)))
                .execute(conn)?;
            Ok(())
        })
    }
}
