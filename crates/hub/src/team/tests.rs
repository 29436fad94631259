//! The team, on both databases and over HTTP.
