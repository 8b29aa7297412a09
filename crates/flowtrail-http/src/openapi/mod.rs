//! The API's description: OpenAPI 3.1, made from what each route declares beside its handler.

mod document;
mod example;
mod operation;
mod page;
mod parameters;
mod schemas;

pub use document::openapi;
pub(crate) use operation::{Answer, Asker, Operation};
pub(crate) use page::{ROUTES, configure};
pub(crate) use parameters::{FILTERS, PAGING, RANGE};

use serde_json::{Value, json};

/// The words that a field takes.
fn words<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> Value {
    let words: Vec<&str> = all.iter().map(|known| word(*known)).collect();
    json!({"type": "string", "enum": words})
}
