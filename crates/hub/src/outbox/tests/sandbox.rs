//! The whole way: from the queue to what the friend's phone shows, through a local LINE with faults.

use rstest::rstest;
use serde_json::json;

use super::support::{Scene, text};
use crate::db::testing::Engine;
use crate::outbox::model::*;
use crate::outbox::service;

const REPLY: &str = "/v2/bot/message/reply";
const PUSH: &str = "/v2/bot/message/push";

fn pairs(shown: &[(String, String)]) -> Vec<(&str, &str)> {
    shown.iter().map(|(text, via)| (text.as_str(), via.as_str())).collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_reply_is_free_shares_a_call_and_is_followed_by_a_push(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    scene.hears(friend).await;
    let price = service::price_by(
        &scene.test.hub,
        &*scene.lines,
        &scene.account,
        &friend.conversation,
        &friend.target,
    );
    let price = price.await.unwrap();
    assert_eq!((price.cost, price.free_until.is_some()), (Some(0), true));
    let one = scene.writes(friend, "one", Terms::ONE).await;
    let two = scene.writes(friend, "two", Terms::ONE).await;
    assert_eq!(scene.delivery(&one).await.state, State::Queued);
    scene.send().await;
    let (first, second) = (scene.delivery(&one).await, scene.delivery(&two).await);
    assert_eq!(first.send, second.send);
    assert_eq!((first.place, second.place), (0, 1));
    for delivery in [&first, &second] {
        assert_eq!((delivery.state, delivery.via, delivery.cost), (State::Sent, Some(Via::Reply), Some(0)));
        assert!(delivery.line_message_id.is_some() && delivery.quote_token.is_some() && !delivery.presumed);
    }
    assert_ne!(first.line_message_id, second.line_message_id);
    let three = scene.writes(friend, "three", Terms::ONE).await;
    scene.send().await;
    let third = scene.delivery(&three).await;
    assert_eq!((third.state, third.via, third.cost), (State::Sent, Some(Via::Push), Some(1)));
    let shown = scene.shown(friend).await;
    assert_eq!(pairs(&shown), [("one", "reply"), ("two", "reply"), ("three", "push")]);
    assert_eq!(scene.heard()[&one], [State::Sent]);
    assert_eq!(scene.asked(REPLY).await.len(), 1);
    // PLATFORM 18: a reply with a retry key would be refused.
    assert_eq!(scene.asked(REPLY).await[0].1, "");
    assert_eq!(scene.asked(PUSH).await[0].1.len(), 36);
    let month = Month::of(scene.test.hub.now());
    let usage = service::usage(&scene.test.hub, &scene.scope(), month).await.unwrap();
    assert_eq!(
        usage[0].ours,
        [
            (Via::Push, Origin::Agent, Used { calls: 1, messages: 1, cost: 1 }),
            (Via::Reply, Origin::Agent, Used { calls: 1, messages: 2, cost: 0 }),
        ]
    );
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_can_no_longer_be_free_is_not_paid_silently(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    let never = scene.writes(friend, "never", Terms::FREE).await;
    scene.send().await;
    let delivery = scene.delivery(&never).await;
    assert_eq!(
        (delivery.state, delivery.fault, delivery.cost),
        (State::Failed, Some(Fault::PaidSendRefused), None)
    );
    // The token is dead at LINE although it looks young here: the definite 400 leads to no push without leave.
    scene.hears(friend).await;
    scene.sandbox.advance(std::time::Duration::from_secs(120));
    let late = scene.writes(friend, "late", Terms::FREE).await;
    scene.send().await;
    assert_eq!(scene.delivery(&late).await.fault, Some(Fault::PaidSendRefused));
    assert_eq!(scene.heard()[&late], [State::Failed]);
    // With leave it does.
    scene.hears(friend).await;
    scene.sandbox.advance(std::time::Duration::from_secs(120));
    let paid = scene.writes(friend, "paid", Terms::ONE).await;
    scene.send().await;
    let delivery = scene.delivery(&paid).await;
    assert_eq!((delivery.state, delivery.via, delivery.cost), (State::Sent, Some(Via::Push), Some(1)));
    assert_eq!(pairs(&scene.shown(friend).await), [("paid", "push")]);
    // An old token is not even tried.
    scene.hears(friend).await;
    scene.pass(50);
    let old = scene.writes(friend, "old", Terms::FREE).await;
    scene.send().await;
    assert_eq!(scene.delivery(&old).await.state, State::Failed);
    assert_eq!(scene.asked(REPLY).await.len(), 2);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_reply_whose_answer_was_lost_is_shown_once_and_never_pushed(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    scene.hears(friend).await;
    scene.fault(json!({ "path": REPLY, "kind": "lose_answer", "times": 1 })).await;
    let lost = scene.writes(friend, "lost", Terms::ONE).await;
    let next = scene.writes(friend, "next", Terms { allow_paid: true, max_cost: 2 }).await;
    scene.send().await;
    assert_eq!(scene.delivery(&lost).await.state, State::Queued);
    // Order: what waits behind an open attempt does not overtake it.
    assert!(scene.asked(PUSH).await.is_empty());
    scene.live(3).await;
    let delivery = scene.delivery(&lost).await;
    assert_eq!((delivery.state, delivery.via, delivery.presumed), (State::Sent, Some(Via::Reply), true));
    assert_eq!(scene.delivery(&next).await.via, Some(Via::Push));
    assert_eq!(pairs(&scene.shown(friend).await), [("lost", "reply"), ("next", "push")]);
    let asked = scene.asked(REPLY).await;
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1]);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_reply_that_broke_before_line_took_it_is_sent_by_the_second_try(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    for (n, fault) in [
        json!({ "path": REPLY, "kind": "reset", "times": 1 }),
        json!({ "path": REPLY, "kind": "status", "status": 500, "times": 2 }),
        json!({ "path": REPLY, "kind": "hang", "times": 1 }),
    ]
    .into_iter()
    .enumerate()
    {
        scene.hears(friend).await;
        scene.fault(fault).await;
        let line = scene.writes(friend, &n.to_string(), Terms::ONE).await;
        scene.send().await;
        assert_eq!(scene.delivery(&line).await.state, State::Queued);
        scene.heal().await;
        scene.live(8).await;
        let delivery = scene.delivery(&line).await;
        assert_eq!((delivery.state, delivery.via, delivery.presumed), (State::Sent, Some(Via::Reply), false));
    }
    assert_eq!(pairs(&scene.shown(friend).await), [("0", "reply"), ("1", "reply"), ("2", "reply")]);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_reply_that_stays_open_is_unknown_and_a_person_may_send_it_again(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    scene.hears(friend).await;
    scene.fault(json!({ "path": REPLY, "kind": "reset" })).await;
    let open = scene.writes(friend, "open", Terms::ONE).await;
    scene.send().await;
    scene.live(55).await;
    let delivery = scene.delivery(&open).await;
    assert_eq!((delivery.state, delivery.fault), (State::Unknown, Some(Fault::NoAnswer)));
    assert!(scene.asked(PUSH).await.is_empty() && scene.shown(friend).await.is_empty());
    // A later one is not held up.
    let later = scene.writes(friend, "later", Terms::ONE).await;
    scene.send().await;
    assert_eq!(scene.delivery(&later).await.state, State::Sent);
    let hub = &scene.test.hub;
    let again = async |seen| {
        let mut tx = hub.db.begin().await.unwrap();
        let again =
            service::again(&mut tx, hub, &scene.scope(), &open, seen, "usr_1".to_owned(), Terms::ONE).await;
        if again.is_ok() {
            tx.commit().await.unwrap();
        }
        again.map_err(|error| error.code)
    };
    assert_eq!(again(State::Failed).await, Err("not_settled"));
    let queued = again(State::Unknown).await.unwrap();
    assert_eq!(again(State::Unknown).await, Err("not_settled"));
    scene.send().await;
    let delivery = scene.delivery(&open).await;
    assert_eq!((delivery.state, delivery.via, &delivery.send), (State::Sent, Some(Via::Push), &queued.send));
    assert_eq!(scene.heard()[&open], [State::Unknown, State::Sent]);
    assert_eq!(pairs(&scene.shown(friend).await), [("later", "push"), ("open", "push")]);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_push_is_repeated_with_the_same_key_and_body(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    // PLATFORM 18: the repetition of an accepted push is answered 409 with its messages, and that is a success.
    scene.fault(json!({ "path": PUSH, "kind": "lose_answer", "times": 1 })).await;
    let lost = scene.writes(friend, "lost", Terms::ONE).await;
    scene.send().await;
    scene.live(2).await;
    let delivery = scene.delivery(&lost).await;
    assert_eq!((delivery.state, delivery.cost, delivery.presumed), (State::Sent, Some(1), false));
    assert!(delivery.line_message_id.is_some());
    let asked = scene.asked(PUSH).await;
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1]);
    scene.heal().await;
    scene.fault(json!({ "path": PUSH, "kind": "status", "status": 500, "times": 3 })).await;
    let slow = scene.writes(friend, "slow", Terms::ONE).await;
    scene.send().await;
    scene.live(20).await;
    assert_eq!(scene.delivery(&slow).await.state, State::Sent);
    let asked = scene.asked(PUSH).await;
    assert_eq!(asked.len(), 6);
    assert!(asked[2..].iter().all(|call| *call == asked[2]));
    assert_ne!(asked[2].1, asked[0].1);
    assert_eq!(pairs(&scene.shown(friend).await), [("lost", "push"), ("slow", "push")]);
    // Open for 23 hours: left to a person.
    scene.fault(json!({ "path": PUSH, "kind": "status", "status": 503 })).await;
    let stuck = scene.writes(friend, "stuck", Terms::ONE).await;
    for _ in 0..24 {
        scene.send().await;
        scene.pass(3600);
    }
    scene.send().await;
    assert_eq!(scene.delivery(&stuck).await.fault, Some(Fault::NoAnswer));
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn too_fast_waits_and_a_used_up_month_fails_with_words(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    let fast = json!({ "message": "The API rate limit has been exceeded. Try again later." });
    scene.fault(json!({ "path": PUSH, "kind": "status", "status": 429, "body": fast, "times": 2 })).await;
    let slowed = scene.writes(friend, "slowed", Terms::ONE).await;
    scene.send().await;
    let waiting = scene.delivery(&slowed).await;
    assert_eq!((waiting.state, waiting.fault), (State::Queued, None));
    scene.live(4).await;
    assert_eq!(scene.delivery(&slowed).await.state, State::Sent);
    scene.settings(json!({ "monthlyQuota": 1 })).await;
    let much = scene.writes(friend, "much", Terms::ONE).await;
    scene.send().await;
    let delivery = scene.delivery(&much).await;
    assert_eq!((delivery.state, delivery.fault), (State::Failed, Some(Fault::QuotaExhausted)));
    assert!(delivery.detail.unwrap().contains("monthly limit"));
    // CONTRACT "Messages": known to be used up, it is refused at once.
    scene.pass(61);
    let hub = &scene.test.hub;
    let price = service::price_by(hub, &*scene.lines, &scene.account, &friend.conversation, &friend.target);
    let price = price.await.unwrap();
    assert_eq!(price.quota_left, Some(0));
    let refused = service::admit(&price, Terms::ONE).unwrap_err();
    assert_eq!((refused.status.as_u16(), refused.code), (402, "quota_exhausted"));
    assert_eq!(service::admit(&price, Terms::FREE).unwrap_err().code, "paid_send_refused");
    // Our own sends under way count as well.
    scene.settings(json!({ "monthlyQuota": 3 })).await;
    scene.pass(61);
    scene.writes(friend, "waits", Terms::ONE).await;
    let price = service::price_by(hub, &*scene.lines, &scene.account, &friend.conversation, &friend.target);
    assert_eq!(price.await.unwrap().quota_left, Some(1));
    assert_eq!(pairs(&scene.shown(friend).await), [("slowed", "push")]);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_refusal_is_final_tells_lines_words_and_keeps_the_token(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let friend = &scene.friend;
    scene.hears(friend).await;
    let bad = scene.queue(friend, vec![text("")], Origin::Api, Terms::ONE).await.remove(0);
    scene.send().await;
    let delivery = scene.delivery(&bad).await;
    assert_eq!(
        (delivery.state, delivery.fault, delivery.cost),
        (State::Failed, Some(Fault::LineRefused), None)
    );
    let detail = delivery.detail.unwrap();
    assert!(detail.contains("messages[0].text"), "{detail}");
    let good = scene.writes(friend, "good", Terms::FREE).await;
    scene.send().await;
    assert_eq!(scene.delivery(&good).await.via, Some(Via::Reply));
    // Credentials that LINE does not take: told, and not tried again.
    let denied = json!({ "message": "Authentication failed" });
    scene.fault(json!({ "path": PUSH, "kind": "status", "status": 401, "body": denied })).await;
    let kept = scene.writes(friend, "kept", Terms::ONE).await;
    scene.send().await;
    assert_eq!(scene.delivery(&kept).await.fault, Some(Fault::Credentials));
    assert_eq!(*scene.lines.refused.lock().unwrap(), 1);
    // A disconnected account sends nothing.
    *scene.lines.line.lock().unwrap() = None;
    let gone = scene.writes(friend, "gone", Terms::ONE).await;
    scene.send().await;
    assert_eq!(scene.delivery(&gone).await.fault, Some(Fault::Disconnected));
    assert_eq!(pairs(&scene.shown(friend).await), [("good", "reply")]);
    scene.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_group_is_pushed_to_only_at_a_price_that_was_allowed(#[case] engine: Engine) {
    let Some(scene) = Scene::new(engine).await else { return };
    let others = [scene.befriend("Ben").await, scene.befriend("Cem").await];
    let group = scene.group(&others).await;
    let hub = &scene.test.hub;
    let price = service::price_by(hub, &*scene.lines, &scene.account, &group.conversation, &group.target);
    // PLATFORM 22: a push to a group costs its members.
    assert_eq!(price.await.unwrap().cost, Some(3));
    let refused = scene.writes(&group, "refused", Terms { allow_paid: true, max_cost: 2 }).await;
    scene.send().await;
    let delivery = scene.delivery(&refused).await;
    assert_eq!(delivery.fault, Some(Fault::PaidSendRefused));
    assert!(delivery.detail.unwrap().contains("would cost 3"));
    let sent = scene.writes(&group, "sent", Terms { allow_paid: true, max_cost: 3 }).await;
    scene.send().await;
    assert_eq!(scene.delivery(&sent).await.cost, Some(3));
    scene.hears(&group).await;
    let free = scene.writes(&group, "free", Terms::FREE).await;
    scene.send().await;
    assert_eq!(scene.delivery(&free).await.via, Some(Via::Reply));
    assert_eq!(pairs(&scene.shown(&group).await), [("sent", "push"), ("free", "reply")]);
    scene.close().await;
}
