//! A call whose answer was lost, at whatever moment, and which therefore comes again: it sends once.

use futures_util::future::join_all;
use hub::db::Db;
use hub::ids::{ConversationId, Id as _};
use hub::inbox::service::{self, Answer as Wanted};
use hub::outbox::model::{Origin, Terms};
use hub::team::Actor;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::{Account, Engine, LineUser, TestHub};

use super::*;

struct Chat {
    hub: TestHub,
    account: Account,
    friend: LineUser,
    messages: String,
}

impl Chat {
    async fn start(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).start().await?;
        let (account, friend) = hub.account_with_friend().await;
        let messages = format!("/conversations/{}/messages", text(&conversation(&hub).await["id"]));
        Some(Self { hub, account, friend, messages })
    }

    /// A call with the key "order 1".
    async fn call(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.hub.api().request(Method::POST, path).header("idempotency-key", "order 1");
        let answer = request.json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn send(&self, words: &[&str], allow_paid: bool) -> (u16, Value) {
        let messages: Vec<Value> =
            words.iter().map(|words| json!({ "type": "text", "text": words })).collect();
        self.call(&self.messages, &json!({ "messages": messages, "allow_paid": allow_paid })).await
    }

    /// What a restart leaves of a call that was killed before its result was kept, once its lease has run out.
    async fn forget_calls(&self) {
        self.sql("DELETE FROM idempotency_keys").await;
    }

    async fn sql(&self, text: &str) {
        let text = AssertSqlSafe(text.to_owned());
        match &self.hub.hub().db {
            Db::Sqlite { write, .. } => sqlx::raw_sql(text).execute(write).await.map(|_| ()).unwrap(),
            Db::Postgres(pool) => sqlx::raw_sql(text).execute(pool).await.map(|_| ()).unwrap(),
        }
    }

    /// Makes the database do something of its own at a table: `does` in PL/pgSQL, or as SQLite's trigger.
    async fn trigger(&self, at: &str, sqlite: &str, postgres: &str) {
        if self.hub.hub().db.is_postgres() {
            let body = format!("BEGIN {postgres}; RETURN NEW; END");
            self.sql(&format!("CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"))
                .await;
            self.sql(&format!("CREATE TRIGGER fault BEFORE {at} FOR EACH ROW EXECUTE FUNCTION fault()"))
                .await;
        } else {
            self.sql(&format!("CREATE TRIGGER fault AFTER {at} BEGIN {sqlite}; END")).await;
        }
    }

    async fn no_trigger(&self) {
        let postgres = "DROP FUNCTION fault() CASCADE";
        self.sql(if self.hub.hub().db.is_postgres() { postgres } else { "DROP TRIGGER fault" }).await;
    }

    async fn received(&self) -> Vec<String> {
        self.hub.settle().await;
        self.friend.texts_received(&self.account).await
    }
}

fn ids(answer: &Value) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect()
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_repeat_that_the_hub_no_longer_knows_by_its_key_gives_the_messages_already_taken(
    #[case] engine: Engine,
) {
    let Some(chat) = Chat::start(engine).await else { return };
    let (status, first) = chat.send(&["one", "two"], false).await;
    assert_eq!(status, 202);
    chat.forget_calls().await;
    let (status, again) = chat.send(&["one", "two"], false).await;
    assert_eq!((status, &again), (202, &first), "nothing has happened in between");
    assert_eq!(chat.received().await, ["one", "two"]);
    // The free reply is spent by now, and paying is not allowed; still the first has taken them.
    chat.hub.advance(Duration::from_secs(120));
    chat.forget_calls().await;
    let (status, again) = chat.send(&["one", "two"], false).await;
    assert_eq!((status, ids(&again)), (202, ids(&first)));
    assert_eq!(again["items"][0]["delivery"]["state"], "sent");
    for other in [&["one"][..], &["two", "one"], &["one", "two", "three"]] {
        chat.forget_calls().await;
        let (status, refusal) = chat.send(other, true).await;
        assert_eq!((status, &refusal["code"]), (409, &json!("idempotency_key_reused")));
        assert_eq!(refusal["errors"][0]["field"], "messages");
    }
    assert_eq!(chat.received().await, ["one", "two"]);
    // The same key of another API key is another call.
    let other = chat.hub.api_with(&[]).await;
    let body = json!({ "messages": [{ "type": "text", "text": "another's" }] });
    let request = other.request(Method::POST, &chat.messages).header("idempotency-key", "order 1");
    assert_eq!(request.json(&body).send().await.unwrap().status(), 202);
    assert_eq!(chat.received().await, ["one", "two", "another's"]);
    chat.hub.close().await;
}

// The process dies after the messages' commit and before the result is kept: the row says "running" until its lease ends.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_hub_that_dies_before_it_has_kept_the_result_sends_once(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    chat.trigger(
        "UPDATE OF status ON idempotency_keys",
        "SELECT RAISE(ABORT, 'killed')",
        "RAISE EXCEPTION 'killed'",
    )
    .await;
    let (status, first) = chat.send(&["one"], true).await;
    assert_eq!(status, 202);
    chat.no_trigger().await;
    chat.hub.advance(Duration::from_secs(61));
    let (status, again) = chat.send(&["one"], true).await;
    assert_eq!((status, ids(&again)), (202, ids(&first)));
    // The repeat's result was kept, and is answered as it was.
    assert_eq!(chat.received().await, ["one"]);
    assert_eq!(chat.send(&["one"], true).await, (status, again));
    assert_eq!(lines(&chat.hub).await.iter().filter(|line| line["direction"] == "out").count(), 1);
    chat.hub.close().await;
}

// The messages are committed, but the answer is a failure: it frees the key, and the caller is right to try again.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_failure_after_the_commit_may_be_repeated(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    let spoil = "UPDATE messages SET content = '{' WHERE id = NEW.id";
    chat.trigger("INSERT ON messages", spoil, "NEW.content := '{'").await;
    let (status, _) = chat.send(&["one"], true).await;
    assert_eq!(status, 500);
    chat.no_trigger().await;
    chat.sql(r#"UPDATE messages SET content = '{"type":"text","text":"one"}' WHERE content = '{'"#).await;
    let (status, again) = chat.send(&["one"], true).await;
    assert_eq!((status, &again["items"][0]["content"]["text"]), (202, &json!("one")));
    assert_eq!(chat.received().await, ["one"]);
    assert_eq!(lines(&chat.hub).await.iter().filter(|line| line["direction"] == "out").count(), 1);
    chat.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn twins_that_run_at_the_same_time_send_once(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    let id = ConversationId::parse(&text(&conversation(&chat.hub).await["id"])).unwrap();
    let send = async |words: &str| {
        let wanted = Wanted {
            messages: vec![json!({ "type": "text", "text": words })],
            terms: Terms::FREE,
            origin: Origin::Agent,
            once: Some("usr_1 bubble".to_owned()),
        };
        let sent =
            service::send(chat.hub.hub(), &chat.hub.scope(), &Actor::System("test"), &id, wanted).await;
        sent.map(|messages| messages.iter().map(|m| m.id.to_string()).collect::<Vec<_>>())
            .map_err(|error| error.code)
    };
    let twins = join_all((0..8).map(|_| send("one"))).await;
    assert!(twins[0].is_ok() && twins.iter().all(|twin| *twin == twins[0]), "{twins:?}");
    assert_eq!(send("other").await, Err("idempotency_key_reused"));
    assert_eq!(chat.received().await, ["one"]);
    assert_eq!(send("one").await, twins[0]);
    assert_eq!(chat.received().await, ["one"]);
    chat.hub.close().await;
}

// Sending again is a send too: if it fails once more, a repeat of the call is not a third try.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_repeated_send_again_is_one(#[case] engine: Engine) {
    let Some(chat) = Chat::start(engine).await else { return };
    let fault =
        json!({ "on": "api", "path": "/v2/bot/message/reply", "kind": "status", "status": 400, "times": 2 });
    chat.hub.control.post("/faults", fault).await;
    let (_, sent) = chat.send(&["one"], false).await;
    chat.hub.settle().await;
    assert_eq!(delivery(&chat.hub, "one").await["state"], "failed");
    chat.friend.says(&chat.account, "and?").await;
    chat.hub.settle().await;
    let path = format!("/messages/{}/send-again", ids(&sent)[0]);
    let (status, _) = chat.call(&path, &json!({})).await;
    assert_eq!(status, 202);
    chat.hub.settle().await;
    assert_eq!(delivery(&chat.hub, "one").await["state"], "failed");
    chat.friend.says(&chat.account, "hello?").await;
    chat.hub.settle().await;
    chat.forget_calls().await;
    let (status, answer) = chat.call(&path, &json!({})).await;
    assert_eq!((status, &answer["delivery"]["state"]), (202, &json!("failed")));
    assert!(chat.received().await.is_empty());
    // A new decision is a new call.
    let _ = chat.hub.api().post(&path, json!({})).await.expect(202);
    assert_eq!(chat.received().await, ["one"]);
    chat.hub.close().await;
}
