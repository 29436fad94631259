//! Jobs on both databases, their crashes and their races.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::repo::Search;
use super::*;
use crate::app::testing::TestHub;
use crate::clock::Entropy;
use crate::db::testing::Engine;
use crate::ids::Id as _;
use crate::scope::Scope;

/// What the handler does is decided by the test.
#[derive(Debug, Serialize, Deserialize)]
struct Probe {
    n: u32,
}

impl Job for Probe {
    const KIND: &'static str = "test.probe";
    const MAX_ATTEMPTS: u32 = 3;
    const TIMEOUT: Duration = Duration::from_millis(300);
}

#[derive(Debug, Serialize, Deserialize)]
struct Slow {}

impl Job for Slow {
    const KIND: &'static str = "test.slow";
    const LANE: Lane = Lane::MEDIA;
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Tick {}

impl Job for Tick {
    const KIND: &'static str = "test.tick";
    const MAX_ATTEMPTS: u32 = 1;
}

fn tenant(seed: u64) -> TenantId {
    TenantId::new(Timestamp(1), &Entropy::seeded(seed))
}

fn scope(seed: u64) -> Scope {
    Scope::tenant_wide(tenant(seed))
}

async fn add(hub: &Hub, n: u32, new: NewJob) -> Option<JobId> {
    let mut tx = hub.db.begin().await.unwrap();
    let id = enqueue(&mut tx, hub, Some(&tenant(1)), &Probe { n }, new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// A registry whose probes end as `outcome` says; counts the attempts.
fn probes(
    outcome: impl Fn(u32) -> Outcome + Send + Sync + 'static,
) -> (Registry, std::sync::Arc<AtomicUsize>) {
    let attempts = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let registry = Registry::new().add(move |_: Hub, job: Probe| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(outcome(job.n))
    });
    (registry, attempts)
}

async fn of(hub: &Hub) -> Counts {
    counts(&hub.db, Some(&scope(1))).await.unwrap()
}

async fn dead(hub: &Hub) -> Vec<Listed> {
    list(&hub.db, &scope(1), State::Dead, None, 10).await.unwrap()
}

/// Takes one due probe as a node does that then dies.
async fn take(hub: &Hub, registry: &Registry) -> Option<repo::Claimed> {
    let lane = Lane::DEFAULT;
    let kinds = registry.kinds(lane);
    let search = Search { lane: lane.name, kinds: &kinds, now: hub.now(), lease: lane.lease, limit: 1 };
    repo::claim(&hub.db, &search).await.unwrap().pop()
}

async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_job_is_as_lasting_as_its_cause(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let (registry, attempts) = probes(|_| Outcome::Done);
    let mut tx = hub.db.begin().await.unwrap();
    assert!(
        enqueue(&mut tx, hub, Some(&tenant(1)), &Probe { n: 1 }, NewJob::default()).await.unwrap().is_some()
    );
    drop(tx);
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 0);
    add(hub, 1, NewJob::default()).await;
    let later = hub.now().plus(Duration::from_secs(60));
    add(hub, 2, NewJob { run_at: Some(later), dedupe_key: None }).await;
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 1);
    assert_eq!(of(hub).await, Counts { ready: 1, done: 1, ..Counts::default() });
    test.clock.advance(Duration::from_secs(60));
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 1);
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
    assert_eq!(of(hub).await, Counts { done: 2, ..Counts::default() });
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn waiting_for_the_database_uses_up_no_attempt(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let is_back = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = is_back.clone();
    let (registry, attempts) = probes(move |n| match (asked.load(Ordering::SeqCst), n) {
        (true, _) => Outcome::Done,
        (false, 1) => Outcome::from(Err(crate::db::DbError::worker_gone())),
        // A service that the handler calls says the same in its own way.
        (false, _) => Outcome::from(AppError::from(crate::db::DbError::worker_gone())),
    });
    add(hub, 1, NewJob::once("1")).await;
    add(hub, 2, NewJob::once("2")).await;
    for _ in 0..10 {
        assert_eq!(run_pending(hub, &registry).await.unwrap(), 2);
        assert_eq!(run_pending(hub, &registry).await.unwrap(), 0, "not at once again");
        test.clock.advance(Duration::from_secs(15));
    }
    assert_eq!(of(hub).await, Counts { ready: 2, ..Counts::default() });
    let waiting = list(&hub.db, &scope(1), State::Ready, None, 10).await.unwrap();
    assert!(waiting.iter().all(|job| job.attempts == 0 && job.last_error.is_some()), "{waiting:?}");
    is_back.store(true, Ordering::SeqCst);
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 2);
    assert_eq!(of(hub).await, Counts { done: 2, ..Counts::default() });
    assert_eq!(attempts.load(Ordering::SeqCst), 22);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_thing_waits_once(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let (registry, attempts) = probes(|n| if n == 1 { Outcome::retry("not yet") } else { Outcome::Done });
    let first = add(hub, 1, NewJob::once("contact/1")).await.unwrap();
    assert_eq!(add(hub, 1, NewJob::once("contact/1")).await, None);
    test.clock.advance(Duration::from_millis(1));
    assert!(add(hub, 2, NewJob::once("contact/2")).await.is_some());
    // One that runs may have read what has changed since: the next one is kept.
    let running = take(hub, &registry).await.unwrap();
    assert_eq!(running.id, first);
    assert!(add(hub, 3, NewJob::once("contact/1")).await.is_some());
    assert_eq!(of(hub).await, Counts { ready: 2, running: 1, ..Counts::default() });
    // It fails; the waiting one does its work.
    let mut tx = hub.db.begin().await.unwrap();
    assert!(repo::retry_later(&mut tx, &running, "not yet", hub.now(), hub.now()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(of(hub).await, Counts { ready: 2, done: 1, ..Counts::default() });
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 2);
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_failing_job_waits_longer_each_time_and_dies(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let (registry, attempts) = probes(|_| Outcome::retry("LINE\u{0} is away"));
    let id = add(hub, 1, NewJob::default()).await.unwrap();
    for (wait, so_far) in [(0, 1), (1, 1), (2, 2), (2, 2), (3, 3), (3600, 3)] {
        test.clock.advance(Duration::from_secs(wait));
        run_pending(hub, &registry).await.unwrap();
        assert_eq!(attempts.load(Ordering::SeqCst), so_far, "after {wait} s more");
    }
    let listed = dead(hub).await;
    assert_eq!((listed[0].id.clone(), listed[0].attempts, listed[0].max_attempts), (id.clone(), 3, 3));
    assert_eq!(listed[0].last_error.as_deref(), Some("LINE\u{FFFD} is away"));
    // A person's retry gives it all attempts again.
    let mut tx = hub.db.begin().await.unwrap();
    assert!(retry(&mut tx, &scope(1), &id, hub.now()).await.unwrap());
    tx.commit().await.unwrap();
    let (registry, _) = probes(|_| Outcome::Done);
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 1);
    assert_eq!(of(hub).await, Counts { done: 1, ..Counts::default() });
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_other_side_says_how_long_to_wait(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let minute = Duration::from_secs(60);
    let (registry, attempts) =
        probes(move |_| Outcome::Retry { after: Some(minute), reason: "429".to_owned() });
    add(hub, 1, NewJob::default()).await;
    run_pending(hub, &registry).await.unwrap();
    test.clock.advance(Duration::from_secs(59));
    run_pending(hub, &registry).await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    test.clock.advance(Duration::from_secs(14));
    run_pending(hub, &registry).await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_handler_that_fails_panics_or_hangs_harms_nobody(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let registry = Registry::new().add(|_: Hub, job: Probe| async move {
        match job.n {
            1 => Outcome::fail("no such contact"),
            2 => panic!("a fault in the handler"),
            3 => std::future::pending().await,
            _ => Outcome::Done,
        }
    });
    for n in 1..=4 {
        add(hub, n, NewJob::default()).await;
    }
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 4);
    assert_eq!(of(hub).await, Counts { ready: 2, done: 1, dead: 1, ..Counts::default() });
    let waiting = list(&hub.db, &scope(1), State::Ready, None, 10).await.unwrap();
    let errors: Vec<_> = waiting.iter().map(|job| job.last_error.clone().unwrap()).collect();
    assert!(errors.iter().any(|error| error.contains("panicked")), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("longer than")), "{errors:?}");
    assert_eq!(dead(hub).await[0].last_error.as_deref(), Some("no such contact"));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_crash_between_claim_and_record_runs_the_job_again(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let (registry, attempts) = probes(|_| Outcome::Done);
    add(hub, 1, NewJob::default()).await;
    let lost = take(hub, &registry).await.unwrap();
    // While the lease lasts, it is left alone.
    test.clock.advance(Lane::DEFAULT.lease - Duration::from_millis(1));
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 0);
    test.clock.advance(Duration::from_millis(1));
    let again = take(hub, &registry).await.unwrap();
    assert_eq!((again.id.clone(), again.attempts), (lost.id.clone(), 2));
    // The first node was only slow: its outcome no longer counts, whatever it is.
    let mut tx = hub.db.begin().await.unwrap();
    assert!(!repo::finish(&mut tx, &lost, true, None, hub.now()).await.unwrap());
    assert!(!repo::retry_later(&mut tx, &lost, "late", hub.now(), hub.now()).await.unwrap());
    assert!(!repo::give_back(&mut tx, &lost, hub.now()).await.unwrap());
    assert!(repo::give_back(&mut tx, &again, hub.now()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 1);
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    assert_eq!(of(hub).await, Counts { done: 1, ..Counts::default() });
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_job_that_ends_the_process_each_time_dies_without_running(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let (registry, attempts) = probes(|_| Outcome::Done);
    add(hub, 1, NewJob::default()).await;
    for _ in 0..Probe::MAX_ATTEMPTS {
        take(hub, &registry).await.unwrap();
        test.clock.advance(Lane::DEFAULT.lease);
    }
    run_pending(hub, &registry).await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 0);
    assert!(dead(hub).await[0].last_error.as_deref().unwrap().contains("stopped each time"));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn no_job_runs_twice_at_once(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let seen = std::sync::Arc::new(Mutex::new(HashMap::<u32, usize>::new()));
    let counted = seen.clone();
    let registry = std::sync::Arc::new(Registry::new().add(move |_: Hub, job: Probe| {
        let counted = counted.clone();
        async move {
            *counted.lock().unwrap().entry(job.n).or_default() += 1;
            tokio::task::yield_now().await;
            Outcome::Done
        }
    }));
    let mut tx = test.hub.db.begin().await.unwrap();
    for n in 0..200 {
        enqueue(&mut tx, &test.hub, Some(&tenant(1)), &Probe { n }, NewJob::default()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (hub, registry) = (test.hub.clone(), registry.clone());
        workers.spawn(async move { run_pending(&hub, &registry).await.unwrap() });
    }
    let attempts: usize = workers.join_all().await.into_iter().sum();
    assert_eq!(attempts, 200);
    let seen = seen.lock().unwrap().clone();
    assert!(seen.len() == 200 && seen.values().all(|count| *count == 1), "{seen:?}");
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn tenants_see_and_retry_only_their_own(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let (registry, _) = probes(|_| Outcome::fail("no"));
    let id = add(hub, 1, NewJob::default()).await.unwrap();
    let mut tx = hub.db.begin().await.unwrap();
    enqueue(&mut tx, hub, None, &Probe { n: 2 }, NewJob::default()).await.unwrap();
    tx.commit().await.unwrap();
    run_pending(hub, &registry).await.unwrap();
    assert_eq!(counts(&hub.db, None).await.unwrap(), Counts { dead: 1, ..Counts::default() });
    assert_eq!(of(hub).await.dead, 1);
    assert_eq!(counts(&hub.db, Some(&scope(2))).await.unwrap(), Counts::default());
    assert!(list(&hub.db, &scope(2), State::Dead, None, 10).await.unwrap().is_empty());
    let mut tx = hub.db.begin().await.unwrap();
    assert!(!retry(&mut tx, &scope(2), &id, hub.now()).await.unwrap());
    assert!(retry(&mut tx, &scope(1), &id, hub.now()).await.unwrap());
    tx.commit().await.unwrap();
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn lists_are_read_page_by_page(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(add(hub, n, NewJob::default()).await.unwrap());
        test.clock.advance(Duration::from_millis(u64::from(n % 2)));
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = list(&hub.db, &scope(1), State::Ready, after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Cursor { created_at: last.created_at, id: last.id.clone() });
        assert!(
            page.len() <= 2 && page.iter().all(|job| job.kind == Probe::KIND && job.state == State::Ready)
        );
        seen.extend(page.into_iter().map(|job| (job.created_at, job.id)));
    }
    assert!(seen.is_sorted_by(|a, b| a > b));
    let mut all: Vec<_> = seen.into_iter().map(|(_, id)| id).collect();
    all.sort();
    ids.sort();
    assert_eq!(all, ids);
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn unknown_kinds_wait_and_unreadable_payloads_die(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    add(hub, 1, NewJob::default()).await;
    assert_eq!(run_pending(hub, &Registry::new()).await.unwrap(), 0);
    assert_eq!(of(hub).await, Counts { ready: 1, ..Counts::default() });
    // The same kind as a newer version wrote it.
    #[derive(Debug, Serialize, Deserialize)]
    struct Newer {
        name: String,
    }
    impl Job for Newer {
        const KIND: &'static str = Probe::KIND;
    }
    let registry = Registry::new().add(|_: Hub, _: Newer| std::future::ready(Outcome::Done));
    assert_eq!(run_pending(hub, &registry).await.unwrap(), 1);
    assert!(dead(hub).await[0].last_error.as_deref().unwrap().contains("cannot be read"));
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn done_jobs_are_deleted_after_a_week_and_dead_ones_stay(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let (registry, _) = probes(|n| if n == 0 { Outcome::fail("no") } else { Outcome::Done });
    for n in 0..4 {
        add(hub, n, NewJob::default()).await;
    }
    run_pending(hub, &registry).await.unwrap();
    test.clock.advance(DONE_KEPT);
    assert_eq!(cleanup::run(hub.clone(), cleanup::Cleanup {}).await, Outcome::Done);
    assert_eq!(of(hub).await, Counts { done: 3, dead: 1, ..Counts::default() });
    test.clock.advance(Duration::from_millis(1));
    let mut tx = hub.db.begin().await.unwrap();
    assert_eq!(repo::delete_done(&mut tx, hub.now().minus(DONE_KEPT), 2).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(cleanup::run(hub.clone(), cleanup::Cleanup {}).await, Outcome::Done);
    assert_eq!(of(hub).await, Counts { dead: 1, ..Counts::default() });
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn workers_wake_finish_and_give_back(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let hub = &test.hub;
    let (done, hanging) =
        (std::sync::Arc::new(AtomicUsize::new(0)), std::sync::Arc::new(AtomicUsize::new(0)));
    let (counted, hung) = (done.clone(), hanging.clone());
    let registry = Registry::new()
        .add(move |_: Hub, _: Probe| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Outcome::Done)
        })
        .add(move |_: Hub, _: Slow| {
            hung.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<Outcome>()
        });
    let stop = CancellationToken::new();
    let workers = tokio::spawn(run(hub.clone(), registry.into(), stop.clone()));
    // Work that hangs fills its own lane only.
    let mut tx = hub.db.begin().await.unwrap();
    for _ in 0..3 {
        enqueue(&mut tx, hub, Some(&tenant(1)), &Slow {}, NewJob::default()).await.unwrap();
    }
    tx.commit().await.unwrap();
    hub.jobs.wake();
    until(async || hanging.load(Ordering::SeqCst) == Lane::MEDIA.workers).await;
    for n in 0..20 {
        add(hub, n, NewJob::default()).await;
        hub.jobs.wake();
    }
    until(async || done.load(Ordering::SeqCst) == 20).await;
    // Nobody wakes them for this one; they look by themselves.
    add(hub, 20, NewJob::default()).await;
    until(async || done.load(Ordering::SeqCst) == 21).await;
    until(async || of(hub).await.done == 21).await;
    stop.cancel();
    workers.await.unwrap().unwrap();
    assert_eq!(hanging.load(Ordering::SeqCst), 2);
    assert_eq!(of(hub).await, Counts { ready: 3, done: 21, ..Counts::default() });
    let back = list(&hub.db, &scope(1), State::Ready, None, 10).await.unwrap();
    assert!(back.iter().all(|job| job.attempts == 0), "an interruption is no attempt");
    test.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_schedule_runs_at_the_start_and_again_once_among_all_nodes(#[case] engine: Engine) {
    let Some(test) = TestHub::new(engine).await else { return };
    let ticks = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = ticks.clone();
    let hour = Duration::from_secs(3600);
    let registry = std::sync::Arc::new(Registry::new().every(hour, move |_: Hub, _: Tick| {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        // A run that fails for good does not end the schedule.
        std::future::ready(if n == 0 { Outcome::fail("no") } else { Outcome::Done })
    }));
    let other = test.node("other").await;
    let stop = CancellationToken::new();
    let mut workers = tokio::task::JoinSet::new();
    for hub in [test.hub.clone(), other] {
        workers.spawn(run(hub, registry.clone(), stop.clone()));
    }
    let waiting = async || counts(&test.hub.db, None).await.unwrap().ready == 2;
    until(async || ticks.load(Ordering::SeqCst) >= 1 && waiting().await).await;
    let first = ticks.load(Ordering::SeqCst);
    for n in 1..=2 {
        test.clock.advance(hour);
        until(async || ticks.load(Ordering::SeqCst) == first + n && waiting().await).await;
    }
    stop.cancel();
    workers.join_all().await;
    assert_eq!(ticks.load(Ordering::SeqCst), first + 2);
    test.close().await;
}

#[tokio::test]
async fn on_sqlite_a_start_takes_up_what_the_last_process_left() {
    let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
    let hub = &test.hub;
    let (registry, attempts) = probes(|_| Outcome::Done);
    add(hub, 1, NewJob::default()).await;
    take(hub, &registry).await.unwrap();
    let stop = CancellationToken::new();
    let workers = tokio::spawn(run(hub.clone(), registry.into(), stop.clone()));
    until(async || of(hub).await.done == 1).await;
    stop.cancel();
    workers.await.unwrap().unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    test.close().await;
}
