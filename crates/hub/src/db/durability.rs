//! Whether the database keeps what it said it has kept.

use super::{Db, DbResult, Sql};

/// The settings on which a commit's promise rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// Each setting's name and value as the database says it.
    pub settings: Vec<(&'static str, String)>,
    /// The first one by which a crash could lose what was committed.
    pub weak: Option<(&'static str, String)>,
}

const SQLITE: Sql = Sql {
    sqlite: "SELECT CAST(s.synchronous AS TEXT), CAST(j.journal_mode AS TEXT), '' FROM pragma_synchronous AS s, pragma_journal_mode AS j",
    postgres: "SELECT '', '', ''",
};
const POSTGRES: Sql = Sql {
    sqlite: "SELECT '', '', ''",
    postgres: "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')",
};

impl Db {
    /// Asks the database by which settings it keeps a commit. On SQLite these are those of the connection that writes.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn durability(&self) -> DbResult<Durability> {
        let statement = if self.is_postgres() { &POSTGRES } else { &SQLITE };
        let mut tx = self.begin().await?;
        let found: Option<(String, String, String)> = tx.opt(statement, Vec::new()).await?;
        drop(tx);
        Ok(judge(self.is_postgres(), found.unwrap_or_default()))
    }
}

fn judge(is_postgres: bool, (first, second, third): (String, String, String)) -> Durability {
    let settings = if is_postgres {
        vec![("fsync", first), ("synchronous_commit", second), ("full_page_writes", third)]
    } else {
        vec![("synchronous", first), ("journal_mode", second)]
    };
    let holds = |name: &str, value: &str| match name {
        // 2 is FULL, 3 EXTRA (SQLite, PRAGMA synchronous).
        "synchronous" => matches!(value, "2" | "3"),
        "journal_mode" => matches!(value, "wal" | "delete" | "truncate" | "persist"),
        // The hub sets `synchronous_commit` itself where it matters most, but what a server says for all counts too.
        "synchronous_commit" => matches!(value, "on" | "remote_write" | "remote_apply" | "local"),
        _ => value == "on",
    };
    let weak = settings.iter().find(|(name, value)| !holds(name, value)).cloned();
    Durability { settings, weak }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::db::testing::{Engine, TestDb};

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn a_database_says_how_it_keeps(#[case] engine: Engine) {
        let Some(db) = TestDb::new(engine).await else { return };
        let durability = db.hub.durability().await.unwrap();
        assert!(durability.settings.iter().all(|(_, value)| !value.is_empty()), "{durability:?}");
        if engine == Engine::Sqlite {
            assert_eq!(durability.weak, None, "{durability:?}");
        }
        db.close().await;
    }

    #[test]
    fn a_setting_that_loses_is_named() {
        let text = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(judge(false, text("1", "wal", "")).weak, Some(("synchronous", "1".to_owned())));
        assert_eq!(judge(false, text("2", "memory", "")).weak, Some(("journal_mode", "memory".to_owned())));
        assert_eq!(judge(true, text("on", "off", "on")).weak, Some(("synchronous_commit", "off".to_owned())));
        assert_eq!(judge(true, text("off", "on", "on")).weak, Some(("fsync", "off".to_owned())));
        assert_eq!(judge(true, text("on", "on", "on")).weak, None);
    }
}
