//! The keys' SQL on both databases, and what happens to them without a LINE.
