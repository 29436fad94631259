//! A LINE that refuses, dawdles, or is silent: what was accepted for sending is shown on the phone once, or shown as not sent.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, LineUser, TestHub};

use super::*;

const PUSH: &str = "/v2/bot/message/push";
const REPLY: &str = "/v2/bot/message/reply";

/// A hub with an account whose one friend wrote so long ago that every answer is a push.
struct Chat {
    hub: TestHub,
    account: Account,
    friend: LineUser,
}

impl Chat {
    async fn start(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).start().await?;
        let (account, friend) = hub.account_with_friend().await;
        hub.advance(Duration::from_secs(120));
        Some(Self { hub, account, friend })
    }

    async fn fault(&self, mut fault: Value) {
        fault["on"] = json!("api");
        self.hub.control.post("/faults", fault).await;
    }

    /// Lets time pass in small steps, so that everything that waits for its hour gets it.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.hub.advance(Duration::from_secs(1));
            self.hub.settle().await;
        }
    }

    async fn send(&self, words: &str) {
        let _ = send(&self.hub, words, true).await.expect(202);
        self.hub.settle().await;
    }

    async fn shown(&self) -> Vec<String> {
        self.friend.texts_received(&self.account).await
    }

    /// (state, via, error code)
    async fn stands(&self, words: &str) -> (String, String, String) {
        let delivery = delivery(&self.hub, words).await;
        (text(&delivery["state"]), text(&delivery["via"]), text(&delivery["error"]["code"]))
    }

    /// The bodies and retry keys of the calls to a path.
    async fn calls(&self, path: &str) -> Vec<(Value, Value)> {
        let asked = self.hub.control.get("/requests").await["items"].as_array().unwrap().clone();
        let asked = asked.into_iter().filter(|call| call["path"] == path);
        asked.map(|call| (call["body"].clone(), call["retryKey"].clone())).collect()
    }
}

fn is(state: &str, via: &str, code: &str) -> (String, String, String) {
    (state.to_owned(), via.to_owned(), code.to_owned())
}

// GOTCHAS B1, B2: somebody else was faster with the token. The answer goes out once, and is paid only where that is allowed.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_reply_token_already_used_leads_to_a_push_or_to_a_clear_failure(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    let (hub, account) = (&chat.hub, &chat.account);
    let made = hub.control.post(&format!("/channels/{}/access-token", account.channel_id), json!({})).await;
    let spend = async || {
        chat.friend.says(account, "a question").await;
        hub.settle().await;
        let sent = hub.control.get("/deliveries").await["items"].as_array().unwrap().last().unwrap().clone();
        let body: Value = serde_json::from_str(sent["body"].as_str().unwrap()).unwrap();
        let reply = json!({
            "replyToken": body["events"][0]["replyToken"],
            "messages": [{ "type": "text", "text": "somebody else's" }],
        });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request =
            http.post(hub.line.join(REPLY).unwrap()).bearer_auth(made["accessToken"].as_str().unwrap());
        assert_eq!(request.json(&reply).send().await.unwrap().status(), 200);
    };
    spend().await;
    let _ = send(hub, "free or not at all", false).await.expect(202);
    hub.settle().await;
    assert_eq!(chat.stands("free or not at all").await.2, "paid_send_refused");
    spend().await;
    chat.send("paid if need be").await;
    assert_eq!(chat.stands("paid if need be").await, is("sent", "push", ""));
    assert_eq!(delivery(hub, "paid if need be").await["cost"], 1);
    assert_eq!(chat.shown().await, ["somebody else's", "somebody else's", "paid if need be"]);
    chat.hub.close().await;
}

// GOTCHAS F1: a token can die at any time; a new one is issued and the call made again. Refused credentials are shown.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn line_answering_401_costs_a_new_token_or_is_shown_as_refused_credentials(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    chat.fault(json!({ "path": PUSH, "kind": "status", "status": 401, "times": 1 })).await;
    chat.send("with the second token").await;
    assert_eq!(chat.stands("with the second token").await, is("sent", "push", ""));

    chat.fault(json!({ "path": "/v2/bot/", "kind": "status", "status": 401 })).await;
    chat.send("with no token").await;
    assert_eq!(chat.stands("with no token").await, is("failed", "push", "credentials"));
    let path = format!("/accounts/{}", chat.account.id);
    let status = eventually("the account needs attention", async || {
        let account = chat.hub.api().get(&path).await.expect(200);
        (account["status"] == "attention").then(|| text(&account["attention"]))
    });
    assert!(status.await.contains("credentials"));
    chat.hub.control.delete("/faults").await;
    // A person sends it again, once LINE takes the credentials.
    let failed =
        lines(&chat.hub).await.into_iter().find(|line| line["content"]["text"] == "with no token").unwrap();
    let again = format!("/messages/{}/send-again", text(&failed["id"]));
    let _ = chat.hub.api().post(&again, json!({ "allow_paid": true })).await.expect(202);
    chat.hub.settle().await;
    assert_eq!(chat.shown().await, ["with the second token", "with no token"]);
    chat.hub.close().await;
}

// GOTCHAS C1: one status, two meanings, told apart by LINE's words.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn line_answering_429_for_speed_delays_and_for_the_quota_fails(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    let words = json!({ "message": "The API rate limit has been exceeded. Try again later." });
    chat.fault(json!({ "path": PUSH, "kind": "status", "status": 429, "body": words, "times": 2 })).await;
    chat.send("slowed down").await;
    assert_eq!(chat.stands("slowed down").await.0, "queued");
    chat.pass(12).await;
    assert_eq!(chat.stands("slowed down").await, is("sent", "push", ""));
    // The same bytes under the same key each time (PLATFORM 18).
    let calls = chat.calls(PUSH).await;
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| *call == calls[0] && call.1.is_string()), "{calls:?}");

    let words = json!({ "message": "You have reached your monthly limit." });
    chat.fault(json!({ "path": PUSH, "kind": "status", "status": 429, "body": words })).await;
    chat.send("over the month").await;
    assert_eq!(chat.stands("over the month").await, is("failed", "push", "quota_exhausted"));
    chat.hub.control.delete("/faults").await;
    chat.pass(12).await;
    assert_eq!(chat.shown().await, ["slowed down"], "what is used up is not tried again by itself");
    chat.hub.close().await;
}

// PLATFORM 18, GOTCHAS B3: a server error or a lost answer says nothing; the retry key makes the repetition harmless.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn line_answering_500_or_losing_its_answers_leads_to_one_message_each(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    let troubles = [
        ("refused by a server error", json!({ "kind": "status", "status": 500, "times": 2 })),
        ("taken, the answer lost", json!({ "kind": "lose_answer", "times": 2 })),
        ("cut off", json!({ "kind": "reset", "times": 1 })),
        (
            "behind a gateway",
            json!({ "kind": "status", "status": 502, "body": "<html>Bad Gateway</html>", "times": 1 }),
        ),
    ];
    for (words, mut fault) in troubles {
        fault["path"] = json!(PUSH);
        chat.fault(fault).await;
        chat.send(words).await;
        assert_eq!(chat.stands(words).await.0, "queued", "{words}");
        chat.pass(10).await;
        assert_eq!(chat.stands(words).await, is("sent", "push", ""), "{words}");
        chat.hub.control.delete("/faults").await;
    }
    // A reply has no retry key: lost twice, it is taken as sent by LINE's words, never pushed.
    chat.friend.says(&chat.account, "a question").await;
    chat.hub.settle().await;
    chat.fault(json!({ "path": REPLY, "kind": "lose_answer", "times": 1 })).await;
    chat.send("a free answer").await;
    chat.pass(10).await;
    assert_eq!(chat.stands("a free answer").await, is("sent", "reply", ""));
    let expected = [
        "refused by a server error",
        "taken, the answer lost",
        "cut off",
        "behind a gateway",
        "a free answer",
    ];
    assert_eq!(chat.shown().await, expected);
    let keys: std::collections::HashSet<String> =
        chat.calls(PUSH).await.iter().map(|(_, key)| key.as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 4, "one key for each message, however often it was tried");
    chat.hub.close().await;
}

#[tokio::test]
async fn a_slow_line_is_waited_for_and_a_silent_one_is_asked_again() {
    let Some(chat) = Chat::start(Engine::Sqlite).await else { return };
    chat.fault(json!({ "path": PUSH, "kind": "delay", "ms": 400, "times": 1 })).await;
    chat.send("slowly").await;
    assert_eq!(chat.stands("slowly").await, is("sent", "push", ""));

    // Nothing comes back until the line breaks.
    chat.fault(json!({ "path": PUSH, "kind": "hang", "times": 1 })).await;
    let released = async {
        eventually("the call hangs", async || (chat.calls(PUSH).await.len() == 1).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(chat.stands("into silence").await.0, "queued", "nothing is claimed that LINE did not say");
        chat.hub.control.delete("/faults").await;
    };
    tokio::join!(chat.send("into silence"), released);
    chat.pass(5).await;
    assert_eq!(chat.stands("into silence").await, is("sent", "push", ""));
    assert_eq!(chat.shown().await, ["slowly", "into silence"]);
    chat.hub.close().await;
}

// A LINE that cannot even be reached never had the message: it waits, and goes out once when LINE is back.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn while_line_gives_no_tokens_messages_wait_in_their_order(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    // The token in hand dies, and no new one is to be had.
    chat.fault(json!({ "path": PUSH, "kind": "status", "status": 401, "times": 1 })).await;
    chat.fault(json!({ "path": "/oauth2/", "kind": "status", "status": 503 })).await;
    for words in ["one", "two", "three"] {
        chat.send(words).await;
    }
    chat.pass(20).await;
    assert!(chat.shown().await.is_empty());
    assert_eq!(chat.stands("one").await.0, "queued");
    chat.hub.control.delete("/faults").await;
    chat.pass(90).await;
    assert_eq!(chat.shown().await, ["one", "two", "three"]);
    chat.hub.close().await;
}

// Profiles and media are fetched by jobs: LINE's trouble delays them, never the messages.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn names_and_media_are_fetched_when_line_is_well_again(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let friend = hub.line_user("林小晴").await;
    friend.follows(&account).await;
    let trouble = [
        json!({ "kind": "status", "status": 500 }),
        json!({ "kind": "reset" }),
        json!({ "kind": "status", "status": 429 }),
    ];
    for mut fault in trouble {
        (fault["on"], fault["method"], fault["path"], fault["times"]) =
            (json!("api"), json!("GET"), json!("/v2/bot/"), json!(2));
        hub.control.post("/faults", fault).await;
    }
    friend.says(&account, "hello").await;
    // A PNG of one pixel.
    let pixel =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    friend.sends(&account, json!({ "type": "image", "contentBase64": pixel })).await;
    hub.settle().await;
    let shown = lines(&hub).await;
    assert_eq!(shown.len(), 3, "the messages do not wait for LINE");
    let media = format!("/messages/{}/content", text(&shown[2]["id"]));
    assert_eq!(hub.api().get(&media).await.expect(409)["code"], "not_ready");
    for _ in 0..20 {
        hub.advance(Duration::from_secs(30));
        hub.settle().await;
    }
    assert_eq!(conversation(&hub).await["title"], "林小晴");
    assert_eq!(hub.api().get(&media).await.status, 200);
    hub.close().await;
}

// CONTRACT section 1: when LINE does not answer: 502 `line_unavailable`, within 10 s.
#[tokio::test]
async fn a_caller_hears_within_ten_seconds_that_line_is_silent() {
    let Some(chat) = Chat::start(Engine::Sqlite).await else { return };
    let hub = &chat.hub;
    let fresh = hub.channel("Another OA").await;
    chat.fault(json!({ "path": "/", "kind": "hang" })).await;
    let began = tokio::time::Instant::now();
    let test = format!("/accounts/{}/webhook-test", chat.account.id);
    let new = json!({ "messenger": "line", "channel_id": fresh["channelId"], "channel_secret": fresh["channelSecret"] });
    let change = json!({ "channel_secret": chat.account.channel_secret });
    let account = format!("/accounts/{}", chat.account.id);
    let (tested, connected, changed, used) = tokio::join!(
        hub.api().post(&test, json!({})),
        hub.api().post("/accounts", new.clone()),
        hub.api().patch(&account, change),
        hub.api().get("/usage"),
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for answer in [tested, connected, changed] {
        assert_eq!(answer.expect(502)["code"], "line_unavailable");
    }
    // Our own figures need no LINE.
    assert_eq!(used.status, 200);
    hub.control.delete("/faults").await;
    // Nothing was half done.
    assert_eq!(all(hub.api(), "/accounts").await.len(), 1);
    let _ = hub.api().post("/accounts", new).await.expect(201);
    chat.hub.close().await;
}
