//! Two databases, one text of SQL: SQLite (embedded, one writer, read pool) and PostgreSQL.
//!
//! Statements are constants of `repo.rs` files, written once with `$1…$n` by [`statements!`](crate::statements); the few that differ
//! carry both texts in one place. Reads go through [`Db`], writes through a [`Tx`] that the service opens and commits; the
//! journal alone appends by one call that is its own transaction.
//! No network call while a `Tx` is open.

mod durability;
mod error;
mod migrate;
mod open;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use sqlx::postgres::{PgPool, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Transaction};

pub use durability::Durability;
pub use error::{DbError, LogAndIgnore};
pub use migrate::{Set, migrate, pending};
pub use open::{Url, open, open_journal};

use crate::clock::Timestamp;

/// A result of the database.
pub type DbResult<T> = Result<T, DbError>;

/// One statement in the texts of both databases (mostly the same one).
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

/// Declares a slice's statements as constants and lists them in `STATEMENTS`, which a test prepares on both databases.
#[macro_export]
macro_rules! statements {
    (@sql { sqlite: $sqlite:expr, postgres: $postgres:expr $(,)? }) => {
        $crate::db::Sql { sqlite: $sqlite, postgres: $postgres }
    };
    (@sql { $same:expr }) => {
        $crate::db::Sql { sqlite: $same, postgres: $same }
    };
    ($($(#[$doc:meta])* $name:ident = { $($text:tt)+ };)*) => {
        $($(#[$doc])* const $name: $crate::db::Sql = $crate::statements!(@sql { $($text)+ });)*
        /// Every statement of this file, for the test that prepares them all.
        pub(crate) const STATEMENTS: &[(&str, $crate::db::Sql)] = &[$((stringify!($name), $name)),*];
    };
}

/// One bound value. `None` is a typed null, as PostgreSQL wants it.
#[derive(Debug, Clone)]
pub enum Arg {
    /// TEXT.
    Text(Option<String>),
    /// INTEGER / BIGINT.
    Int(Option<i64>),
    /// INTEGER 0 or 1 / BOOLEAN.
    Bool(Option<bool>),
    /// BLOB / BYTEA.
    Bytes(Option<Vec<u8>>),
}

macro_rules! arg_from {
    ($($from:ty => $variant:ident($convert:expr);)*) => {$(
        impl From<$from> for Arg {
            fn from(value: $from) -> Self {
                Self::$variant(Some(($convert)(value)))
            }
        }
        impl From<Option<$from>> for Arg {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )*};
}

arg_from! {
    &str => Text(str::to_owned);
    String => Text(|v| v);
    &String => Text(|v: &String| v.clone());
    i64 => Int(|v| v);
    i32 => Int(i64::from);
    u32 => Int(i64::from);
    bool => Bool(|v| v);
    Vec<u8> => Bytes(|v| v);
    &[u8] => Bytes(<[u8]>::to_vec);
    Timestamp => Int(Timestamp::millis);
}

/// The values of a statement, in order: `args![scope.tenant(), id, now]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Arg::from($value)),*] };
}

/// A type that a row of either database can become: derive `sqlx::FromRow`, or use a tuple.
pub trait Row: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}
impl<T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>> Row for T {}

/// The pools of one database.
#[derive(Debug, Clone)]
pub enum Db {
    /// SQLite: many readers, exactly one writer.
    Sqlite {
        /// Connections that cannot write.
        read: SqlitePool,
        /// The one connection that can.
        write: SqlitePool,
    },
    /// PostgreSQL.
    Postgres(PgPool),
}

/// An open transaction; rolled back when dropped without [`Tx::commit`].
#[derive(Debug)]
pub enum Tx {
    /// On SQLite's one writer, begun with `BEGIN IMMEDIATE`.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL, read committed.
    Postgres(Transaction<'static, Postgres>),
}

macro_rules! bound {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for arg in $args {
            query = match arg {
                Arg::Text(v) => query.bind(v),
                Arg::Int(v) => query.bind(v),
                Arg::Bool(v) => query.bind(v),
                Arg::Bytes(v) => query.bind(v),
            };
        }
        query
    }};
}

impl Db {
    /// Opens a transaction that may write.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn begin(&self) -> DbResult<Tx> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// All rows of a reading statement.
    ///
    /// # Errors
    /// Those of the database, or a row that does not fit `R`.
    pub async fn all<R: Row>(&self, sql: &Sql, args: Vec<Arg>) -> DbResult<Vec<R>> {
        Ok(match self {
            Self::Sqlite { read, .. } => {
                bound!(sqlx::query_as::<_, R>(sql.sqlite), args).fetch_all(read).await?
            }
            Self::Postgres(pool) => {
                bound!(sqlx::query_as::<_, R>(sql.postgres), args).fetch_all(pool).await?
            }
        })
    }

    /// The first row of a reading statement, if there is one.
    ///
    /// # Errors
    /// As [`Db::all`].
    pub async fn opt<R: Row>(&self, sql: &Sql, args: Vec<Arg>) -> DbResult<Option<R>> {
        Ok(match self {
            Self::Sqlite { read, .. } => {
                bound!(sqlx::query_as::<_, R>(sql.sqlite), args).fetch_optional(read).await?
            }
            Self::Postgres(pool) => {
                bound!(sqlx::query_as::<_, R>(sql.postgres), args).fetch_optional(pool).await?
            }
        })
    }

    /// All rows of a text put together at run time from fixed fragments (filters, batches); never from outside text.
    ///
    /// # Errors
    /// As [`Db::all`].
    pub async fn all_built<R: Row>(&self, text: String, args: Vec<Arg>) -> DbResult<Vec<R>> {
        Ok(match self {
            Self::Sqlite { read, .. } => {
                bound!(sqlx::query_as::<_, R>(AssertSqlSafe(text)), args).fetch_all(read).await?
            }
            Self::Postgres(pool) => {
                bound!(sqlx::query_as::<_, R>(AssertSqlSafe(text)), args).fetch_all(pool).await?
            }
        })
    }

    /// SQLite only: runs a text of several statements, `BEGIN IMMEDIATE` to `COMMIT`, in one trip to the writer's thread.
    /// Only the journal needs that: each trip waits for a turn on a busy machine. Not to be cancelled. The text is put
    /// together from fixed fragments, never from outside text.
    ///
    /// # Errors
    /// Those of the database; then nothing of it has happened, or (its thread gone) it is not known.
    pub async fn run_script(&self, text: String, args: Vec<Arg>) -> DbResult<()> {
        let Self::Sqlite { write, .. } = self else { return Err(DbError::worker_gone()) };
        let mut connection = write.acquire().await?;
        let result = bound!(sqlx::query(AssertSqlSafe(text)), args).execute(&mut *connection).await;
        if result.is_err() {
            // The transaction may still be open; SQLite takes it back when the connection ends.
            connection.close_on_drop();
        }
        result?;
        Ok(())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> DbResult<()> {
        const ONE: Sql = Sql { sqlite: "SELECT 1", postgres: "SELECT CAST(1 AS BIGINT)" };
        self.opt::<(i64,)>(&ONE, Vec::new()).await.map(|_| ())
    }

    /// Whether this is PostgreSQL; only `db` and statements that really differ ask.
    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// All rows of a statement.
    ///
    /// # Errors
    /// As [`Db::all`].
    pub async fn all<R: Row>(&mut self, sql: &Sql, args: Vec<Arg>) -> DbResult<Vec<R>> {
        Ok(match self {
            Self::Sqlite(tx) => bound!(sqlx::query_as::<_, R>(sql.sqlite), args).fetch_all(&mut **tx).await?,
            Self::Postgres(tx) => {
                bound!(sqlx::query_as::<_, R>(sql.postgres), args).fetch_all(&mut **tx).await?
            }
        })
    }

    /// The first row of a statement, if there is one.
    ///
    /// # Errors
    /// As [`Db::all`].
    pub async fn opt<R: Row>(&mut self, sql: &Sql, args: Vec<Arg>) -> DbResult<Option<R>> {
        Ok(match self {
            Self::Sqlite(tx) => {
                bound!(sqlx::query_as::<_, R>(sql.sqlite), args).fetch_optional(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                bound!(sqlx::query_as::<_, R>(sql.postgres), args).fetch_optional(&mut **tx).await?
            }
        })
    }

    /// Runs a statement; gives the number of rows it changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn run(&mut self, sql: &Sql, args: Vec<Arg>) -> DbResult<u64> {
        Ok(match self {
            Self::Sqlite(tx) => {
                bound!(sqlx::query(sql.sqlite), args).execute(&mut **tx).await?.rows_affected()
            }
            Self::Postgres(tx) => {
                bound!(sqlx::query(sql.postgres), args).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    /// Makes the work of this transaction last.
    ///
    /// # Errors
    /// Those of the database; then nothing of it has happened, or (connection lost) it is not known.
    pub async fn commit(self) -> DbResult<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}
