//! The inbox's SQL: what the consumer writes, what people read, and what agents change.

pub(super) mod media;
pub(super) mod read;
pub(super) mod write;

pub(crate) use media::STATEMENTS as MEDIA;
pub(crate) use read::STATEMENTS as READING;
pub(crate) use write::STATEMENTS as WRITING;
