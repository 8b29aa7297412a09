//! Requests to the outside: bounded, without surprises, and only to addresses that flows may call.

mod address;
mod charset;
mod client;
mod content_coding;
mod failure;
mod opened;
mod redirect;
mod resolver;
mod retry_after;

pub(crate) use address::{anywhere, public_only};
pub(crate) use charset::{decoded_text, media_type, text_of};
pub use client::tls_config;
pub(crate) use client::{HttpClient, Request, spoken};
pub use content_coding::{ContentDecoder, ContentError};
pub(crate) use failure::HttpError;
pub(crate) use opened::{Opened, Received};
pub(crate) use redirect::is_credential;
pub(crate) use retry_after::retry_after;

#[cfg(test)]
mod tests;
