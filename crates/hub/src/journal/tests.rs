//! The journal on both databases.

use bytes::Bytes;
use rstest::rstest;

use super::*;
use crate::clock::{Entropy, Timestamp};
use crate::db::testing::{Engine, TestDb};
use crate::ids::Id;

fn request(account: &AccountId, ids: &[&str]) -> NewRequest {
    let mut body = String::from("{\"events\":[");
    let mut events = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        if n > 0 {
            body.push(',');
        }
        let text = format!("{{\"n\":{n},\"id\":\"{id}\"}}");
        events.push(NewEvent {
            start: body.len(),
            len: text.len(),
            webhook_event_id: (!id.is_empty()).then(|| (*id).to_owned()),
            kind: "message".to_owned(),
            redelivered: false,
            event_at: Timestamp(1_000),
        });
        body.push_str(&text);
    }
    body.push_str("]}");
    NewRequest {
        account_id: account.clone(),
        body: Bytes::from(body),
        signature: "sig".to_owned(),
        received_at: Timestamp(2_000),
        events,
    }
}

fn account(seed: u64) -> AccountId {
    AccountId::new(Timestamp(1), &Entropy::seeded(seed))
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn events_are_kept_once_and_in_order(#[case] engine: Engine) {
    let Some(test) = TestDb::new(engine).await else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    let (a, b) = (account(1), account(2));
    journal.append(request(&a, &["e1", "e2", "e1"])).await.unwrap();
    journal.append(request(&a, &["e2", "e3"])).await.unwrap();
    journal.append(request(&b, &["e1"])).await.unwrap();
    journal.append(request(&a, &["e1", "e3"])).await.unwrap();
    journal.append(request(&a, &[])).await.unwrap();
    let entries = journal.read(0, 100).await.unwrap();
    let seen: Vec<_> = entries.iter().map(|e| (e.account_id.as_str(), e.dedupe_key.as_str())).collect();
    assert_eq!(seen, [(a.as_str(), "e1"), (a.as_str(), "e2"), (a.as_str(), "e3"), (b.as_str(), "e1")]);
    assert_eq!(entries[2].raw.as_deref(), Some(&b"{\"n\":1,\"id\":\"e3\"}"[..]));
    assert_eq!(event_position(&entries[2].id()), Some(entries[2].position));
    assert_eq!(journal.lag(entries[0].position).await.unwrap().get(a.as_str()), Some(&2));
    assert_eq!(journal.epoch(), 7);
    // A second opening finds the journal's own epoch.
    assert_eq!(Journal::open(test.journal.clone(), 8).await.unwrap().epoch(), 7);
    // An event without an id is kept under its request's bytes and its place; the same bytes again add nothing.
    journal.append(request(&a, &["", "x"])).await.unwrap();
    journal.append(request(&a, &["", "x"])).await.unwrap();
    assert_eq!(journal.read(entries[3].position, 100).await.unwrap().len(), 2);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn blanking_keeps_the_neighbours(#[case] engine: Engine) {
    let Some(test) = TestDb::new(engine).await else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    journal.append(request(&account(1), &["e1", "e2"])).await.unwrap();
    let entries = journal.read(0, 100).await.unwrap();
    journal.blank(entries[0].position).await.unwrap();
    let after = journal.read(0, 100).await.unwrap();
    assert_eq!(after[0].raw, None);
    assert_eq!(after[1].raw, entries[1].raw);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn pruning_stops_at_the_slowest_cursor(#[case] engine: Engine) {
    let Some(test) = TestDb::new(engine).await else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    for id in ["e1", "e2", "e3"] {
        journal.append(request(&account(1), &[id])).await.unwrap();
    }
    let entries = journal.read(0, 100).await.unwrap();
    let gone = journal.prune(Timestamp(9_000), Timestamp(0), entries[1].position, 100).await.unwrap();
    assert_eq!(gone, 2);
    let after = journal.read(0, 100).await.unwrap();
    assert_eq!(after.iter().map(|e| e.raw.is_some()).collect::<Vec<_>>(), [false, false, true]);
    // The dedupe keys outlive the bytes.
    journal.append(request(&account(1), &["e1"])).await.unwrap();
    assert_eq!(journal.read(0, 100).await.unwrap().len(), 3);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn concurrent_appends_are_all_kept(#[case] engine: Engine) {
    let Some(test) = TestDb::new(engine).await else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    let tasks: Vec<_> = (0..300)
        .map(|n| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(request(&account(1), &[&format!("e{n}")])).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(journal.read(0, 1000).await.unwrap().len(), 300);
    test.close().await;
}
