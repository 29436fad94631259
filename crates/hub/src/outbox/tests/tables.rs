//! The outbox's tables on both databases, without LINE.

use rstest::rstest;

use super::support::{Scene, text};
use crate::db::testing::Engine;
use crate::ids::{Id as _, SendId};
use crate::outbox::model::*;
use crate::outbox::once::{self, Once};
use crate::outbox::{bulk, cleanup, jobs, proxied, repo, service};
use crate::scope::Scope;

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn lines_share_a_call_only_among_their_like(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    let mut sends = Vec::new();
    for _ in 0..6 {
        let line = scene.writes(friend, "line", Terms::ONE).await;
        sends.push(scene.delivery(&line).await.send);
    }
    assert!(sends[..5].iter().all(|send| *send == sends[0]));
    // PLATFORM 7: at most five in one call.
    assert_ne!(sends[5], sends[0]);
    // Other terms, another origin, or three that no longer fit: a call of their own.
    let free = scene.writes(friend, "free", Terms::FREE).await;
    assert_ne!(scene.delivery(&free).await.send, sends[5]);
    let three = scene.queue(friend, vec![text("a"), text("b"), text("c")], Origin::Agent, Terms::FREE).await;
    assert_eq!(scene.delivery(&three[2]).await.place, 3);
    let two = scene.queue(friend, vec![text("d"), text("e")], Origin::Agent, Terms::FREE).await;
    assert_eq!(scene.delivery(&two[0]).await.place, 0);
    let api = scene.queue(friend, vec![text("f")], Origin::Api, Terms::FREE).await;
    let more = scene.queue(friend, vec![text("g")], Origin::Api, Terms::FREE).await;
    assert_ne!(scene.delivery(&api[0]).await.send, scene.delivery(&more[0]).await.send);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn tokens_are_given_out_once_the_newest_first(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    // GOTCHAS A7: the console's dummy tokens are no tokens.
    scene.remember(friend, &"0".repeat(32)).await;
    scene.remember(friend, &"f".repeat(32)).await;
    let hub = &scene.test.hub;
    let free = async || service::free_until(&hub.db, &friend.conversation, hub.now()).await.unwrap();
    assert_eq!(free().await, None);
    scene.remember(friend, "old").await;
    scene.pass(1);
    scene.remember(friend, "new").await;
    let until = hub.now().plus(TOKEN_LIFE).minus(TOKEN_MARGIN);
    assert_eq!(free().await, Some(until));
    // What waits already takes them first.
    scene.queue(friend, vec![text("a")], Origin::Api, Terms::FREE).await;
    assert_eq!(free().await, Some(until));
    scene.queue(friend, vec![text("b")], Origin::Api, Terms::FREE).await;
    assert_eq!(free().await, None);
    let mut tx = hub.db.begin().await.unwrap();
    let due = repo::due(&mut tx, &scene.account, hub.now(), 10).await.unwrap();
    // Strict order: of one conversation only the oldest.
    assert_eq!(due.len(), 1);
    let newest = repo::newest_token(&mut tx, &friend.conversation, hub.now()).await.unwrap().unwrap();
    assert_eq!(newest.token, "new");
    assert!(repo::claim_token(&mut tx, &due[0], &newest).await.unwrap());
    assert!(!repo::claim_token(&mut tx, &due[0], &newest).await.unwrap());
    let next = repo::newest_token(&mut tx, &friend.conversation, hub.now()).await.unwrap().unwrap();
    assert_eq!(next.token, "old");
    repo::release_token(&mut tx, &due[0], &newest).await.unwrap();
    let newest = repo::newest_token(&mut tx, &friend.conversation, hub.now()).await.unwrap().unwrap();
    assert_eq!(newest.token, "new");
    tx.commit().await.unwrap();
    // Dead tokens go.
    scene.pass(7200);
    let done = jobs::delete_tokens(hub.clone(), jobs::DeleteTokens::default()).await;
    assert_eq!(done, crate::jobs::Outcome::Done);
    let mut tx = hub.db.begin().await.unwrap();
    assert_eq!(repo::delete_tokens(&mut tx, hub.now(), 10).await.unwrap(), 0);
    tx.commit().await.unwrap();
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_calls_key_is_its_tenants_and_conversations_and_lapses_after_a_day(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let (hub, conversation) = (&scene.test.hub, &scene.friend.conversation);
    let once = Once::new(&scene.tenant, &scene.account, conversation, "key", &[text("a")]);
    let ids: Vec<crate::ids::MessageId> = vec![hub.id(), hub.id()];
    let take = async |once: &Once| {
        let mut tx = hub.db.begin().await.unwrap();
        let taken = once::take(&mut tx, hub, once, &ids).await.unwrap();
        tx.commit().await.unwrap();
        taken
    };
    let taken = async |once: &Once| once::taken(hub, once).await.map_err(|error| error.code);
    assert_eq!(taken(&once).await, Ok(None));
    assert!(take(&once).await);
    assert!(!take(&once).await);
    assert_eq!(taken(&once).await, Ok(Some(ids.clone())));
    let other = Once::new(&scene.tenant, &scene.account, conversation, "key", &[text("a"), text("b")]);
    assert_eq!(taken(&other).await, Err("idempotency_key_reused"));
    let elsewhere = Once::new(&scene.tenant, &scene.account, &hub.id(), "key", &[text("a")]);
    assert_eq!(taken(&elsewhere).await, Ok(None));
    let stranger = Once::new(&hub.id(), &scene.account, conversation, "key", &[text("a")]);
    assert_eq!(taken(&stranger).await, Ok(None));
    let tidy = async || {
        let done = jobs::delete_tokens(hub.clone(), jobs::DeleteTokens::default()).await;
        assert_eq!(done, crate::jobs::Outcome::Done);
    };
    tidy().await;
    assert_eq!(taken(&once).await, Ok(Some(ids.clone())), "not before its time");
    scene.pass(24 * 3600);
    assert_eq!(taken(&once).await, Ok(None));
    assert!(take(&other).await, "free for another call, whether or not it was deleted");
    scene.pass(24 * 3600);
    tidy().await;
    let mut tx = hub.db.begin().await.unwrap();
    assert_eq!(repo::delete_once(&mut tx, hub.now(), 10).await.unwrap(), 0);
    tx.commit().await.unwrap();
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_is_open_at_the_turn_of_the_month_is_paid_for_in_the_next(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let hub = &scene.test.hub;
    let (_, turn) = Month::of(hub.now()).bounds();
    scene.test.clock.advance(turn.since(hub.now()) - std::time::Duration::from_secs(60));
    let system = "dst_00000000000000000000000001";
    let paid = async || {
        let (since, _) = Month::of(hub.now()).bounds();
        proxied::read_paid(&hub.db, &scene.tenant, system, since).await.unwrap()
    };
    let mut sends = Vec::new();
    let mut calls = Vec::new();
    let mut tx = hub.db.begin().await.unwrap();
    for _ in 0..2 {
        let new = NewSend {
            tenant: scene.tenant.clone(),
            account: scene.account.clone(),
            conversation: hub.id(),
            target: scene.friend.target.clone(),
            origin: Origin::Proxy,
            actor: system.to_owned(),
            terms: Terms::ONE,
            extras: Extras::default(),
            messages: vec![(hub.id(), text("a"))],
        };
        sends.push(service::enqueue(&mut tx, hub, &new).await.unwrap().send);
        let new = NewBulk {
            tenant: scene.tenant.clone(),
            account: scene.account.clone(),
            kind: Via::Multicast,
            origin: Origin::Proxy,
            actor: system.to_owned(),
            body: Vec::new(),
            messages: 1,
            cost: Some(10),
        };
        calls.push(bulk::insert(&mut tx, hub, &new).await.unwrap());
    }
    tx.commit().await.unwrap();
    assert_eq!(paid().await, 22);
    let settle = async |send: &SendId, call: &SendId| {
        let now = hub.now();
        let mut tx = hub.db.begin().await.unwrap();
        let words = repo::Words::default();
        assert!(repo::settle_sent(&mut tx, send, (false, &[]), &words, now).await.unwrap());
        let taken = repo::take_bulk(&mut tx, call, now, now).await.unwrap().unwrap();
        repo::settle_bulk(&mut tx, (call, taken.carries), State::Sent, &words, now).await.unwrap();
        tx.commit().await.unwrap();
    };
    settle(&sends[0], &calls[0]).await;
    assert_eq!(paid().await, 22);
    scene.pass(61);
    assert_eq!(paid().await, 11, "what ended before was of the month before");
    settle(&sends[1], &calls[1]).await;
    assert_eq!(paid().await, 11);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn another_tenant_sees_and_changes_nothing(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let hub = &scene.test.hub;
    let line = scene.writes(&scene.friend, "line", Terms::FREE).await;
    scene.send().await;
    assert_eq!(scene.delivery(&line).await.state, State::Failed);
    let mut tx = hub.db.begin().await.unwrap();
    let reading = Reading { quota: Some(5), used: 1, read_at: hub.now() };
    repo::set_reading(&mut tx, &scene.tenant, &scene.account, &reading).await.unwrap();
    tx.commit().await.unwrap();
    let month = Month::of(hub.now());
    assert_eq!(service::usage(hub, &scene.scope(), month).await.unwrap()[0].line, Some(reading));
    for stranger in [Scope::tenant_wide(hub.id()), Scope::agent(scene.tenant.clone(), hub.id())] {
        let ids = [line.clone()];
        assert!(service::deliveries(&hub.db, &stranger, &ids).await.unwrap().is_empty());
        assert!(service::usage(hub, &stranger, month).await.unwrap().is_empty());
        let mut tx = hub.db.begin().await.unwrap();
        let by = "usr_1".to_owned();
        let again = service::again(&mut tx, hub, &stranger, &line, State::Failed, by, Terms::ONE).await;
        assert_eq!(again.unwrap_err().code, "not_found");
    }
    assert!(SendId::parse(scene.delivery(&line).await.send.as_str()).is_some());
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_sent_is_forgotten_after_30_days(#[case] engine: Engine) {
    const DAY: u64 = 24 * 3600;
    let Some(scene) = Scene::new(engine).await else { return };
    let hub = &scene.test.hub;
    // Refused, because there is no reply token and nothing may be paid.
    let old = scene.writes(&scene.friend, "old", Terms::FREE).await;
    scene.send().await;
    scene.pass(2 * DAY);
    let young = scene.writes(&scene.friend, "young", Terms::FREE).await;
    scene.send().await;
    let waits = scene.writes(&scene.friend, "waits", Terms::FREE).await;
    scene.pass(29 * DAY);
    for _ in 0..2 {
        let done = cleanup::run(hub.clone(), cleanup::Forget::default()).await;
        assert_eq!(done, crate::jobs::Outcome::Done);
    }
    let mut tx = hub.db.begin().await.unwrap();
    let mut said = Vec::new();
    for message in [&young, &waits] {
        let send = scene.delivery(message).await.send;
        said.extend(repo::contents(&mut tx, &send).await.unwrap().into_iter().map(|(_, content)| content));
    }
    assert_eq!(said, [text("young"), text("waits")]);
    drop(tx);
    // How it went stays, but it cannot be sent again.
    assert_eq!(scene.delivery(&old).await.state, State::Failed);
    let again = async |message| {
        let mut tx = hub.db.begin().await.unwrap();
        let by = "usr_1".to_owned();
        service::again(&mut tx, hub, &scene.scope(), message, State::Failed, by, Terms::ONE).await
    };
    assert_eq!(again(&old).await.unwrap_err().code, "expired");
    assert!(again(&young).await.is_ok());
    scene.close().await;
}
