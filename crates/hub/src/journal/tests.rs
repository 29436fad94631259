//! The journal on both databases.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rstest::rstest;

use super::*;
use crate::clock::{Entropy, TestClock, Timestamp};
use crate::db::testing::{Engine, TestDb};
use crate::db::{DbError, Sql, Tx};
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
    // Requests that brought nothing new have left no bytes: the fourth, the empty one, and the last.
    const COUNT: &str = "SELECT COUNT(*) FROM journal_requests";
    let count: Option<(i64,)> =
        test.journal.opt(&Sql { sqlite: COUNT, postgres: COUNT }, Vec::new()).await.unwrap();
    assert_eq!(count, Some((4,)));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_request_of_many_events_is_kept_whole(#[case] engine: Engine) {
    // More events than SQLite takes values in one statement.
    let Some(test) = TestDb::new(engine).await else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    let ids: Vec<String> = (0..7_000).map(|n| format!("e{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    journal.append(request(&account(1), &ids)).await.unwrap();
    journal.append(request(&account(1), &["e6999", "last"])).await.unwrap();
    let keys: Vec<_> = journal.read(6_990, 100).await.unwrap().into_iter().map(|e| e.dedupe_key).collect();
    assert_eq!(keys.first().map(String::as_str), Some("e6990"));
    assert_eq!(keys.last().map(String::as_str), Some("last"));
    assert_eq!(journal.count().await.unwrap(), 7_001);
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
    let gone =
        journal.prune(Timestamp(9_000), Timestamp(0), (entries[1].position, i64::MAX), 100).await.unwrap();
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

fn holder(node: &str, now: i64) -> cursors::Claim<'_> {
    cursors::Claim { node, epoch: 7, now: Timestamp(now), lease: Duration::from_secs(10), steal: false }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_cursor_moves_only_for_its_newest_holder_and_from_where_it_stands(#[case] engine: Engine) {
    let Some(test) = TestDb::new(engine).await else { return };
    let advance = async |cursor: &cursors::Cursor, to: i64| {
        let mut tx = test.hub.begin().await.unwrap();
        let lease = Duration::from_secs(10);
        let moved = cursors::advance(&mut tx, "inbox", cursor, to, Timestamp(30_000), lease).await;
        if moved.is_ok() {
            tx.commit().await.unwrap();
        }
        moved
    };
    let first = cursors::claim(&test.hub, "inbox", &holder("a", 1)).await.unwrap().unwrap();
    assert_eq!(cursors::claim(&test.hub, "inbox", &holder("b", 5_000)).await.unwrap(), None);
    let second = cursors::claim(&test.hub, "inbox", &holder("b", 20_000)).await.unwrap().unwrap();
    assert!(second.fence > first.fence);
    // The late holder's work is rolled back; the new one's counts, once.
    assert!(matches!(advance(&first, 5).await, Err(DbError::Conflict { .. })));
    assert_eq!(advance(&second, 5).await.unwrap().position, 5);
    assert!(matches!(advance(&second, 9).await, Err(DbError::Conflict { .. })));
    assert_eq!(cursors::positions(&test.hub).await.unwrap(), [("inbox".to_owned(), 5)]);
    test.close().await;
}

/// Counts what it is given.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl consumer::Consumer for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn handle<'a>(
        &'a self,
        _tx: &'a mut Tx,
        _entry: &'a Entry,
    ) -> BoxFuture<'a, Result<(), consumer::EventError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }

    fn settled(&self, _committed: bool) {}
}

fn reader(test: &TestDb, journal: &Journal) -> consumer::Reader {
    let clock = Arc::new(TestClock::at(Timestamp(60_000)));
    consumer::Reader { journal: journal.clone(), db: test.hub.clone(), clock, node: "a".to_owned() }
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_cursor_of_another_journal_stops_the_consumer(#[case] engine: Engine) {
    let (Some(test), Some(other)) = (TestDb::new(engine).await, TestDb::new(engine).await) else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    let exchanged = Journal::open(other.journal.clone(), 8).await.unwrap();
    journal.append(request(&account(1), &["e1", "e2"])).await.unwrap();
    for id in ["x1", "x2", "x3"] {
        exchanged.append(request(&account(1), &[id])).await.unwrap();
    }
    let counting = Counting::default();
    assert_eq!(consumer::drain(&reader(&test, &journal), &counting).await.unwrap(), 2);
    // Another epoch: nothing of the other journal is read, and the cursor stays.
    let round = consumer::round(&reader(&test, &exchanged), &counting, &mut None).await.unwrap();
    assert_eq!((round, counting.0.load(Ordering::SeqCst)), (consumer::Round::Held, 2));
    assert_eq!(cursors::positions(&test.hub).await.unwrap(), [("counting".to_owned(), 2)]);
    test.close().await;
    other.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_cursor_beyond_the_journals_end_stops_the_consumer(#[case] engine: Engine) {
    let (Some(test), Some(emptied)) = (TestDb::new(engine).await, TestDb::new(engine).await) else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    journal.append(request(&account(1), &["e1", "e2"])).await.unwrap();
    let counting = Counting::default();
    consumer::drain(&reader(&test, &journal), &counting).await.unwrap();
    let put_back = Journal::open(emptied.journal.clone(), 7).await.unwrap();
    put_back.append(request(&account(1), &["e1"])).await.unwrap();
    let round = consumer::round(&reader(&test, &put_back), &counting, &mut None).await.unwrap();
    assert_eq!((round, counting.0.load(Ordering::SeqCst)), (consumer::Round::Held, 2));
    test.close().await;
    emptied.close().await;
}

#[tokio::test]
async fn no_consumer_passes_a_gap_that_may_still_be_filled() {
    // ARCHITECTURE, the journal: positions become visible in order.
    let Some(test) = TestDb::new(Engine::Postgres).await else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    // Another node's append: it holds the lock and has drawn a position, but has not committed.
    let mut open = test.journal.begin().await.unwrap();
    const LOCK: &str = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7310579626711377)) AS locked";
    const DRAW: &str =
        "INSERT INTO journal_entries (account_id, dedupe_key, request_id, body_start, body_len, kind,
            has_event_id, redelivered, event_at, received_at)
        VALUES ('acc', 'slow', 1, 0, 0, 'message', TRUE, FALSE, 0, 0)";
    open.opt::<(i32,)>(&Sql { sqlite: LOCK, postgres: LOCK }, Vec::new()).await.unwrap();
    open.run(&Sql { sqlite: DRAW, postgres: DRAW }, Vec::new()).await.unwrap();
    let later = {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(request(&account(1), &["e1"])).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!later.is_finished());
    assert!(journal.read(0, 10).await.unwrap().is_empty());
    open.commit().await.unwrap();
    later.await.unwrap().unwrap();
    let keys: Vec<_> = journal.read(0, 10).await.unwrap().into_iter().map(|e| e.dedupe_key).collect();
    assert_eq!(keys, ["slow", "e1"]);
    test.close().await;
}

#[tokio::test]
async fn a_refused_request_does_not_refuse_its_neighbours() {
    // Only PostgreSQL refuses U+0000 in a text.
    let Some(test) = TestDb::new(Engine::Postgres).await else { return };
    let journal = Journal::open(test.journal.clone(), 7).await.unwrap();
    // While this transaction holds the lock, all requests gather in one batch.
    let mut open = test.journal.begin().await.unwrap();
    const LOCK: &str = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7310579626711377)) AS locked";
    open.opt::<(i32,)>(&Sql { sqlite: LOCK, postgres: LOCK }, Vec::new()).await.unwrap();
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let journal = journal.clone();
            let mut request = request(&account(1), &[&format!("e{n}")]);
            if n == 4 {
                request.events[0].kind = "odd\0".to_owned();
            }
            tokio::spawn(async move { journal.append(request).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(open);
    let mut refused = 0;
    for task in tasks {
        refused += usize::from(task.await.unwrap().is_err());
    }
    assert_eq!(refused, 1);
    assert_eq!(journal.read(0, 100).await.unwrap().len(), 9);
    test.close().await;
}
