//! What sends: through the outbox, once, within the key's limit, with LINE's own answers.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use testkit::{Engine, Receiver, TestHub};

use super::{Line, Shop};

// S1-33
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_reply_by_its_token_arrives_and_stands_in_the_inbox_under_the_systems_name(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({})).await;
    assert!(line.key.starts_with("tlp_"));
    let token = shop.token("how much is it?").await;
    let body = json!({ "replyToken": token, "notificationDisabled": true,
        "messages": [{ "type": "text", "text": "100" }, { "type": "text", "text": "or 90" }] });
    let said = line.post("/v2/bot/message/reply", body).await;
    let request_id = said.headers["x-line-request-id"].to_str().unwrap().to_owned();
    let sent = said.expect(200)["sentMessages"].clone();
    assert_eq!(sent.as_array().unwrap().len(), 2);
    assert!(sent[0]["id"].is_string() && sent[0]["quoteToken"].is_string(), "{sent}");
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["100", "or 90"]);
    let out = shop.transcript().await;
    assert_eq!(out.len(), 2);
    assert_eq!((&out[0]["origin"], &out[0]["sender"]["name"]), (&json!("proxy"), &json!("CRM")));
    assert_eq!(out[0]["sender"]["destination_id"], shop.id.as_str());
    assert_eq!((&out[0]["delivery"]["via"], &out[0]["delivery"]["cost"]), (&json!("reply"), &json!(0)));
    // What LINE saw is what was asked for, and its answer is LINE's.
    let calls = shop.hub.control.get("/requests").await;
    let calls = calls["items"].as_array().unwrap();
    let call = calls.iter().find(|call| call["path"] == "/v2/bot/message/reply").unwrap();
    assert!(call["body"].to_string().contains("notificationDisabled"), "{call}");
    assert!(!request_id.is_empty());
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_reply_token_is_used_once_and_by_its_owner(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let other = shop.another(json!({})).await;
    let (owner, stranger) = (shop.line(json!({})).await, shop.line_of(&other, json!({})).await);
    let token = shop.token("first").await;
    let refused = stranger.reply(&token, "mine").await;
    assert!(refused.reason().contains("belong to somebody else"), "{refused:?}");
    assert_eq!(refused.expect(400)["message"], "Invalid reply token");
    // Two calls of the owner race: one is sent.
    let (one, two) = tokio::join!(owner.reply(&token, "a"), owner.reply(&token, "b"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{one:?} {two:?}");
    assert_eq!(shop.friend.texts_received(&shop.account).await.len(), 1);
    let unknown = owner.reply("ffffffffffffffffffffffffffffff00", "x").await;
    assert!(unknown.reason().contains("no event"), "{unknown:?}");
    assert_eq!(unknown.status, 400);
    // What is the hub's is nobody else's.
    shop.owns_replies("hub").await;
    let token = shop.token("the hub's").await;
    let refused = owner.reply(&token, "mine").await;
    assert!(refused.status == 400 && refused.reason().contains("are the hub's"), "{refused:?}");
    shop.owns_replies(&shop.id).await;
    // What is wrong with the message is LINE's own refusal, and the token stays good.
    let token = shop.token("second").await;
    let long = owner.reply(&token, &"x".repeat(5_001)).await.expect(400);
    assert_eq!(long["details"][0]["property"], "messages[0].text");
    assert_eq!(owner.reply(&token, "short").await.status, 200);
    let none = owner.post("/v2/bot/message/reply", json!({ "messages": [] })).await.expect(400);
    assert!(none["message"].as_str().unwrap().contains("'replyToken'"), "{none}");
    let keyed = owner.request(Method::POST, "/v2/bot/message/reply").header("x-line-retry-key", "x");
    assert_eq!(owner.call(keyed.json(&json!({}))).await.status, 400, "PLATFORM 18: not on replies");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn pushes_are_paid_within_the_limit_and_sent_once(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let friend = shop.friend_id().await;
    let nothing = shop.line(json!({ "scopes": ["push"] })).await;
    let refused = nothing.push(&friend, "paid").await;
    assert!(refused.reason().contains("may spend 0"), "{refused:?}");
    assert_eq!(refused.expect(429)["message"], "You have reached your monthly limit.");
    let line = shop.line(json!({ "scopes": ["push"], "monthly_paid_limit": 2 })).await;
    let key = "123e4567-e89b-12d3-a456-426614174000";
    let body = json!({ "to": friend, "customAggregationUnits": ["sale"],
        "messages": [{ "type": "text", "text": "once" }] });
    let call =
        || line.request(Method::POST, "/v2/bot/message/push").header("x-line-retry-key", key).json(&body);
    let first = line.call(call()).await;
    let request_id = first.headers["x-line-request-id"].clone();
    let sent = first.expect(200)["sentMessages"].clone();
    let again = line.call(call()).await;
    assert_eq!(again.headers["x-line-accepted-request-id"], request_id);
    let again = again.expect(409);
    assert_eq!(
        (&again["message"], &again["sentMessages"]),
        (&json!("The retry key is already accepted"), &sent)
    );
    let two = json!({ "to": friend, "messages": [{ "type": "text", "text": "two" }] });
    line.post("/v2/bot/message/push", two).await.expect(200);
    assert_eq!(line.push(&friend, "three").await.status, 429);
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["once", "two"]);
    let shown = shop.hub.api().get(&format!("/destinations/{}/proxy-key", shop.id)).await.expect(200);
    assert_eq!((&shown["paid_this_month"], &shown["monthly_paid_limit"]), (&json!(2), &json!(2)));
    assert!(shown["last_used_at"].is_string() && shown["key"].is_null(), "{shown}");
    let usage = shop.hub.api().get("/usage").await.expect(200);
    assert_eq!(usage["items"][0]["by_origin"]["proxy"]["push"]["cost"], 2);
    // The hub's own key went to LINE, and what was asked for beside the messages.
    let calls = shop.hub.control.get("/requests").await;
    let calls = calls["items"].as_array().unwrap();
    let call = calls.iter().find(|call| call["path"] == "/v2/bot/message/push").unwrap();
    assert!(call["retryKey"].is_string() && call["retryKey"] != key, "{call}");
    assert!(call["body"].to_string().contains("customAggregationUnits"), "{call}");
    // The next month begins anew.
    shop.hub.advance(Duration::from_secs(31 * 24 * 3600));
    assert_eq!(line.push(&friend, "next month").await.status, 200);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn wrong_pushes_get_lines_refusals(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({ "scopes": ["push"], "monthly_paid_limit": null })).await;
    let unknown = format!("U{}", "0".repeat(32));
    let refused = line.push(&unknown, "who?").await;
    assert!(refused.reason().contains("no place in the inbox"), "{refused:?}");
    assert_eq!(refused.expect(400)["message"], "Failed to send messages");
    let text = json!([{ "type": "text", "text": "x" }]);
    for (body, words) in [
        (json!({ "messages": text }), "The request body has 1 error(s)"),
        (json!({ "to": 5, "messages": text }), "'to'"),
        (json!({ "to": "Lin", "messages": text }), "'to'"),
        (json!({ "to": unknown, "messages": text, "notificationDisabled": "yes" }), "'notificationDisabled'"),
        (json!({ "to": unknown, "messages": text, "customAggregationUnits": ["a", "b"] }), "1 error(s)"),
        (json!({ "to": unknown, "messages": [] }), "1 error(s)"),
    ] {
        let refused = line.post("/v2/bot/message/push", body.clone()).await.expect(400);
        assert!(refused["message"].as_str().unwrap().contains(words), "{body}: {refused}");
    }
    let odd = line.request(Method::POST, "/v2/bot/message/push").body("{");
    let odd = line.call(odd.header("content-type", "application/json")).await.expect(400);
    assert!(odd["message"].as_str().unwrap().starts_with("The request body could not be parsed as JSON"));
    let keyed = line.request(Method::POST, "/v2/bot/message/push").header("x-line-retry-key", "mine");
    assert_eq!(line.call(keyed.json(&json!({}))).await.status, 400);
    // Nobody whom LINE does not know has got a conversation.
    let all = shop.hub.api().get(&format!("/conversations?account_id={}", shop.account.id)).await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    // LINE's own 429 comes through.
    let of = format!("/channels/{}", shop.account.channel_id);
    shop.hub.control.patch(&of, json!({ "monthlyQuota": 0 })).await;
    let friend = shop.friend_id().await;
    let over = line.push(&friend, "over").await.expect(429);
    assert_eq!(over["message"], "You have reached your monthly limit.");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_reply_that_cannot_be_one_may_be_a_push_where_the_key_says_so(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let key = json!({ "scopes": ["reply", "push"], "monthly_paid_limit": 2, "reply_as_push": true });
    let owner = shop.line(key.clone()).await;
    let other = shop.another(json!({})).await;
    let line = shop.line_of(&other, key).await;
    // A reply once begun never becomes a push.
    let token = shop.token("hello").await;
    assert!(owner.reply(&token, "free").await.headers.get("x-trunkline-sent-as").is_none());
    let again = owner.reply(&token, "free").await;
    assert!(again.reason().contains("used before"), "{again:?}");
    assert_eq!(again.expect(400)["message"], "Invalid reply token");
    let (token, was) = (shop.token("twice").await, shop.friend.texts_received(&shop.account).await.len());
    let (one, two) = tokio::join!(owner.reply(&token, "race"), owner.reply(&token, "race"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{one:?} {two:?}");
    assert_eq!(shop.friend.texts_received(&shop.account).await.len(), was + 1);
    // What is another's becomes a push, once, also when its event comes again.
    let (one, two) = tokio::join!(line.reply(&token, "paid"), line.reply(&token, "paid"));
    let (paid, late) = if one.status == 200 { (one, two) } else { (two, one) };
    assert_eq!((paid.status, &paid.headers["x-trunkline-sent-as"]), (200, &"push".parse().unwrap()));
    assert!(late.status == 400 && late.reason().contains("went out as a push"), "{late:?}");
    assert_eq!(line.reply(&token, "paid").await.status, 400);
    let next = shop.token("next").await;
    assert_eq!(line.reply(&next, "next").await.status, 200);
    let third = shop.token("third").await;
    assert_eq!(line.reply(&third, "over").await.status, 429);
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["free", "race", "paid", "next"]);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn of_twin_pushes_one_is_sent_and_the_other_learns_of_it_though_the_limit_is_reached(
    #[case] engine: Engine,
) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({ "scopes": ["push"], "monthly_paid_limit": 1 })).await;
    let body = json!({ "to": shop.friend_id().await, "messages": [{ "type": "text", "text": "once" }] });
    let call = || {
        let request = line.request(Method::POST, "/v2/bot/message/push");
        line.call(request.header("x-line-retry-key", "123e4567-e89b-12d3-a456-426614174004").json(&body))
    };
    let (one, two) = tokio::join!(call(), call());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["once"]);
    shop.hub.close().await;
}

// A call that was let in before its key was replaced sends nothing under the old one's scopes and limit.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_replaced_keys_call_under_way_is_refused(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({ "scopes": ["push"], "monthly_paid_limit": null })).await;
    let body = json!({ "to": shop.friend_id().await, "messages": [{ "type": "text", "text": "old" }] });
    let (whole, rest) = tokio::sync::oneshot::channel::<()>();
    let bytes = body.to_string();
    let stream = futures_util::stream::once(async move {
        _ = rest.await;
        Ok::<_, std::io::Error>(bytes)
    });
    let request = line.request(Method::POST, "/v2/bot/message/push");
    let request = request.header("content-type", "application/json");
    let call = {
        let line = line.clone();
        tokio::spawn(async move { line.call(request.body(reqwest::Body::wrap_stream(stream))).await })
    };
    let path = format!("/destinations/{}/proxy-key", shop.id);
    while !shop.hub.api().get(&path).await.expect(200)["last_used_at"].is_string() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shop.line(json!({ "scopes": ["push"], "monthly_paid_limit": 0 })).await;
    whole.send(()).unwrap();
    assert_eq!(call.await.unwrap().status, 401);
    assert!(shop.friend.texts_received(&shop.account).await.is_empty());
    shop.hub.close().await;
}

// A chat that no event has shown is opened when LINE knows it.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn somebody_whom_the_hub_has_not_met_is_written_to_as_at_line(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({ "scopes": ["push"], "monthly_paid_limit": null })).await;
    // She became a friend while the webhook was off.
    let of = format!("/channels/{}", shop.account.channel_id);
    shop.hub.control.patch(&of, json!({ "useWebhook": false })).await;
    let before = shop.hub.line_user("Lan").await;
    before.follows(&shop.account).await;
    line.push(&before.id, "welcome back").await.expect(200);
    assert_eq!(before.texts_received(&shop.account).await, ["welcome back"]);
    let all = shop.hub.api().get(&format!("/conversations?account_id={}", shop.account.id)).await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    shop.hub.close().await;
}

// As after a kill: what was queued is on disk, its caller is gone, and nobody has sent it yet.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_push_whose_caller_is_gone_is_sent_once_and_a_repeat_learns_of_it(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    hub.settle().await;
    let receiver = Receiver::start().await;
    let body = json!({ "name": "CRM", "url": receiver.url });
    let made = hub.api().post(&format!("/accounts/{}/destinations", account.id), body).await.expect(201);
    let path = format!("/destinations/{}/proxy-key", made["id"].as_str().unwrap());
    let key = hub.api().post(&path, json!({ "scopes": ["push"], "monthly_paid_limit": 5 })).await.expect(201);
    let line = Line::new(&hub, key["key"].as_str().unwrap());
    let contacts = hub.api().get(&format!("/contacts?account_id={}", account.id)).await.expect(200);
    let body = json!({ "to": contacts["items"][0]["external_id"],
        "messages": [{ "type": "text", "text": "once" }] });
    let call = |line: &Line| {
        let request = line.request(Method::POST, "/v2/bot/message/push");
        request.header("x-line-retry-key", "123e4567-e89b-12d3-a456-426614174002").json(&body)
    };
    let first = tokio::spawn(call(&line).send());
    let queued = async || {
        let shown = hub.api().get(&path).await.expect(200);
        shown["paid_this_month"] == 1
    };
    while !queued().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.abort();
    hub.settle().await;
    let again = line.call(call(&line)).await;
    assert_eq!(again.expect(409)["sentMessages"].as_array().unwrap().len(), 1);
    hub.settle().await;
    assert_eq!(friend.texts_received(&account).await, ["once"]);
    hub.close().await;
}

/// Lets the deadline of calls that are waited for pass, in no time.
async fn past_the_deadline() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
}

// CONTRACT "Proxy": at most 30 s.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_did_not_begin_within_30_seconds_is_withdrawn(#[case] engine: Engine) {
    // Without its loops the hub begins nothing.
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    hub.settle().await;
    let receiver = Receiver::start().await;
    let body = json!({ "name": "CRM", "url": receiver.url });
    let made = hub.api().post(&format!("/accounts/{}/destinations", account.id), body).await.expect(201);
    let path = format!("/destinations/{}/proxy-key", made["id"].as_str().unwrap());
    let key = json!({ "scopes": ["push"], "monthly_paid_limit": 1 });
    let key = hub.api().post(&path, key).await.expect(201)["key"].as_str().unwrap().to_owned();
    let line = Line::new(&hub, &key);
    let contacts = hub.api().get(&format!("/contacts?account_id={}", account.id)).await.expect(200);
    let to = contacts["items"][0]["external_id"].as_str().unwrap().to_owned();
    let call = |line: &Line| {
        let body = json!({ "to": to, "messages": [{ "type": "text", "text": "late" }] });
        let request = line.request(Method::POST, "/v2/bot/message/push");
        request.header("x-line-retry-key", "123e4567-e89b-12d3-a456-426614174004").json(&body)
    };
    let first = {
        let (line, request) = (line.clone(), call(&line));
        tokio::spawn(async move { line.call(request).await })
    };
    let paid = async || hub.api().get(&path).await.expect(200)["paid_this_month"].clone();
    while paid().await != 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!first.is_finished());
    past_the_deadline().await;
    let said = first.await.unwrap();
    assert!(said.status == 500 && said.reason().contains("nothing was sent"), "{said:?}");
    hub.settle().await;
    assert_eq!(paid().await, 0);
    assert!(friend.texts_received(&account).await.is_empty());
    hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_line_holds_for_30_seconds_is_500_and_goes_out_once(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let line = shop.line(json!({ "scopes": ["push"], "monthly_paid_limit": 1 })).await;
    let (to, path) = (shop.friend_id().await, "/v2/bot/message/push");
    let fault = json!({ "on": "api", "path": path, "kind": "hang", "times": 1 });
    shop.hub.control.post("/faults", fault).await;
    let call = |line: &Line| {
        let body = json!({ "to": to, "messages": [{ "type": "text", "text": "once" }] });
        let request = line.request(Method::POST, path);
        request.header("x-line-retry-key", "123e4567-e89b-12d3-a456-426614174005").json(&body)
    };
    let first = {
        let (line, request) = (line.clone(), call(&line));
        tokio::spawn(async move { line.call(request).await })
    };
    while shop.hub.control.get("/faults").await.to_string().contains("\"matched\":0") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    past_the_deadline().await;
    let said = first.await.unwrap();
    assert!(said.status == 500 && said.reason().contains("goes on trying"), "{said:?}");
    shop.hub.advance(Duration::from_secs(60));
    let again = line.call(call(&line)).await;
    assert_eq!(again.status, 409, "{again:?}");
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["once"]);
    shop.hub.close().await;
}

#[tokio::test]
async fn what_line_does_not_answer_is_500_and_goes_on() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let line = shop.line(json!({})).await;
    let token = shop.token("hello").await;
    // LINE works, then breaks the connection; the hub asks again, and LINE calls the token used (GOTCHAS B3).
    let fault = json!({ "on": "api", "path": "/v2/bot/message/reply", "kind": "lose_answer", "times": 1 });
    shop.hub.control.post("/faults", fault).await;
    let said = line.reply(&token, "hi").await;
    assert!(said.status == 500 && said.reason().contains("most likely delivered"), "{said:?}");
    assert_eq!(line.reply(&token, "hi").await.status, 400, "the token was used");
    assert_eq!(shop.friend.texts_received(&shop.account).await, ["hi"]);
    shop.hub.close().await;
}
