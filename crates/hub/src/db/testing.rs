//! Databases for tests: a fresh SQLite folder, or a fresh PostgreSQL database that is dropped afterwards.
//!
//! The server is named by `TRUNKLINE_TEST_DATABASE_URL` (default: PostgreSQL on 127.0.0.1:5432). Without one the
//! PostgreSQL cases say that they are skipped; under `CI=true` they fail instead.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Db, Set, Url, migrate, open, open_journal};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Which database a test case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite in a temporary folder.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A migrated pair of databases, hub and journal.
#[derive(Debug)]
pub struct TestDb {
    /// The hub's tables.
    pub hub: Db,
    /// The journal's tables.
    pub journal: Db,
    /// Its address, to open it again.
    pub url: Url,
    dir: tempfile::TempDir,
    postgres: Option<(String, String)>,
}

impl TestDb {
    /// A fresh, migrated pair; `None` when there is no PostgreSQL to test on.
    ///
    /// # Panics
    /// When the database cannot be made, or PostgreSQL is missing under `CI=true`.
    #[expect(clippy::expect_used, clippy::panic, reason = "a test without its database has failed")]
    #[expect(clippy::print_stderr, reason = "a test that is left out says so where its runner looks")]
    pub async fn new(engine: Engine) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (url, postgres) = match engine {
            Engine::Sqlite => (Url::Sqlite(dir.path().to_owned()), None),
            Engine::Postgres => {
                let server = server();
                let n = COUNT.fetch_add(1, Ordering::SeqCst);
                let name = format!("trunkline_test_{}_{n}", std::process::id());
                match create(&server, &name).await {
                    Ok(url) => (Url::Postgres(url), Some((server, name))),
                    Err(error) if is_ci() => panic!("PostgreSQL is needed under CI=true: {error}"),
                    Err(error) => {
                        eprintln!("skipped: no PostgreSQL at {server}: {error}");
                        return None;
                    }
                }
            }
        };
        let hub = open(&url).await.expect("the hub's database opens");
        let journal = open_journal(&url).await.expect("the journal's database opens");
        migrate(Set::Hub, &hub).await.expect("the hub's migrations run");
        migrate(Set::Journal, &journal).await.expect("the journal's migrations run");
        Some(Self { hub, journal, url, dir, postgres })
    }

    /// A folder of this test's own.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Closes the connections and drops the PostgreSQL database.
    pub async fn close(self) {
        self.hub.close().await;
        self.journal.close().await;
        if let Some((server, name)) = &self.postgres {
            drop_database(server, name).await;
        }
    }
}

/// Drops the databases of tests that died, so that a machine does not fill up.
async fn drop_database(server: &str, name: &str) {
    if let Ok(pool) = sqlx::PgPool::connect(server).await {
        let text = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        drop(sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&pool).await);
        pool.close().await;
    }
}

async fn create(server: &str, name: &str) -> Result<String, sqlx::Error> {
    let pool = sqlx::PgPool::connect(server).await?;
    let text = format!("CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&pool).await?;
    pool.close().await;
    let mut url = url::Url::parse(server).map_err(|error| sqlx::Error::Configuration(error.into()))?;
    url.set_path(name);
    Ok(url.into())
}

/// The test server's address.
#[expect(clippy::disallowed_methods, reason = "tests are configured by their environment")]
#[must_use]
pub fn server() -> String {
    std::env::var("TRUNKLINE_TEST_DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
}

/// Whether a missing service is a failure.
#[expect(clippy::disallowed_methods, reason = "tests are configured by their environment")]
#[must_use]
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
