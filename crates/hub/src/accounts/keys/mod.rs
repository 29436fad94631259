//! Signing keys: RSA key pairs by which a channel issues its own tokens in place of its secret.
//!
//! Owns `signing_keys`. Promises: the private part never leaves the hub and is sealed at rest; a key becomes active only
//! after LINE issued a token by it; a channel has one active key at a time, and the one before it stays usable until the
//! next one has worked. The tokens of an account whose channel has an active key are issued by it.

pub mod api;
mod model;
pub(super) mod pages;
pub(super) mod repo;
pub mod service;
#[cfg(test)]
mod tests;

pub(super) use model::refusal;
pub use model::{KeyState, SigningKey};
pub(crate) use repo::STATEMENTS;
