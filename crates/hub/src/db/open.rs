//! Opening the pools.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _};

use super::{Db, DbResult};

/// How long a connection to PostgreSQL may lie idle and is still used unasked.
const TRUSTED: Duration = Duration::from_secs(1);

/// Where the data is: a folder of SQLite files, or a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Url {
    /// The folder that holds `hub.db` and `journal.db`.
    Sqlite(PathBuf),
    /// `postgres://…`.
    Postgres(String),
}

impl Url {
    /// Reads a database URL: empty means SQLite in `data_dir`; `sqlite:DIR` or `postgres://…`.
    ///
    /// # Errors
    /// An unknown scheme is refused: a typing error must not make an empty database.
    pub fn parse(text: &str, data_dir: &Path) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::Sqlite(data_dir.to_owned()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        if let Some(dir) = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            return Ok(Self::Sqlite(PathBuf::from(dir)));
        }
        Err("unknown database URL: use postgres://… or sqlite:FOLDER, or leave it out for SQLite in the data folder".to_owned())
    }
}

/// Opens the hub's database, making it where it is missing.
///
/// # Errors
/// The file or the server cannot be opened.
pub async fn open(url: &Url) -> DbResult<Db> {
    match url {
        Url::Sqlite(dir) => sqlite(&dir.join("hub.db"), 1000, 512).await,
        Url::Postgres(url) => postgres(url, 16, false).await,
    }
}

/// Opens the journal's database: a file of its own on SQLite, a small pool of its own on PostgreSQL.
///
/// # Errors
/// As [`open`].
pub async fn open_journal(url: &Url) -> DbResult<Db> {
    match url {
        // Checkpointing every 20,000 pages instead of 1,000 is a quarter faster for an append-only file.
        // Its appends are statements of many rows, each number of rows its own: only the usual ones stay prepared.
        Url::Sqlite(dir) => sqlite(&dir.join("journal.db"), 8000, 64).await,
        Url::Postgres(url) => postgres(url, 4, true).await,
    }
}

async fn sqlite(path: &Path, checkpoint_pages: u32, statements: usize) -> DbResult<Db> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(statements)
        .pragma("wal_autocheckpoint", checkpoint_pages.to_string());
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        // A full disk makes SQLite end the transaction by itself; sqlx still counts it as open then, and would refuse
        // every later one on this connection. A fresh connection goes on.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .connect_with(options.clone())
        .await?;
    let read = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(4)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
        .await?;
    Ok(Db::Sqlite { read, write })
}

async fn postgres(url: &str, connections: u32, in_order: bool) -> DbResult<Db> {
    let mut options =
        PgConnectOptions::from_str(url)?.application_name("trunkline").statement_cache_capacity(512);
    // Within one machine TLS protects nothing. Its 16 KiB records are written one by one, and as sqlx leaves Nagle's
    // algorithm on, a large statement would wait 40 ms for the server's delayed acknowledgement.
    let is_here = matches!(options.get_host(), "localhost" | "127.0.0.1" | "::1" | "[::1]");
    if is_here && !url.contains("sslmode") {
        options = options.ssl_mode(PgSslMode::Disable);
    }
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        // The journal is read by its order alone. Before the server has counted a table it takes the part between two places
        // for a few rows, and would sort all that stands there for every piece.
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if in_order {
                    connection.execute("SET plan_cache_mode = force_generic_plan").await?;
                }
                Ok(())
            })
        })
        // A connection in steady use is not asked whether it lives: the question is a trip to the server, as long as most
        // statements are.
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for >= TRUSTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await?;
    Ok(Db::Postgres(pool))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scheme_is_refused() {
        let dir = Path::new("/data");
        assert_eq!(Url::parse("", dir), Ok(Url::Sqlite("/data".into())));
        assert_eq!(Url::parse("sqlite:/x", dir), Ok(Url::Sqlite("/x".into())));
        assert!(Url::parse("postgres://localhost/x", dir).is_ok());
        assert!(Url::parse("postgre://localhost/x", dir).is_err());
        assert!(Url::parse("mysql://localhost/x", dir).is_err());
    }
}
