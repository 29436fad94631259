//! Killed at any moment: short runs of `trunkline bench faults`; the long one is in `bench/README.md`.

use hub::db::Url;
use hub::db::testing::{Engine, TestDb};
use rstest::rstest;
use tokio::process::Command;

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn nothing_is_lost_or_doubled_when_the_hub_is_killed(#[case] engine: Engine) {
    let Some(db) = TestDb::new(engine).await else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(["bench", "faults", "--kills", "15", "--friends", "6"]);
    if let Url::Postgres(url) = &db.url {
        command.args(["--postgres", url]);
    }
    let run = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(told.contains("lost 0, doubled 0"), "{told}");
    db.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite, "8")]
#[case::postgres(Engine::Postgres, "2")]
#[tokio::test]
async fn the_relay_loses_and_alters_nothing_when_destinations_fail_and_the_hub_is_killed(
    #[case] engine: Engine,
    #[case] kills: &str,
) {
    let Some(db) = TestDb::new(engine).await else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(["bench", "faults", "--relay", "--kills", kills, "--friends", "6"]);
    if let Url::Postgres(url) = &db.url {
        command.args(["--postgres", url]);
    }
    let run = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(told.contains("| Away |"), "{told}");
    db.close().await;
}
