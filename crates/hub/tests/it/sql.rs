//! Every statement of `wiring`'s list prepares on both databases, against the migrated tables.

use hub::db::{Db, Set};
use hub::wiring;
use rstest::rstest;
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};
use testkit::Engine;

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn every_statement_prepares(#[case] engine: Engine) {
    let Some(databases) = hub::db::testing::TestDb::new(engine).await else { return };
    let mut refused = Vec::new();
    for (set, part, statements) in wiring::statements() {
        let db = if set == Set::Hub { &databases.hub } else { &databases.journal };
        for (name, sql) in statements {
            let prepared = match db {
                Db::Sqlite { write, .. } => {
                    write.prepare(AssertSqlSafe(sql.sqlite).into_sql_str()).await.map(|_| ())
                }
                Db::Postgres(pool) => {
                    pool.prepare(AssertSqlSafe(sql.postgres).into_sql_str()).await.map(|_| ())
                }
            };
            if let Err(error) = prepared {
                refused.push(format!("{part}::{name}: {error}"));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    databases.close().await;
}

#[test]
fn every_file_of_statements_is_listed() {
    let listed: usize = wiring::statements().iter().map(|(_, _, statements)| statements.len()).sum();
    let mut declared = 0;
    for (_, text) in crate::tidy::sources() {
        // A declaration stands at the beginning of a line, `    NAME = {`, within `statements! { … }`.
        let mut within = false;
        for line in text.lines() {
            within = match line {
                "statements! {" => true,
                "}" => false,
                _ => within,
            };
            let name = line
                .strip_prefix("    ")
                .and_then(|line| line.split_once(" = {"))
                .map_or("", |(name, _)| name);
            let is_name = !name.is_empty()
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            declared += usize::from(within && is_name);
        }
    }
    assert_eq!(listed, declared, "`wiring::statements` must list every `statements!`");
}
