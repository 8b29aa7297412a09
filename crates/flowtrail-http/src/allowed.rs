//! What the caller may do with something, told beside it to who asks.

use serde::Serialize;

/// Something, and what the caller may do with it.
#[derive(Serialize)]
pub(crate) struct Told<'a, T: Serialize> {
    #[serde(flatten)]
    pub(crate) of: &'a T,
    /// By the names on the wire; nothing when nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed: Option<Vec<&'static str>>,
}
