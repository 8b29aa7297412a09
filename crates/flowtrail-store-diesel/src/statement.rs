//! Statements that a connection keeps prepared.
//!
//! Diesel prepares typed inserts and selects once, but every update and every upsert anew. Those that are sent
//! for each execution are written out here instead: the text is fixed, values are bound.

/// Declares a statement with bound values. `[field: SqlType]` binds a field where it stands.
macro_rules! statement {
    (
        $(#[$meta:meta])*
        $name:ident<$life:lifetime> { $($field:ident: $type:ty),* $(,)? }
        $($text:literal $([$bound:ident $(. $part:ident)?: $sql:ty])?),* $(,)?
    ) => {
        $(#[$meta])*
        struct $name<$life> {
            $($field: $type,)*
            _borrowed: std::marker::PhantomData<&$life ()>,
        }

        impl diesel::query_builder::QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::QueryFragment<Db> for $name<'_> {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, Db>,
            ) -> diesel::QueryResult<()> {
                $(
                    out.push_sql($text);
                    $(out.push_bind_param::<$sql, _>(&self.$bound $(. $part)?)?;)?
                )*
                Ok(())
            }
        }

        impl diesel::RunQueryDsl<Conn> for $name<'_> {}
    };
}
