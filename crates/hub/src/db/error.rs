//! What can go wrong with a database, classified once.

use std::error::Error;

/// A fault of the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// It does not answer, is busy, full or shutting down: the same work may succeed later.
    #[error("database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// A unique key exists already; `constraint` is the database's name for it.
    #[error("value exists already ({constraint})")]
    Unique {
        /// The constraint or the columns, as the database names them.
        constraint: String,
    },
    /// A stored value that the hub cannot have written.
    #[error("inconsistent value in {table}.{column} of {id}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
    },
    /// Another statement was ahead: the row is no longer as it was read.
    #[error("row of {table} was changed by another")]
    Conflict {
        /// The table.
        table: &'static str,
    },
    /// The statement or its values are wrong: the same work fails again.
    #[error("database refused the statement")]
    Refused(#[source] sqlx::Error),
}

impl DbError {
    /// The task that writes has ended.
    #[must_use]
    pub const fn worker_gone() -> Self {
        Self::Unavailable(sqlx::Error::WorkerCrashed)
    }

    /// Whether waiting may help; such an error never parks an event and never fails a job for good.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Conflict { .. })
    }

    /// Whether a unique key was hit.
    #[must_use]
    pub const fn is_unique(&self) -> bool {
        matches!(self, Self::Unique { .. })
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Unavailable(error)
            }
            E::Database(fault) => {
                if fault.is_unique_violation() {
                    let constraint =
                        fault.constraint().map_or_else(|| fault.message().to_owned(), str::to_owned);
                    return Self::Unique { constraint };
                }
                if fault.code().is_some_and(|code| is_transient_code(&code)) {
                    Self::Unavailable(error)
                } else {
                    Self::Refused(error)
                }
            }
            _ => Self::Refused(error),
        }
    }
}

/// PostgreSQL: classes connection (08), rollback (40), resources (53), lock (55), operator (57), system (58).
/// SQLite: BUSY 5, LOCKED 6, NOMEM 7, INTERRUPT 9, IOERR 10, FULL 13, CANTOPEN 14, in the low byte of an extended code.
fn is_transient_code(code: &str) -> bool {
    // PostgreSQL's codes have five characters, SQLite's at most four.
    if code.len() == 5 {
        return ["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class));
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 7 | 9 | 10 | 13 | 14))
}

/// Logs a fault that is deliberately not handed on.
pub trait LogAndIgnore {
    /// Logs the error with `what` was being done, and drops it.
    fn log_and_ignore(self, what: &str);
}

impl<T, E: Error + 'static> LogAndIgnore for Result<T, E> {
    fn log_and_ignore(self, what: &str) {
        if let Err(error) = self {
            tracing::warn!(error = &error as &dyn Error, "{what} failed; going on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        for code in ["57P01", "08006", "53100", "40001", "5", "517", "13", "10", "778"] {
            assert!(is_transient_code(code), "{code}");
        }
        for code in ["23505", "42P01", "22021", "19", "2067", "1"] {
            assert!(!is_transient_code(code), "{code}");
        }
    }
}
