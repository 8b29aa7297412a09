//! Requests to the outside: bounded, without surprises, and only to addresses that flows may call.

mod address;
mod client;
mod failure;
mod redirect;
mod resolver;

pub(crate) use address::{anywhere, public_only};
pub(crate) use client::{HttpClient, Received, Request, spoken};
pub(crate) use failure::HttpError;
pub(crate) use redirect::is_credential;

#[cfg(test)]
mod tests;
