//! Tests of the crate from outside: webhooks, the validator, and both against LINE's schema.

#[cfg(test)]
mod samples;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod validate;
#[cfg(test)]
mod webhook;
