//! The relay as pages: what owners see and do, what agents see, what is refused in words.

mod forms;
mod log;
mod states;

use std::time::Duration;

use axum::http::StatusCode;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Answer, Browser, Engine, LineUser, Receiver, TestHub};

struct Shop {
    hub: TestHub,
    account: Account,
    friend: LineUser,
    owner: Browser,
}

impl Shop {
    async fn open(engine: Engine) -> Option<Self> {
        let hub = TestHub::new().engine(engine).with_loops().start().await?;
        let account = hub.connect_account().await;
        let friend = hub.line_user("Mei").await;
        friend.follows(&account).await;
        let path = format!("/events?account_id={}", account.id);
        while hub.api().get(&path).await.expect(200)["items"].as_array().is_none_or(Vec::is_empty) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let owner = hub.owner().await;
        Some(Self { hub, account, friend, owner })
    }

    /// The list's address, and what stands below it.
    fn at(&self, path: &str) -> String {
        format!("/settings/accounts/{}/relay{path}", self.account.id)
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.owner.get(&self.at(path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.owner.submit(&self.at(""), &self.at(path), fields).await
    }

    /// Adds one by the form, signed with LINE's signature; gives its id.
    async fn add(&self, name: &str, url: &str) -> String {
        let fields = [("name", name), ("url", url), ("active", "1"), ("signing", "line")];
        let answer = self.owner.submit(&self.at("/new"), &self.at(""), &fields).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let to = answer.headers["location"].to_str().unwrap();
        to.rsplit('/').next().unwrap().to_owned()
    }

    async fn look(&self, id: &str) -> Value {
        self.hub.api().get(&format!("/destinations/{id}")).await.expect(200)
    }

    async fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..300 {
            let now = self.look(id).await;
            if wanted(&now) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("still {}", self.look(id).await);
    }

    async fn attempts(&self, id: &str) -> Vec<Value> {
        let path = format!("/destinations/{id}/deliveries");
        self.hub.api().get(&path).await.expect(200)["items"].as_array().unwrap().clone()
    }
}

async fn come(receiver: &Receiver, count: usize) {
    for _ in 0..300 {
        if receiver.received().len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} requests came, not {count}", receiver.received().len());
}

// S0-33, S0-34
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_system_is_added_listed_changed_and_deleted(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let empty = shop.page("").await;
    assert!(empty.contains("relay-empty") && empty.contains("/relay/new"), "{empty}");
    let form = shop.page("/new").await;
    assert!(form.contains("name=\"signing\" value=\"own\" checked"), "its own secret is recommended");
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let listed = shop.page("").await;
    assert!(listed.contains("CRM") && listed.contains(receiver.url.as_str()) && listed.contains("badge ok"));
    shop.friend.says(&shop.account, "hello").await;
    come(&receiver, 1).await;
    shop.until(&id, |now| now["last_delivery"]["status"] == 200).await;
    assert!(shop.page("").await.contains("relay-status\">200<"), "the last answer");
    let edit = shop.page(&format!("/{id}/edit")).await;
    assert!(edit.contains("value=\"CRM\""), "{edit}");
    let of = edit.split_once("name=\"of\" value=\"").unwrap().1.split('"').next().unwrap();
    let fields = [
        ("of", of),
        ("name", "訂單"),
        ("url", receiver.url.as_str()),
        ("active", "1"),
        ("signing", "line"),
        ("events", "message"),
        ("events", "postback"),
        ("sources", "user"),
        ("tags", "VIP、 老客戶,"),
        ("share", "20"),
        ("concurrency", "3"),
        ("rate", "7"),
        ("timeout_ms", "900"),
    ];
    assert_eq!(shop.submit(&format!("/{id}/edit"), &fields).await.status, 303);
    let now = shop.look(&id).await;
    let filter = json!({ "events": ["message", "postback"], "sources": ["user"], "tags": ["VIP", "老客戶"], "share": 20 });
    assert_eq!((&now["name"], &now["filter"]), (&json!("訂單"), &filter));
    assert_eq!((&now["concurrency"], &now["rate"], &now["timeout_ms"]), (&json!(3), &json!(7), &json!(900)));
    assert_eq!(shop.submit(&format!("/{id}/delete"), &[]).await.status, 303);
    assert!(shop.page("").await.contains("relay-empty"));
    assert_eq!(shop.owner.get(&shop.at(&format!("/{id}"))).await.status, 404);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn its_own_secret_is_shown_once_and_made_anew(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let fields = [("name", "CRM"), ("url", receiver.url.as_str()), ("active", "1"), ("signing", "own")];
    let made = shop.owner.submit(&shop.at("/new"), &shop.at(""), &fields).await;
    let made = shop.owner.get(made.headers["location"].to_str().unwrap()).await;
    let secret = |page: &str| {
        page.split_once("id=\"relay-secret-text\"").map(|(_, rest)| {
            let text = rest.split_once('>').unwrap().1.split('<').next().unwrap();
            text.to_owned()
        })
    };
    let first = secret(&made.body).expect("the secret is on the page");
    assert_eq!((made.status.as_u16(), first.len()), (200, 32));
    assert_eq!(made.headers["cache-control"], "no-store");
    let list = shop.hub.api().get(&format!("/accounts/{}/destinations", shop.account.id)).await.expect(200);
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(!shop.page(&format!("/{id}")).await.contains(&first), "shown once");
    // Paused while it is replaced, so that nothing is refused.
    let anew = shop.submit(&format!("/{id}/secret"), &[("pause", "1")]).await;
    let anew = shop.owner.get(anew.headers["location"].to_str().unwrap()).await;
    let second = secret(&anew.body).expect("the new secret");
    assert_ne!(first, second);
    assert_eq!(shop.look(&id).await["active"], false);
    assert_eq!(shop.submit(&format!("/{id}/active"), &[("on", "1")]).await.status, 303);
    shop.friend.says(&shop.account, "hello").await;
    come(&receiver, 1).await;
    let got = &receiver.received()[0];
    let signature = got.headers["x-line-signature"].to_str().unwrap();
    assert!(line_api::signature::verify(&second, &got.body, signature));
    shop.hub.close().await;
}

// S0-32
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let refused = async |fields: &[(&str, &str)]| {
        let answer = shop.owner.submit(&shop.at("/new"), &shop.at(""), fields).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        answer.body
    };
    let wrong = refused(&[
        ("name", ""),
        ("url", "ftp://crm.example/?a=1"),
        ("concurrency", "many"),
        ("share", "101"),
    ])
    .await;
    // A number that is none is said first; then all the rest at once.
    assert!(wrong.contains("f-concurrency-error") && wrong.contains("value=\"ftp://crm.example/?a=1\""));
    let wrong =
        refused(&[("name", ""), ("url", "ftp://crm.example/"), ("concurrency", "65"), ("share", "101")])
            .await;
    for field in ["name", "url", "concurrency", "share"] {
        assert!(wrong.contains(&format!("id=\"f-{field}-error\"")), "{field}: {wrong}");
    }
    let at = receiver.url.join("#part").unwrap();
    assert!(refused(&[("name", "a"), ("url", at.as_str())]).await.contains("id=\"f-url-error\""));
    for name in ["1", "2", "3", "4", "5"] {
        shop.add(name, receiver.url.as_str()).await;
    }
    let form = shop.page("/new").await;
    assert!(form.contains("TRUNKLINE_DESTINATIONS_MAX") && !form.contains("name=\"url\""), "{form}");
    let full = shop.page("").await;
    assert!(full.contains("TRUNKLINE_DESTINATIONS_MAX") && !full.contains("/relay/new"), "{full}");
    let fields = [("name", "6"), ("url", receiver.url.as_str())];
    let sixth = shop.owner.submit(&shop.at("/new"), &shop.at(""), &fields).await;
    assert_eq!(sixth.status, 409);
    assert!(
        sixth.body.contains("TRUNKLINE_DESTINATIONS_MAX") && sixth.body.contains("value=\"6\""),
        "{}",
        sixth.body
    );
    shop.hub.close().await;
}

// Who answers for free but cannot is named where it is chosen and where it is seen; deleting says what ends.
#[tokio::test]
async fn an_owner_of_free_replies_that_cannot_answer_is_named() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let answers = format!("/settings/accounts/{}/answers", shop.account.id);
    let chosen = shop.owner.submit(&answers, &format!("{answers}/replies"), &[("all", &id)]).await;
    assert!(chosen.headers["location"].to_str().unwrap().ends_with("/answers#replies"));
    let key = format!("{}/key\"", shop.at(&format!("/{id}")));
    let warned = shop.owner.get(&answers).await.body;
    assert!(warned.contains("CRM (no key to LINE yet)") && warned.contains(&key), "{warned}");
    let (list, page) = (shop.page("").await, shop.page(&format!("/{id}")).await);
    // The bot that LINE called before has the channel's own token: no warning.
    let note = "<p class=\"relay-row-note is-neutral\">";
    assert!(list.contains("Answers for free, without a key here") && list.contains(note), "{list}");
    assert!(list.contains(&key), "{list}");
    assert!(page.contains("but has no key") && page.contains("go back to the inbox"), "{page}");
    let made = shop.hub.api().post(&format!("/destinations/{id}/proxy-key"), json!({})).await.expect(201);
    for path in [String::new(), format!("/{id}")] {
        let page = shop.page(&path).await;
        assert!(!page.contains("but has no key") && !page.contains("without a key here"), "{page}");
        let ends = format!("Its key to LINE ends: tlp_…{}", made["hint"].as_str().unwrap());
        assert!(page.contains(&ends) && !page.contains("0 requests"), "{page}");
    }
    let stays = "The free replies stay with it until you change that under “Answers”.";
    assert!(shop.page(&format!("/{id}/key")).await.contains(stays), "revoking gives nothing back");
    assert_eq!(shop.submit(&format!("/{id}/active"), &[]).await.status, 303);
    assert!(shop.owner.get(&answers).await.body.contains("CRM (gets no events now)"));
    assert!(shop.page("").await.contains("but gets no events"));
    shop.hub.close().await;
}

#[tokio::test]
async fn what_stands_behind_an_addresss_question_mark_is_for_owners() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let url = receiver.url.join("?token=s3cret").unwrap();
    let fields = [("name", "CRM"), ("url", url.as_str()), ("active", "1"), ("signing", "own")];
    let made = shop.owner.submit(&shop.at("/new"), &shop.at(""), &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let list = shop.hub.api().get(&format!("/accounts/{}/destinations", shop.account.id)).await.expect(200);
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    let standard = json!({ "standard_webhooks": true });
    shop.hub.api().patch(&format!("/destinations/{id}"), standard).await.expect(200);
    shop.friend.says(&shop.account, "hello").await;
    shop.until(&id, |now| now["last_day"]["delivered"] == 1).await;
    let attempt = format!("/{id}/attempts/{}", shop.attempts(&id).await[0]["id"].as_str().unwrap());
    let mei = shop.hub.agent("mei@test.example", &[&shop.account.id]).await;
    for path in ["", &format!("/{id}"), &attempt] {
        let (owners, agents) = (shop.page(path).await, mei.get(&shop.at(path)).await.body);
        assert!(owners.contains("token=s3cret"), "{path}: {owners}");
        assert!(agents.contains("?token=••••") && !agents.contains("s3cret"), "{path}: {agents}");
    }
    // The command names what it wants, and makes the second signature too.
    let opened = shop.page(&attempt).await;
    for word in
        ["$DESTINATION_SECRET", "DESTINATION_SECRET, WEBHOOK_SECRET", "webhook-signature", "x-trunkline-hub"]
    {
        assert!(opened.contains(word), "{word}: {opened}");
    }
    assert!(!opened.contains("CHANNEL_SECRET"));
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_failure_is_seen_opened_and_mended(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let here = format!("/{id}");
    let tested = shop.submit(&format!("{here}/test"), &[]).await;
    assert!(tested.body.contains("relay-tried is-ok"), "{}", tested.body);
    receiver.answers(StatusCode::BAD_REQUEST, "who is <b>that</b>?");
    let tested = shop.submit(&format!("{here}/test"), &[]).await;
    assert!(
        tested.body.contains("relay-tried is-danger") && !tested.body.contains("<b>that"),
        "{}",
        tested.body
    );
    shop.friend.says(&shop.account, "it's me").await;
    shop.until(&id, |now| now["parked"] == 1).await;
    let page = shop.page(&here).await;
    assert!(page.contains("relay-status is-danger\">400<") && page.contains("/parked"), "{page}");
    // The attempt, with what was sent: no signature, no reply token, a command without a secret.
    let attempt = shop.attempts(&id).await[0].clone();
    let opened = shop.page(&format!("{here}/attempts/{}", attempt["id"].as_str().unwrap())).await;
    assert!(opened.contains("it&#39;s me") && opened.contains("who is &#60;b&#62;that"), "{opened}");
    let sent = receiver.received().last().unwrap().clone();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    let token = body["events"][0]["replyToken"].as_str().unwrap();
    assert!(!opened.contains(token) && !opened.contains(sent.headers["x-line-signature"].to_str().unwrap()));
    assert!(opened.contains("openssl dgst -sha256") && opened.contains("x-trunkline-delivery"));
    assert!(opened.contains("x-trunkline-hub") && !opened.contains("This may not be what was sent"));
    // The same by API.
    let path = format!("/destinations/{id}/deliveries/{}", attempt["id"].as_str().unwrap());
    let api = shop.hub.api().get(&path).await.expect(200);
    assert_eq!((&api["id"], &api["request"]["url"]), (&attempt["id"], &json!(receiver.url)));
    assert!(api["request"]["body"].as_str().unwrap().contains("it's me") && !api.to_string().contains(token));
    assert_eq!(api["request"]["may_differ"], false);
    // Changed since: what is shown is no longer said to be what was sent.
    shop.hub.advance(Duration::from_secs(1));
    let change = json!({ "standard_webhooks": true });
    shop.hub.api().patch(&format!("/destinations/{id}"), change).await.expect(200);
    let changed = shop.page(&format!("{here}/attempts/{}", attempt["id"].as_str().unwrap())).await;
    assert!(changed.contains("This may not be what was sent") && changed.contains("webhook-signature"));
    assert!(changed.contains("# Made of the destination as it is now"), "{changed}");
    assert_eq!(shop.hub.api().get(&path).await.expect(200)["request"]["may_differ"], true);
    let parked =
        shop.hub.api().get(&format!("/destinations/{id}/parked")).await.expect(200)["items"][0].clone();
    assert_eq!((&parked["state"], &parked["delivery_id"]), (&json!("refused"), &attempt["delivery_id"]));
    assert_eq!(parked["event_ids"], attempt["event_ids"]);
    assert_eq!(shop.look(&id).await["last_day"]["failed"], 1);
    // One that is not there changes nothing.
    let retry = format!("/destinations/{id}/retry");
    let nobody = json!({ "delivery_ids": [parked["delivery_id"], "dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV"] });
    let refused = shop.hub.api().post(&retry, nobody).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "delivery_ids[1]");
    assert_eq!(shop.look(&id).await["parked"], 1);
    // Two of three are tried again, then all.
    for (count, text) in [(2, "two"), (3, "three")] {
        shop.friend.says(&shop.account, text).await;
        shop.until(&id, |now| now["parked"] == count).await;
    }
    receiver.answers(StatusCode::OK, "");
    let listed = shop.page(&format!("{here}/parked")).await;
    let ticks: Vec<&str> = listed.split("name=\"delivery\" value=\"").skip(1).collect();
    let units: Vec<&str> = ticks.iter().map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!((units.len(), units[0]), (3, parked["delivery_id"].as_str().unwrap()), "{listed}");
    let nothing = shop.submit(&format!("{here}/parked"), &[]).await;
    assert_eq!(nothing.status, 303);
    let told = shop.page(&format!("{here}/parked?notice=nothing")).await;
    assert!(told.contains("role=\"alert\"") && told.contains(units[0]), "{told}");
    assert_eq!(shop.look(&id).await["parked"], 3, "nothing chosen is not everything");
    let chosen = [("delivery", units[0]), ("delivery", units[1])];
    assert_eq!(shop.submit(&format!("{here}/parked"), &chosen).await.status, 303);
    shop.until(&id, |now| now["parked"] == 1 && now["retrying"] == 0).await;
    // Its tries are counted anew; that a person wanted them is said.
    let log = shop.page(&here).await;
    assert_eq!(log.matches(">Sent again<").count(), 2, "{log}");
    let bodies: Vec<_> = receiver.received().into_iter().map(|one| one.body).collect();
    assert_eq!(bodies.iter().filter(|body| **body == sent.body).count(), 2);
    assert_eq!(shop.submit(&format!("{here}/parked"), &[("all", "1")]).await.status, 303);
    shop.until(&id, |now| now["parked"] == 0 && now["retrying"] == 0).await;
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_sent_is_sent_again(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let here = format!("/{id}");
    for text in ["one", "two"] {
        shop.friend.says(&shop.account, text).await;
    }
    come(&receiver, 2).await;
    shop.until(&id, |now| now["lag"]["events"] == 0 && now["last_day"]["delivered"] == 2).await;
    let attempts = shop.attempts(&id).await;
    let chosen = attempts.iter().find(|one| one["attempt"] == 1).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(shop.submit(&format!("{here}/again"), &[("attempt", &chosen)]).await.status, 303);
    come(&receiver, 3).await;
    let nothing = shop.submit(&format!("{here}/again"), &[]).await;
    assert!(nothing.headers["location"].to_str().unwrap().ends_with("?notice=nothing"), "nothing chosen");
    assert!(shop.page(&format!("{here}?notice=nothing")).await.contains("role=\"alert\""));
    let address = shop.owner.get(&shop.at(&format!("{here}/again"))).await;
    assert_eq!(address.headers["location"].to_str().unwrap(), shop.at(&here), "it is no page");
    // A time: first how many that are.
    let range = "since=2020-01-01T00:00&until=2099-01-01T00:00";
    let counted = shop.page(&format!("{here}/replay?{range}")).await;
    let follow_and_two = "3";
    assert!(counted.contains("id=\"relay-count\"") && counted.contains(follow_and_two), "{counted}");
    assert_eq!(receiver.received().len(), 3, "counting sends nothing");
    let turned = shop
        .owner
        .get(&shop.at(&format!("{here}/replay?since=2026-01-02T00:00&until=2026-01-01T00:00")))
        .await;
    assert!(turned.status == 422 && turned.body.contains("f-until-error"), "{}", turned.body);
    let fields = [("since", "2020-01-01T00:00"), ("until", "2099-01-01T00:00")];
    assert_eq!(shop.submit(&format!("{here}/replay"), &fields).await.status, 303);
    come(&receiver, 6).await;
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn it_is_paused_resumed_and_skipped(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let here = format!("/{id}");
    assert_eq!(shop.submit(&format!("{here}/active"), &[]).await.status, 303);
    assert_eq!(shop.look(&id).await["state"], "paused");
    assert!(shop.page(&here).await.contains("name=\"on\" value=\"1\""), "it can be resumed");
    assert_eq!(shop.submit(&format!("{here}/active"), &[("on", "1")]).await.status, 303);
    receiver.answers(StatusCode::SERVICE_UNAVAILABLE, "");
    shop.friend.says(&shop.account, "hello").await;
    shop.until(&id, |now| now["retrying"] == 1).await;
    assert!(shop.page(&here).await.contains("data-opens=\"relay-skip\""));
    assert_eq!(shop.submit(&format!("{here}/skip"), &[]).await.status, 303);
    shop.until(&id, |now| now["retrying"] == 0).await;
    let parked = shop.page(&format!("{here}/parked")).await;
    assert!(parked.contains("dlv_"), "what was skipped is listed: {parked}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_log_is_filtered_paged_and_drawn_in_parts(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    // All that fails is logged, of successes a sample; one now and then, because too many refusals in a row mean more.
    for n in 0..35 {
        let status = if n % 5 == 4 { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        receiver.answers(status, "");
        shop.friend.says(&shop.account, &format!("{n}")).await;
        let ended =
            |now: &Value| now["last_day"]["delivered"].as_i64().zip(now["last_day"]["failed"].as_i64());
        shop.until(&id, |now| ended(now).is_some_and(|(delivered, failed)| delivered + failed > n)).await;
    }
    assert_eq!(shop.look(&id).await["parked"], 28);
    let count = |page: &str| page.matches("class=\"relay-attempt\"").count();
    assert_eq!(count(&shop.page(&format!("/{id}")).await), 25);
    let first = shop.page(&format!("/{id}?outcome=failed")).await;
    assert_eq!(count(&first), 25);
    let foot = first.split_once("relay-pages").unwrap().1;
    let next = foot.split("before=").nth(1).unwrap().split('#').next().unwrap().to_owned();
    let second = shop.page(&format!("/{id}?outcome=failed&before={next}")).await;
    assert_eq!(count(&second), 3);
    let part = async |path: &str| {
        let request = shop.owner.request(Method::GET, &shop.at(path)).header("hx-request", "true");
        request.send().await.unwrap().text().await.unwrap()
    };
    let live = part(&format!("/{id}")).await;
    assert!(
        live.starts_with("<div class=\"relay-live\"") && live.contains("<rect class=\"is-failed\""),
        "{live}"
    );
    assert!(part(&format!("/{id}?part=log")).await.contains("class=\"relay-attempt\""));
    assert!(part("").await.starts_with("<ul class=\"relay-rows\""));
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn agents_of_the_account_look_and_owners_act_and_nobody_else_sees_anything(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    shop.friend.says(&shop.account, "hello").await;
    shop.until(&id, |now| now["last_day"]["delivered"] == 1).await;
    let attempt = shop.attempts(&id).await[0]["id"].as_str().unwrap().to_owned();
    let mei = shop.hub.agent("mei@test.example", &[&shop.account.id]).await;
    let stranger = shop.hub.agent("new@test.example", &[]).await;
    let seen = ["", &format!("/{id}"), &format!("/{id}/parked"), &format!("/{id}/attempts/{attempt}")];
    for path in seen {
        let page = mei.get(&shop.at(path)).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains(&format!("action=\"{}", shop.at(&format!("/{id}")))), "no act at {path}");
        assert_eq!(stranger.get(&shop.at(path)).await.status, 404, "{path}");
        assert_eq!(shop.hub.anon().get(&shop.at(path)).await.status, 303, "{path}");
    }
    let led = mei.get(&format!("/destinations/{id}")).await;
    assert_eq!(led.headers["location"].to_str().unwrap(), shop.at(&format!("/{id}")));
    assert_eq!(stranger.get(&format!("/destinations/{id}")).await.status, 404);
    for (path, back) in [
        ("/new".to_owned(), String::new()),
        (format!("/{id}/edit"), format!("/{id}")),
        (format!("/{id}/replay"), format!("/{id}")),
        (format!("/{id}/key"), format!("/{id}")),
    ] {
        let refused = mei.get(&shop.at(&path)).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.body.contains(&format!("href=\"{}\"", shop.at(&back))), "{path}: {}", refused.body);
    }
    let list = mei.get(&shop.at("")).await.body;
    assert!(list.contains("See who answers for free") && !list.contains("Change who answers"), "{list}");
    let page = mei.get(&shop.at(&format!("/{id}"))).await.body;
    assert!(!page.contains("card-foot"), "no foot without anything in it: {page}");
    let acts = ["edit", "secret", "active", "hurry", "test", "skip", "delete", "parked", "replay", "again"];
    for act in acts {
        let path = shop.at(&format!("/{id}/{act}"));
        assert_eq!(mei.submit("/settings/profile", &path, &[]).await.status, 403, "{act}");
        assert_ne!(stranger.submit("/settings/profile", &path, &[]).await.status, 303, "{act}");
        // Without the token of a page nothing is done.
        let bare = shop.owner.request(Method::POST, &path).send().await.unwrap();
        assert_eq!(bare.status(), 403, "{act}");
    }
    // An address that names another account leads nowhere.
    let other = shop.hub.connect_account().await;
    assert_eq!(shop.owner.get(&format!("/settings/accounts/{}/relay/{id}", other.id)).await.status, 404);
    assert_eq!(shop.look(&id).await["state"], "healthy");
    shop.hub.close().await;
}
