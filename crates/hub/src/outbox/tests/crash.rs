//! Dispatchers that die, and dispatchers side by side.

use std::time::Duration;

use line_client::{Credentials, Endpoints, LineClient};
use rstest::rstest;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::support::{Friend, Scene, text};
use crate::db::testing::Engine;
use crate::ids::AccountId;
use crate::outbox::model::*;
use crate::outbox::repo;

async fn until(what: impl AsyncFn() -> bool) {
    for _ in 0..2_000 {
        if what().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to pass");
}

/// Runs a dispatcher until LINE has been asked `calls` times on `path`, then kills it.
async fn killed_after(scene: &Scene, path: &str, calls: usize) {
    let stop = CancellationToken::new();
    let running = tokio::spawn(scene.dispatcher().run(stop));
    until(async || scene.asked(path).await.len() >= calls).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
}

#[rstest]
#[case::reply(Engine::Sqlite, true)]
#[case::push(Engine::Sqlite, false)]
#[case::reply_postgres(Engine::Postgres, true)]
#[case::push_postgres(Engine::Postgres, false)]
#[tokio::test]
async fn a_killed_dispatcher_neither_doubles_nor_loses(#[case] engine: Engine, #[case] free: bool) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    let path = if free { "/v2/bot/message/reply" } else { "/v2/bot/message/push" };
    if free {
        scene.hears(friend).await;
    }
    // LINE takes it, and the hub dies before it hears so.
    scene.fault(json!({ "path": path, "kind": "delay", "ms": 60_000, "times": 1 })).await;
    let line = scene.writes(friend, "line", Terms::ONE).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(scene.dispatcher().run(stop));
    until(async || scene.delivery(&line).await.via.is_some()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    scene.heal().await;
    if engine == Engine::Postgres {
        // Another node may be at work on it, so its lease has to run out first.
        scene.pass(11);
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(scene.dispatcher().run(stop.clone()));
    until(async || scene.delivery(&line).await.state.is_settled()).await;
    stop.cancel();
    running.await.unwrap();
    let delivery = scene.delivery(&line).await;
    let via = if free { Via::Reply } else { Via::Push };
    assert_eq!((delivery.state, delivery.via), (State::Sent, Some(via)));
    assert_eq!(scene.shown(friend).await.len(), 1);
    assert_eq!(scene.heard()[&line].len(), 1);
    scene.close().await;
}

// ARCHITECTURE "What always holds": a reply once begun is never given up while its token may live.
#[rstest]
#[case::in_time(Engine::Postgres, 30, State::Sent)]
#[case::too_late(Engine::Postgres, 45, State::Unknown)]
#[case::in_time_sqlite(Engine::Sqlite, 30, State::Sent)]
#[case::too_late_sqlite(Engine::Sqlite, 45, State::Unknown)]
#[tokio::test]
async fn a_dead_nodes_reply_is_tried_again_while_its_token_lives(
    #[case] engine: Engine,
    #[case] age: u64,
    #[case] end: State,
) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    scene.hears(friend).await;
    scene.pass(age);
    scene.fault(json!({ "path": "/v2/bot/message/reply", "kind": "hang", "times": 1 })).await;
    let line = scene.writes(friend, "line", Terms::ONE).await;
    let running = tokio::spawn(scene.dispatcher().run(CancellationToken::new()));
    until(async || scene.delivery(&line).await.state == State::Sending).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    scene.heal().await;
    scene.pass(9);
    scene.send().await;
    assert_eq!(scene.delivery(&line).await.state, State::Sending, "the node may be alive");
    scene.pass(1);
    scene.send().await;
    let delivery = scene.delivery(&line).await;
    assert_eq!((delivery.state, delivery.via), (end, Some(Via::Reply)));
    assert_eq!(scene.shown(friend).await.len(), usize::from(end == State::Sent));
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_call_that_takes_long_stays_with_its_node(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let path = "/v2/bot/message/push";
    scene.fault(json!({ "path": path, "kind": "hang", "times": 1 })).await;
    let line = scene.writes(&scene.friend, "line", Terms::ONE).await;
    let dispatcher = scene.dispatcher().with_renewal(Duration::from_millis(10));
    let running = tokio::spawn(dispatcher.run(CancellationToken::new()));
    until(async || scene.delivery(&line).await.state == State::Sending).await;
    let db = &scene.test.hub.db;
    for _ in 0..3 {
        scene.pass(8);
        let soon = scene.test.hub.now().plus(Duration::from_secs(9));
        until(async || !repo::has_lost(db, soon).await.unwrap()).await;
    }
    scene.send().await;
    let delivery = scene.delivery(&line).await;
    assert_eq!(delivery.state, State::Sending, "another took it");
    // Dead, it no longer holds it.
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    scene.heal().await;
    scene.pass(10);
    scene.send().await;
    assert_eq!(scene.delivery(&line).await.state, State::Sent);
    assert_eq!(scene.shown(&scene.friend).await.len(), 1);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_dispatcher_takes_nothing_back_from_itself(#[case] engine: Engine) {
    // As after a database that was away while the answer came: the lease has run out, the answer is here.
    let Some(scene) = Scene::new(engine).await else { return };
    scene.fault(json!({ "path": "/v2/bot/message/push", "kind": "hang", "times": 1 })).await;
    let line = scene.writes(&scene.friend, "line", Terms::ONE).await;
    let dispatcher = scene.dispatcher().with_renewal(Duration::from_secs(3600));
    let running = tokio::spawn(dispatcher.run(CancellationToken::new()));
    until(async || scene.delivery(&line).await.state == State::Sending).await;
    scene.pass(30);
    let (db, soon) = (&scene.test.hub.db, scene.test.hub.now().plus(Duration::from_secs(9)));
    until(async || !repo::has_lost(db, soon).await.unwrap()).await;
    assert_eq!(scene.delivery(&line).await.state, State::Sending);
    running.abort();
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_lost_answer_and_a_kill_together_show_it_once(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    scene.fault(json!({ "path": "/v2/bot/message/push", "kind": "lose_answer", "times": 1 })).await;
    let line = scene.writes(friend, "line", Terms::ONE).await;
    killed_after(&scene, "/v2/bot/message/push", 1).await;
    scene.pass(11);
    scene.send().await;
    assert_eq!(scene.delivery(&line).await.state, State::Sent);
    assert_eq!(scene.shown(friend).await.len(), 1);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite, 1)]
#[case::postgres(Engine::Postgres, 3)]
#[tokio::test]
async fn many_dispatchers_send_each_line_once_and_in_order(#[case] engine: Engine, #[case] nodes: usize) {
    let Some(scene) = Scene::new(engine).await else { return };
    let mut friends: Vec<Friend> = vec![scene.friend.clone()];
    for n in 0..5 {
        friends.push(scene.befriend(&format!("friend {n}")).await);
    }
    let stop = CancellationToken::new();
    let mut running = Vec::new();
    for n in 0..nodes {
        let hub = scene.test.node(&format!("node {n}")).await;
        running.push(tokio::spawn(scene.dispatcher_of(&hub).run(stop.clone())));
    }
    // Now and then an answer is lost.
    scene.fault(json!({ "path": "/v2/bot/message", "kind": "lose_answer", "rate": 0.1 })).await;
    let mut lines = Vec::new();
    for n in 0..8 {
        for friend in &friends {
            if n % 4 == 0 {
                scene.hears(friend).await;
            }
            // A program's sends are not put together.
            lines.extend(scene.queue(friend, vec![text(&format!("{n:02}"))], Origin::Api, Terms::ONE).await);
        }
    }
    until(async || {
        scene.pass(1);
        tokio::time::sleep(Duration::from_millis(150)).await;
        scene.heard().len() == lines.len()
    })
    .await;
    stop.cancel();
    for running in running {
        running.await.unwrap();
    }
    assert!(scene.heard().values().all(|ends| ends.len() == 1));
    for friend in &friends {
        let shown: Vec<String> = scene.shown(friend).await.into_iter().map(|(text, _)| text).collect();
        let mut sorted = shown.clone();
        sorted.sort();
        sorted.dedup();
        // Each at most once and in order; what may be missing is unknown, and shown as such.
        assert_eq!(shown, sorted);
    }
    let mut sent = 0;
    for line in &lines {
        let delivery = scene.delivery(line).await;
        assert!(matches!(delivery.state, State::Sent | State::Unknown), "{delivery:?}");
        sent += usize::from(delivery.state == State::Sent);
    }
    let mut shown = 0;
    for friend in &friends {
        shown += scene.shown(friend).await.len();
    }
    assert!(sent <= shown && shown <= lines.len(), "{sent} sent, {shown} shown");
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn an_account_whose_line_hangs_does_not_hold_up_the_others(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    // Two accounts whose LINE takes connections and says nothing, not even to those who ask for a token.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", deaf.local_addr().unwrap()).parse().unwrap();
    let client = LineClient::new(Endpoints::all_at(&address)).unwrap();
    let mut stuck = Vec::new();
    for _ in 0..2 {
        let account = scene.test.hub.id();
        let line = client.account(Credentials {
            channel_id: "1".to_owned(),
            channel_secret: "0123456789abcdef".into(),
            access_token: None,
            signing_key: None,
        });
        scene.lines.others.lock().unwrap().insert(AccountId::clone(&account), line);
        for _ in 0..150 {
            let mut friend = scene.friend.clone();
            friend.conversation = scene.test.hub.id();
            let line = vec![text("stuck")];
            stuck.extend(scene.queue_of(&account, &friend, line, Origin::Agent, Terms::ONE).await);
        }
    }
    let running = tokio::spawn(scene.dispatcher().run(CancellationToken::new()));
    until(async || scene.delivery(&stuck[0]).await.via.is_some()).await;
    for n in 0..3 {
        let line = scene.writes(&scene.friend, &n.to_string(), Terms::ONE).await;
        scene.test.hub.outbox.wake();
        // Well before the first of the hanging calls is given up, after 30 s.
        until(async || scene.delivery(&line).await.state == State::Sent).await;
    }
    assert!(scene.heard().keys().all(|line| !stuck.contains(line)), "a hanging call came to its end");
    running.abort();
    scene.close().await;
}
