//! PostgreSQL's NOTIFY; SQLite has one process and needs none.

use sqlx::postgres::PgPool;

/// The channel of all nodes.
pub(super) const CHANNEL: &str = "trunkline_live";

/// Tells the payload (below 8,000 bytes) to every listening node, this one included.
pub(super) async fn notify(pool: &PgPool, payload: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(pool).await.map(|_| ())
}

/// How many connections to this database wait for notices.
#[cfg(test)]
pub(super) async fn listeners(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let text = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    sqlx::query_scalar(text).fetch_one(pool).await
}

/// Ends those connections from the server's side.
#[cfg(test)]
pub(super) async fn break_listeners(pool: &PgPool) -> Result<(), sqlx::Error> {
    let text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    sqlx::query(text).execute(pool).await.map(|_| ())
}
