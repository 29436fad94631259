//! The inbox's SQL: what the consumer writes, what people read, and what agents change.

pub(super) mod media;
pub(super) mod read;
pub(super) mod write;

/// Every statement of the inbox, for the test that prepares them all.
pub(crate) fn statements() -> Vec<(&'static str, crate::db::Sql)> {
    [media::STATEMENTS, read::STATEMENTS, write::STATEMENTS].concat()
}
