//! Both databases have the same tables, columns, nullability, keys and indexes.

use std::collections::{BTreeMap, BTreeSet};

use hub::db::Db;
use hub::db::testing::TestDb;
use sqlx::{AssertSqlSafe, Row as _};
use testkit::Engine;

/// A table: its columns (name, kind, nullable), its keys (columns), its indexes (name, columns, unique, partial).
#[derive(Debug, PartialEq, Eq, Default)]
struct Table {
    columns: BTreeSet<(String, &'static str, bool)>,
    keys: BTreeSet<Vec<String>>,
    indexes: BTreeSet<(String, Vec<String>, bool, bool)>,
}

type Schema = BTreeMap<String, Table>;

#[tokio::test]
async fn both_schemas_are_equal() {
    let sqlite = TestDb::new(Engine::Sqlite).await.unwrap();
    let Some(postgres) = TestDb::new(Engine::Postgres).await else { return };
    let mut ours = of_sqlite(&sqlite.hub).await;
    ours.extend(of_sqlite(&sqlite.journal).await);
    let theirs = of_postgres(&postgres.hub).await;
    let names = |schema: &Schema| schema.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    for (name, table) in &ours {
        assert_eq!(table, &theirs[name], "table {name}");
    }
    sqlite.close().await;
    postgres.close().await;
}

#[tokio::test]
async fn every_reference_is_indexed_and_every_owned_table_names_its_tenant() {
    let db = TestDb::new(Engine::Sqlite).await.unwrap();
    let mut missing = Vec::new();
    for (name, table) in of_sqlite(&db.hub).await {
        let leads: BTreeSet<&String> = table
            .keys
            .iter()
            .chain(table.indexes.iter().map(|(_, columns, ..)| columns))
            .filter_map(|columns| columns.first())
            .collect();
        let owned = table.columns.iter().any(|(column, ..)| column == "account_id");
        let tenant = table.columns.iter().any(|(column, ..)| column == "tenant_id");
        if owned && !tenant && !WITHOUT_TENANT.iter().any(|(table, _)| *table == name) {
            missing.push(format!("{name} has account_id but no tenant_id"));
        }
        for (column, ..) in table.columns.iter().filter(|(column, ..)| REFERENCES.contains(&column.as_str()))
        {
            let excepted = NOT_INDEXED.iter().any(|(place, _)| *place == format!("{name}.{column}"));
            if !leads.contains(column) && !excepted {
                missing.push(format!("{name}.{column} has no index"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    db.close().await;
}

/// What rows are looked for by.
const REFERENCES: [&str; 4] = ["tenant_id", "account_id", "conversation_id", "user_id"];
/// Tables that name an account but no tenant, and why.
const WITHOUT_TENANT: [(&str, &str); 3] = [
    ("parked_events", "the journal is an engine; it knows accounts by their id only"),
    ("account_grants", "a user's; the user has the tenant"),
    ("unsent_messages", "only ids of messages that are gone, looked up by account and message"),
];
/// References without an index, and why.
const NOT_INDEXED: [(&str, &str); 4] = [
    ("messages.tenant_id", "reached by their conversation; one more index would cost every message"),
    ("media.tenant_id", "reached by their message"),
    ("media.account_id", "reached by their message"),
    ("attachments.account_id", "reached by their key"),
];

async fn of_sqlite(db: &Db) -> Schema {
    let Db::Sqlite { read, .. } = db else { panic!("SQLite") };
    let rows = async |text: String| sqlx::query(AssertSqlSafe(text)).fetch_all(read).await.unwrap();
    let mut schema = Schema::new();
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'".to_owned();
    for row in rows(tables).await {
        let name: String = row.get(0);
        if name.ends_with("_migrations") {
            continue;
        }
        let mut table = Table::default();
        let mut primary = Vec::new();
        for column in rows(format!("PRAGMA table_info({name})")).await {
            let (column_name, kind): (String, String) = (column.get("name"), column.get("type"));
            let place: i64 = column.get("pk");
            if place > 0 {
                primary.push((place, column_name.clone()));
            }
            let nullable = column.get::<i64, _>("notnull") == 0 && place == 0;
            let kind = match kind.as_str() {
                "TEXT" => "text",
                "INTEGER" => "number",
                "BLOB" => "bytes",
                other => panic!("{name}.{column_name} has the type {other}"),
            };
            table.columns.insert((column_name, kind, nullable));
        }
        primary.sort();
        table.keys.insert(primary.into_iter().map(|(_, column)| column).collect());
        for index in rows(format!("PRAGMA index_list({name})")).await {
            let (index_name, origin): (String, String) = (index.get("name"), index.get("origin"));
            let columns = rows(format!("PRAGMA index_info({index_name})")).await;
            let columns =
                columns.iter().map(|row| row.get::<Option<String>, _>("name").unwrap_or("(…)".to_owned()));
            let columns: Vec<String> = columns.collect();
            if origin == "c" {
                let (unique, partial): (i64, i64) = (index.get("unique"), index.get("partial"));
                table.indexes.insert((index_name, columns, unique == 1, partial == 1));
            } else {
                table.keys.insert(columns);
            }
        }
        schema.insert(name, table);
    }
    schema
}

async fn of_postgres(db: &Db) -> Schema {
    let Db::Postgres(pool) = db else { panic!("PostgreSQL") };
    let mut schema = Schema::new();
    let columns = sqlx::query(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES'
         FROM information_schema.columns WHERE table_schema = 'public'",
    );
    for row in columns.fetch_all(pool).await.unwrap() {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        if table.ends_with("_migrations") {
            continue;
        }
        let kind = match kind.as_str() {
            "text" => "text",
            "bigint" | "integer" | "boolean" => "number",
            "bytea" => "bytes",
            other => panic!("{table}.{column} has the type {other}"),
        };
        schema.entry(table).or_default().columns.insert((column, kind, row.get(3)));
    }
    let indexes = sqlx::query(
        "SELECT t.relname::text, i.relname::text, x.indisunique, x.indpred IS NOT NULL,
            EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conindid = x.indexrelid AND c.contype IN ('p', 'u')),
            ARRAY(SELECT COALESCE(a.attname::text, '(…)') FROM unnest(x.indkey::int[]) WITH ORDINALITY AS k (n, place)
                LEFT JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.n AND k.n > 0 ORDER BY k.place)
         FROM pg_index AS x JOIN pg_class AS t ON t.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid
         JOIN pg_namespace AS s ON s.oid = t.relnamespace WHERE s.nspname = 'public'",
    );
    for row in indexes.fetch_all(pool).await.unwrap() {
        let (table, name, columns): (String, String, Vec<String>) = (row.get(0), row.get(1), row.get(5));
        let Some(table) = schema.get_mut(&table) else { continue };
        if row.get(4) {
            table.keys.insert(columns);
        } else {
            table.indexes.insert((name, columns, row.get(2), row.get(3)));
        }
    }
    schema
}
