//! Migrations: forward only, one folder per set and engine with the same file names; an applied file is never edited.

use std::borrow::Cow;

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::{Db, DbError, DbResult};

/// Which tables: the hub's, or the journal's (a file of its own on SQLite; on PostgreSQL a version table of its own).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Everything but the journal.
    Hub,
    /// The journal.
    Journal,
}

fn migrator(set: Set, db: &Db) -> Migrator {
    let mut migrator = match (set, db) {
        (Set::Hub, Db::Sqlite { .. }) => sqlx::migrate!("migrations/hub/sqlite"),
        (Set::Hub, Db::Postgres(_)) => sqlx::migrate!("migrations/hub/postgres"),
        (Set::Journal, Db::Sqlite { .. }) => sqlx::migrate!("migrations/journal/sqlite"),
        (Set::Journal, Db::Postgres(_)) => sqlx::migrate!("migrations/journal/postgres"),
    };
    migrator.table_name = Cow::Borrowed(match set {
        Set::Hub => "hub_migrations",
        Set::Journal => "journal_migrations",
    });
    migrator
}

/// Brings the tables of `set` to the newest version; does nothing when they are there.
///
/// # Errors
/// The database does not answer, was made by a newer binary, or holds an edited migration.
pub async fn migrate(set: Set, db: &Db) -> DbResult<()> {
    let migrator = migrator(set, db);
    match db {
        Db::Sqlite { write, .. } => migrator.run(write).await,
        Db::Postgres(pool) => migrator.run(pool).await,
    }
    .map_err(fault)
}

/// How many migrations of `set` are still to be run.
///
/// # Errors
/// The database does not answer.
pub async fn pending(set: Set, db: &Db) -> DbResult<usize> {
    let migrator = migrator(set, db);
    let applied = match db {
        Db::Sqlite { write, .. } => {
            let mut connection = write.acquire().await?;
            connection.ensure_migrations_table(&migrator.table_name).await.map_err(fault)?;
            connection.list_applied_migrations(&migrator.table_name).await.map_err(fault)?.len()
        }
        Db::Postgres(pool) => {
            let mut connection = pool.acquire().await?;
            connection.ensure_migrations_table(&migrator.table_name).await.map_err(fault)?;
            connection.list_applied_migrations(&migrator.table_name).await.map_err(fault)?.len()
        }
    };
    Ok(migrator.iter().count().saturating_sub(applied))
}

fn fault(error: MigrateError) -> DbError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => DbError::from(error),
        other => DbError::Refused(sqlx::Error::Migrate(Box::new(other))),
    }
}
