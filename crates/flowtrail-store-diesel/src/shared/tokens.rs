//! What stands for users for a while.

use diesel::dsl::exists;
use diesel::prelude::*;
use flowtrail_store::{KeyHash, StoreError, TokenStore};
use flowtrail_types::{FlowId, KeyId, Token, User, UserId};
use time::OffsetDateTime;

use super::audit;
use super::backend::{self, Db};
use super::principals::UserRow;
use super::schema::{api_keys, tokens, users};
use super::{DieselStore, corrupt};
use crate::columns::{At, Id};

#[derive(Queryable, Selectable)]
#[diesel(table_name = tokens, check_for_backend(Db))]
struct TokenRow {
    kind: String,
    user_id: Id,
    key_id: Option<Id>,
    flows: Option<String>,
    created_at: At,
    expires_at: At,
}

impl TryFrom<TokenRow> for Token {
    type Error = StoreError;

    fn try_from(row: TokenRow) -> Result<Self, StoreError> {
        // A token has no id that could be told; its user has.
        let user = row.user_id.0;
        let kind = row.kind.parse().map_err(|error| corrupt("tokens", "kind", user, format!("{error}")))?;
        let flows: Option<Vec<FlowId>> = row
            .flows
            .map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|error| corrupt("tokens", "flows", user, error))?;
        Ok(Self {
            kind,
            user_id: UserId::from_uuid(user),
            key_id: row.key_id.map(|id| KeyId::from_uuid(id.0)),
            flows: flows.map(Into::into),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        })
    }
}

impl TokenStore for DieselStore {
    fn lookup(&self, hash: &KeyHash) -> Result<Option<(Token, User)>, StoreError> {
        let row: Option<(TokenRow, UserRow)> = tokens::table
            .inner_join(users::table.on(users::id.eq(tokens::user_id)))
            .filter(tokens::hash.eq(&hash.0[..]))
            .filter(users::deleted_at.is_null())
            .select((TokenRow::as_select(), UserRow::as_select()))
            .first(&mut *self.reader()?)
            .optional()
            .map_err(backend::translate)?;
        row.map(|(token, user)| Ok((token.try_into()?, user.try_into()?))).transpose()
    }

    fn add(&self, token: &Token, hash: &KeyHash) -> Result<bool, StoreError> {
        let flows = token.flows.as_ref().map(|flows| {
            let ids: Vec<String> = flows.iter().map(|flow| format!("\"{flow}\"")).collect();
            format!("[{}]", ids.join(","))
        });
        let user = Id(*token.user_id.as_uuid());
        let key = token.key_id.map(|id| Id(*id.as_uuid()));
        self.write(|conn, _| {
            let living = users::table.find(user).filter(users::deleted_at.is_null());
            if !diesel::select(exists(living)).get_result::<bool>(conn)? {
                return Ok(false);
            }
            // Should it be revoked between this look and the insert, the reference refuses the insert.
            if let Some(key) = key
                && !diesel::select(exists(api_keys::table.find(key))).get_result::<bool>(conn)?
            {
                return Ok(false);
            }
            diesel::insert_into(tokens::table)
                .values((
                    tokens::hash.eq(&hash.0[..]),
                    tokens::kind.eq(token.kind.as_str()),
                    tokens::user_id.eq(user),
                    tokens::key_id.eq(key),
                    tokens::flows.eq(flows),
                    tokens::created_at.eq(At(token.created_at)),
                    tokens::expires_at.eq(At(token.expires_at)),
                ))
                .execute(conn)?;
            audit::note(conn)?;
            Ok(true)
        })
    }

    fn delete(&self, hash: &KeyHash) -> Result<bool, StoreError> {
        self.write_rules(|conn, _| {
            let is_deleted = diesel::delete(tokens::table.find(&hash.0[..])).execute(conn)? > 0;
            if is_deleted {
                audit::note(conn)?;
            }
            Ok(is_deleted)
        })
    }

    fn delete_expired(&self, before: OffsetDateTime) -> Result<usize, StoreError> {
        self.write(|conn, _| {
            Ok(diesel::delete(tokens::table.filter(tokens::expires_at.lt(At(before)))).execute(conn)?)
        })
    }
}
