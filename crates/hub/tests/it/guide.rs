//! The guided set-up over HTTP: what it asks, what it keeps, what it watches, and who may see it.

use hub::accounts::guide::Has;
use hub::accounts::guide::service;
use hub::accounts::service::NewAccount;
use hub::ids::{Id as _, SetupId};
use hub::scope::Scope;
use hub::team::{self, Actor};
use rstest::rstest;
use serde_json::json;
use testkit::{Browser, Engine, LineUser, TestHub};

pub(super) const NEW: &str = "/settings/accounts/new";
pub(super) const LIST: &str = "/settings/accounts";

/// Begins a set-up with what is there already; gives its address.
pub(super) async fn begin(browser: &Browser, has: &str) -> String {
    let answer = browser.submit(NEW, "/settings/accounts/setups", &[("has", has)]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// Where an address leads.
async fn leads(browser: &Browser, address: &str) -> String {
    let answer = browser.get(address).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// What a page that waits asks for; nothing when nothing is new.
async fn live(browser: &Browser, root: &str, seen: &str) -> (u16, String) {
    let path = format!("{root}/live?seen={seen}&until={}", i64::MAX);
    let answer =
        browser.request(reqwest::Method::GET, &path).header("hx-request", "true").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The word for what the page has shown.
fn seen(html: &str) -> String {
    html.split("data-state=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

// S0-04, S0-07, S0-12, S0-14, S0-19, S0-20, S1-09, S1-10, S1-12, S1-14, S2-12, S4-18: only the stages that are needed, each with
// its state; what is for good is told before the link; ticks stay, also for another browser.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_set_up_shows_what_is_needed_and_keeps_how_far_it_is(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let owner = hub.owner().await;
    let has_account = begin(&owner, "account").await;
    assert!(leads(&owner, &has_account).await.ends_with("/enable"));
    let page = owner.get(&format!("{has_account}/enable")).await.body;
    assert!(!page.contains("Create the account"), "the first part is for those without an account");
    let root = begin(&owner, "nothing").await;
    assert!(leads(&owner, &root).await.ends_with("/create"));
    let page = owner.get(&format!("{root}/create")).await.body;
    assert_eq!(page.matches("role=\"img\"").count(), 3, "each step has its drawing");
    assert!(page.contains("after 7 days") && page.contains("account.line.biz/signup"));
    let tick = format!("{root}/steps/form");
    assert_eq!(owner.submit(&format!("{root}/create"), &tick, &[("on", "1")]).await.status, 303);
    // Another browser of the same owner finds the tick, with who and when.
    let other = hub.owner().await;
    let page = other.get(&format!("{root}/create")).await.body;
    assert_eq!(page.matches("guide-tick-button\" aria-pressed=\"true\"").count(), 1, "{page}");
    assert!(other.get(LIST).await.body.contains(&root), "the list offers to continue");
    assert_eq!(
        other.submit(&format!("{root}/create"), &format!("{root}/stages/create"), &[]).await.status,
        303
    );
    assert!(leads(&owner, &root).await.ends_with("/enable"));
    // The link to the click that cannot be taken back is given only after that was confirmed.
    let page = owner.get(&format!("{root}/enable")).await.body;
    assert!(page.contains("for good") && !page.contains("https://manager.line.biz/"), "{page}");
    let skip = owner.submit(&format!("{root}/enable"), &format!("{root}/stages/enable"), &[]).await;
    assert!(skip.headers["location"].to_str().unwrap().ends_with("#step-agree"));
    let agree = format!("{root}/agree");
    let refused =
        owner.submit(&format!("{root}/enable"), &agree, &[("provider", " "), ("kind", "new")]).await;
    assert!(refused.status == 422 && refused.body.contains("Name the Provider"), "{}", refused.body);
    let fields = [("provider", "三杯茶股份有限公司"), ("kind", "login")];
    assert_eq!(owner.submit(&format!("{root}/enable"), &agree, &fields).await.status, 303);
    let page = owner.get(&format!("{root}/enable")).await.body;
    assert!(page.contains("三杯茶股份有限公司") && page.contains("https://manager.line.biz/"));
    assert!(page.contains("Choose the Provider of your LINE Login channel"), "only the case that was chosen");
    assert!(!page.contains("Do not make another"));
    assert_eq!(
        owner.submit(&format!("{root}/enable"), &format!("{root}/stages/enable"), &[]).await.status,
        303
    );
    assert!(leads(&owner, &root).await.ends_with("/connect"));
    assert_eq!(owner.submit(NEW, &format!("{root}/forget"), &[]).await.status, 303);
    assert_eq!(owner.get(&root).await.status, 404);
    hub.close().await;
}

// S0-28, S1-07, S1-25, S1-29, S1-37, S1-38, S3-16, S3-19, S4-35: two values; then the switch is read back and the first message is
// waited for.
#[tokio::test]
async fn the_switch_and_the_first_message_turn_the_page_green() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let channel = hub.channel("三杯茶").await;
    let id = channel["channelId"].as_str().unwrap();
    hub.control.patch(&format!("/channels/{id}"), json!({ "useWebhook": false })).await;
    let form = format!("{NEW}?has=api");
    let wrong = [("channel_id", id), ("channel_secret", "0000"), ("set_webhook", "1"), ("has", "api")];
    let refused = owner.submit(&form, NEW, &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("is-failed") && refused.body.contains(id), "the stage says that it failed");
    let setup =
        refused.body.split("name=\"setup\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let root = format!("{LIST}/setups/{setup}");
    // Left and found again: the channel's ID is there, the secret nowhere.
    let page = owner.get(&format!("{root}/connect")).await.body;
    assert!(page.contains(id) && !page.contains("\"0000\""));
    // S3-23
    assert!(page.contains(&format!("https://developers.line.biz/console/channel/{id}/basics")), "{page}");
    let secret = channel["channelSecret"].as_str().unwrap();
    let right =
        [("channel_id", id), ("channel_secret", secret), ("set_webhook", "1"), ("setup", setup.as_str())];
    let done = owner.submit(&form, NEW, &right).await;
    assert_eq!(done.headers["location"].to_str().unwrap(), format!("{root}/webhook"));
    let page = owner.get(&format!("{root}/webhook")).await.body;
    assert!(
        page.contains("三杯茶")
            && page.contains("2 steps left")
            && page.contains("id=\"webhook-url\"")
            && !page.contains(secret)
    );
    assert!(
        page.contains("is-waiting\" id=\"check-webhook\"")
            && page.contains("is-locked\" id=\"check-message\"")
    );
    let before = seen(&page);
    assert_eq!(live(&owner, &root, &before).await.0, 204, "nothing is new");
    // LINE is asked again after five seconds, not at every look.
    hub.control.patch(&format!("/channels/{id}"), json!({ "useWebhook": true })).await;
    assert_eq!(live(&owner, &root, &before).await.0, 204);
    hub.advance(std::time::Duration::from_secs(6));
    let (status, html) = live(&owner, &root, &before).await;
    assert!(status == 200 && html.contains("is-done\" id=\"check-webhook\""), "{html}");
    assert!(
        html.contains("guide-qr") && html.contains("One step left") && html.contains("hx-swap-oob"),
        "the stages change with it: {html}"
    );
    let accounts = hub.api().get("/accounts").await.expect(200);
    let account = testkit::Account {
        id: accounts["items"][0]["id"].as_str().unwrap().to_owned(),
        webhook_url: accounts["items"][0]["webhook_url"].as_str().unwrap().parse().unwrap(),
        channel_id: id.to_owned(),
        channel_secret: secret.to_owned(),
        bot_user_id: channel["botUserId"].as_str().unwrap().to_owned(),
        connected: accounts["items"][0].clone(),
    };
    let friend: LineUser = hub.line_user("林小晴").await;
    friend.follows(&account).await;
    hub.settle().await;
    let (_, html) = live(&owner, &root, "").await;
    assert!(html.contains("is a friend now") && !html.contains("Your first message arrived"), "{html}");
    friend.says(&account, "還有 <b>冷泡茶</b> 嗎？").await;
    hub.settle().await;
    let (_, html) = live(&owner, &root, "").await;
    assert!(html.contains("Your first message arrived") && html.contains("/inbox/cnv_"), "{html}");
    assert!(!html.contains("<b>冷泡茶") && !html.contains("every 3s"), "text is text, and the waiting ends");
    assert!(!owner.get(LIST).await.body.contains(&root), "it is done");
    let page = owner.get(&format!("{root}/done")).await.body;
    assert!(page.contains("/settings/people") && page.contains("/answers"));
    hub.close().await;
}

// Point "taking over": the other system's address is shown, and both ways are open.
#[tokio::test]
async fn another_systems_address_may_be_left_as_it_is() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let channel = hub.channel("三杯茶").await;
    let id = channel["channelId"].as_str().unwrap();
    let theirs = "https://crm.example/hook";
    let set = json!({ "webhookEndpoint": theirs, "useWebhook": true });
    hub.control.patch(&format!("/channels/{id}"), set).await;
    let secret = channel["channelSecret"].as_str().unwrap();
    let fields = [("channel_id", id), ("channel_secret", secret), ("set_webhook", "1")];
    let asked = owner.submit(NEW, NEW, &fields).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    let asked = owner.get(asked.headers["location"].to_str().unwrap()).await;
    assert!(asked.status == 200 && asked.body.contains("crm.example") && asked.body.contains(theirs));
    assert!(asked.body.contains("is-now is-here"), "a question is no failure: {}", asked.body);
    let token =
        asked.body.split("name=\"leave\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let left = owner.submit(NEW, NEW, &[("leave", &token)]).await;
    assert_eq!(left.status, 303, "{}", left.body);
    let console = hub.control.get(&format!("/channels/{id}")).await;
    assert_eq!(console["webhookEndpoint"], theirs);
    let page = owner.get(left.headers["location"].to_str().unwrap()).await.body;
    assert!(page.contains("is-failed\" id=\"check-webhook\"") && page.contains(theirs), "{page}");
    hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_set_up_is_the_owners_and_the_tenants_own(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let owner = hub.owner().await;
    let root = begin(&owner, "nothing").await;
    let agent = hub.agent("agent@test.example", &[]).await;
    for path in [NEW.to_owned(), root.clone(), format!("{root}/create"), format!("{root}/live")] {
        assert_eq!(agent.get(&path).await.status, 403, "{path}");
    }
    assert!(!agent.get(LIST).await.body.contains(&root));
    assert_eq!(agent.get("/settings/help").await.status, 200, "help is for everybody");
    let stranger = Actor::System("test");
    let tenant = team::service::create_tenant(hub.hub(), "四杯茶", None, &stranger).await.unwrap();
    let scope = Scope::tenant_wide(tenant.id);
    let id = SetupId::parse(root.rsplit('/').next().unwrap()).unwrap();
    assert_eq!(service::get(hub.hub(), &scope, &id).await.unwrap_err().code, "not_found");
    assert_eq!(service::forget(hub.hub(), (&scope, &stranger), &id).await.unwrap_err().code, "not_found");
    assert!(service::open(hub.hub(), &scope).await.unwrap().is_empty());
    assert_eq!(service::open(hub.hub(), &hub.scope()).await.unwrap().len(), 1);
    hub.close().await;
}

// S0-09, S0-10, S0-11, S1-11, S1-49, S2-08, S2-17, S3-25, S3-27, S3-28, S4-27..31
#[tokio::test]
async fn the_help_tells_where_what_is_and_what_costs() {
    let Some(hub) = TestHub::new().start().await else { return };
    let page = hub.owner().await.get("/settings/help").await.body;
    for anchor in [
        "create", "enable", "connect", "webhook", "message", "consoles", "cost", "tokens", "channels",
        "login", "access",
    ] {
        assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
    for told in [
        "Webhook redelivery",
        "Reply",
        "1 per person",
        "Stateless",
        "Clova",
        "generate-json-web-token",
        "pricing",
    ] {
        assert!(page.contains(told), "{told}");
    }
    assert!(!page.contains("NT$") && !page.contains('¥'), "prices are LINE's");
    hub.close().await;
}

/// The set-ups that the list offers to continue.
async fn offered(owner: &Browser) -> Vec<String> {
    let list = owner.get(LIST).await.body;
    let links = list.split("class=\"button primary\" href=\"").skip(1);
    let roots = links.map(|rest| rest.split('"').next().unwrap().to_owned());
    roots.filter(|href| href.contains("/setups/")).collect()
}

// However often a channel is tried, one set-up waits for it; none when it is connected, whichever way, and none for another
// try then.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn tries_of_one_channel_share_a_set_up(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let owner = hub.owner().await;
    let (one, two) = (hub.channel("一杯茶").await, hub.channel("二杯茶").await);
    let id = |channel: &serde_json::Value| channel["channelId"].as_str().unwrap().to_owned();
    let form = format!("{NEW}?has=api");
    for _ in 0..3 {
        for channel in [id(&one), id(&two), "not an id".to_owned()] {
            let wrong = [("channel_id", channel.as_str()), ("channel_secret", "0000"), ("set_webhook", "1")];
            assert_eq!(owner.submit(&form, NEW, &wrong).await.status, 422);
        }
    }
    assert_eq!(offered(&owner).await.len(), 3, "one for each channel, and one for what was none");
    let secret = one["channelSecret"].as_str().unwrap();
    let right = [("channel_id", &*id(&one)), ("channel_secret", secret), ("set_webhook", "1")];
    let done = owner.submit(&form, NEW, &right).await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert_eq!(
        offered(&owner).await.len(),
        3,
        "the one that goes on with the webhook, and those of the others"
    );
    let before = offered(&owner).await;
    for secret in ["0000", secret] {
        let again = [("channel_id", &*id(&one)), ("channel_secret", secret), ("set_webhook", "1")];
        let refused = owner.submit(&form, NEW, &again).await;
        assert!(refused.status == 422 || refused.status == 409, "{}", refused.body);
        assert!(refused.body.contains("is-failed"), "{}", refused.body);
    }
    assert_eq!(offered(&owner).await, before, "a connected channel needs none");
    // A set-up that was forgotten while its channel was tried is not named: there is nothing to show of it.
    let (scope, gone) = (hub.scope(), SetupId::parse(&format!("set_{}", "0".repeat(26))));
    let new = NewAccount {
        channel_id: id(&one),
        channel_secret: line_client::Secret::from("0000"),
        access_token: None,
        signing_key: None,
        line_id: None,
        set_webhook: true,
        take_over: false,
        pass_on: false,
        keeps_replies: false,
    };
    let who = (&scope, &Actor::System("test"));
    let (refused, kept) = service::connect(hub.hub(), who, (gone, Has::Api), &new, &|_, _| {}).await;
    assert_eq!((refused.unwrap_err().status.as_u16(), kept.unwrap()), (422, None));
    let secret = two["channelSecret"].as_str().unwrap();
    hub.api()
        .post("/accounts", json!({ "channel_id": id(&two), "channel_secret": secret }))
        .await
        .expect(201);
    assert_eq!(offered(&owner).await.len(), 2, "connected by a program, it has nothing left to continue");
    hub.close().await;
}

/// How often LINE was asked by the hub for something below `/v2/bot`.
async fn calls(hub: &TestHub) -> Vec<String> {
    let requests = hub.control.get("/requests").await;
    let paths =
        requests["items"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap().to_owned());
    paths.filter(|path| path.starts_with("/v2/bot")).collect()
}

// PLATFORM 5: 1,000 questions a minute for the webhook. Looking is bounded: one call in five seconds for each account, nothing else
// while nothing changed, and an end after ten minutes.
#[tokio::test]
async fn waiting_asks_line_seldom_and_not_for_ever() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let channel = hub.channel("三杯茶").await;
    let id = channel["channelId"].as_str().unwrap();
    hub.control.patch(&format!("/channels/{id}"), json!({ "useWebhook": false })).await;
    let secret = channel["channelSecret"].as_str().unwrap();
    let right = [("channel_id", id), ("channel_secret", secret), ("set_webhook", "1")];
    let done = owner.submit(&format!("{NEW}?has=api"), NEW, &right).await;
    let root = done.headers["location"].to_str().unwrap().trim_end_matches("/webhook").to_owned();
    let page = owner.get(&format!("{root}/webhook")).await.body;
    assert!(page.contains("every 3s") && page.contains("data-rests-hidden"), "{page}");
    let before = calls(&hub).await.len();
    for _ in 0..3 {
        hub.advance(std::time::Duration::from_secs(6));
        for _ in 0..5 {
            live(&owner, &root, "").await;
        }
    }
    let asked = calls(&hub).await.split_off(before);
    assert_eq!(asked, ["/v2/bot/channel/webhook/endpoint"; 3], "three times five seconds");
    // A silent LINE is not asked more often.
    hub.control.post("/faults", json!({ "on": "api", "kind": "status", "status": 500 })).await;
    hub.advance(std::time::Duration::from_secs(6));
    let before = calls(&hub).await.len();
    for _ in 0..5 {
        live(&owner, &root, "").await;
    }
    assert!(calls(&hub).await.len() - before <= 3, "one question, with the client's repetitions");
    hub.control.delete("/faults").await;
    // The time is over: the page says so and offers to look again; that starts it anew.
    let until = page.split("until=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    hub.advance(std::time::Duration::from_secs(600));
    let path = format!("{root}/live?seen=&until={until}");
    let answer =
        owner.request(reqwest::Method::GET, &path).header("hx-request", "true").send().await.unwrap();
    let html = answer.text().await.unwrap();
    assert!(!html.contains("hx-get") && html.contains("guide-rests"), "{html}");
    assert!(owner.get(&format!("{root}/webhook")).await.body.contains("every 3s"));
    hub.close().await;
}

// S4-35: only what a friend sends, and only since this connection.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn only_a_friends_message_since_connecting_counts_as_the_first(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    friend.says(&account, "之前的訊息").await;
    hub.settle().await;
    hub.api().delete(&format!("/accounts/{}", account.id)).await.expect(204);
    hub.advance(std::time::Duration::from_secs(20));
    let owner = hub.owner().await;
    let fields = [("channel_id", &*account.channel_id), ("channel_secret", &*account.channel_secret)];
    let done = owner.submit(NEW, NEW, &[&fields[..], &[("set_webhook", "1")]].concat()).await;
    assert_eq!(done.status, 303, "{}", done.body);
    let root = done.headers["location"].to_str().unwrap().trim_end_matches("/webhook").to_owned();
    let waits = |html: &str| !html.contains("is-done\" id=\"check-message\"");
    let page = owner.get(&format!("{root}/webhook")).await.body;
    assert!(waits(&page) && !page.contains("之前的訊息"), "what came before does not count: {page}");
    // An answer of ours moves the conversation up; it is no friend's message.
    let conversations = hub.api().get("/conversations").await.expect(200);
    let conversation = conversations["items"][0]["id"].as_str().unwrap();
    let answer = json!({ "messages": [{ "type": "text", "text": "我們回來了" }] });
    hub.api().post(&format!("/conversations/{conversation}/messages"), answer).await.expect(202);
    hub.settle().await;
    let page = owner.get(&format!("{root}/webhook")).await.body;
    assert!(waits(&page) && !page.contains("我們回來了"), "{page}");
    friend.says(&account, "我又來了").await;
    hub.settle().await;
    let page = owner.get(&format!("{root}/webhook")).await.body;
    assert!(!waits(&page) && page.contains("我又來了"), "{page}");
    hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn programs_keep_set_ups_as_people_do(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let api = hub.api();
    let made = api.post("/setups", json!({ "has": "account" })).await.expect(201);
    let path = format!("/setups/{}", made["id"].as_str().unwrap());
    assert_eq!(made["stages"][0], json!({ "stage": "enable", "state": "now" }));
    assert_eq!(made["provider"], json!(null));
    let refused = api.post("/setups", json!({ "has": "much" })).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "has");
    // What is for good comes first, and a refusal changes nothing.
    let early = api.patch(&path, json!({ "has": "nothing", "ticks": { "enable": true } })).await.expect(422);
    assert_eq!(early["errors"][0]["code"], "not_agreed");
    for wrong in [json!({ "ticks": { "agree": true } }), json!({ "ticks": { "jump": true } })] {
        assert_eq!(api.patch(&path, wrong).await.expect(422)["errors"][0]["field"], "ticks");
    }
    let nameless = json!({ "has": "nothing", "provider": { "name": " ", "kind": "new" } });
    assert_eq!(api.patch(&path, nameless).await.expect(422)["errors"][0]["field"], "provider.name");
    assert_eq!(api.get(&path).await.expect(200)["has"], "account");
    let change = json!({ "has": "nothing", "provider": { "name": "三杯茶", "kind": "existing" },
        "ticks": { "form": true, "enable": true } });
    let changed = api.patch(&path, change).await.expect(200);
    assert_eq!(changed["provider"], json!({ "name": "三杯茶", "kind": "existing" }));
    assert_eq!(changed["stages"].as_array().unwrap().len(), 5);
    let ticks: Vec<&str> =
        changed["ticks"].as_array().unwrap().iter().map(|tick| tick["step"].as_str().unwrap()).collect();
    assert_eq!(ticks, ["agree", "enable", "form"]);
    let changed = api.patch(&path, json!({ "ticks": { "form": false } })).await.expect(200);
    assert_eq!(changed["ticks"].as_array().unwrap().len(), 2);
    // The page shows what the program did.
    let page =
        hub.owner().await.get(&format!("{LIST}/setups{}/enable", path.trim_start_matches("/setups"))).await;
    assert!(page.status == 303 || page.body.contains("三杯茶"), "{}", page.body);
    api.post("/setups", json!({ "has": "login" })).await.expect(201);
    let first = api.get("/setups?limit=1").await.expect(200);
    assert_eq!(first["items"][0]["id"], made["id"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("/setups?limit=1&cursor={cursor}")).await.expect(200);
    assert!(second["items"][0]["has"] == "login" && second["next_cursor"].is_null(), "{second}");
    // Another tenant's key finds nothing, one that may only read changes nothing.
    let stranger = hub.stranger("四杯茶").await;
    stranger.get(&path).await.expect(404);
    stranger.patch(&path, json!({ "has": "api" })).await.expect(404);
    stranger.delete(&path).await.expect(404);
    assert_eq!(stranger.get("/setups").await.expect(200)["items"], json!([]));
    let reader = hub.api_with(&[team::KeyScope::Read]).await;
    reader.get(&path).await.expect(200);
    reader.delete(&path).await.expect(403);
    api.delete(&path).await.expect(204);
    api.get(&path).await.expect(404);
    hub.close().await;
}

// S1-17, S2-10, S2-13, S2-15, S2-18, S3-10..S3-15, S3-23, S3-29, S4-28, S4-30: the guided steps say what is to be done, link to
// where, and show it.
#[tokio::test]
async fn each_guided_step_says_links_and_shows() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let shows = async |path: &str, all: &[&str]| {
        let page = owner.get(path).await.body;
        for told in all {
            assert!(page.contains(told), "{path}: {told} {page}");
        }
        let (drawings, named) =
            (page.matches("role=\"img\"").count(), page.matches("role=\"img\" aria-label").count());
        assert!(drawings > 0 && drawings == named, "{path}: each picture has words");
    };
    let root = begin(&owner, "nothing").await;
    // S3-10, S3-11, S2-13
    let create = [
        "account.line.biz/signup",
        "Sign in to LINE Business ID",
        "Fill in the form",
        "after 1 hour",
        "https://manager.line.biz",
    ];
    shows(&format!("{root}/create"), &create).await;
    let _ = owner.submit(&format!("{root}/create"), &format!("{root}/stages/create"), &[]).await;
    let fields = [("provider", "三杯茶"), ("kind", "new")];
    let _ = owner.submit(&format!("{root}/enable"), &format!("{root}/agree"), &fields).await;
    // S3-12, S3-13, S3-14, S3-15, S2-15
    let enable = [
        "Enable Messaging API",
        "Create a provider",
        "You may leave both empty",
        "Check the names of account and Provider",
        "In use",
    ];
    shows(&format!("{root}/enable"), &enable).await;
    // S1-17, S3-16
    let connect =
        ["OA Manager shows them too", "same channel ID and channel secret", "developers.line.biz/console"];
    shows(&format!("{NEW}?has=api"), &connect).await;
    // S3-23, S3-21: the pair is made, and the page says where LINE takes its public half.
    let channel = hub.channel("三杯茶").await;
    let id = channel["channelId"].as_str().unwrap();
    let made = owner
        .submit(
            &format!("{NEW}?has=api&path=key"),
            "/settings/accounts/setups/keys",
            &[("has", "api"), ("channel_id", id)],
        )
        .await;
    let at = made.headers["location"].to_str().unwrap().to_owned();
    shows(&at, &["Register a public key", "Assertion Signing Key", "developers.line.biz/console", "kid"])
        .await;
    // S4-28, S4-30, S2-18
    let login = [
        "Create it under the same Provider",
        "region of service and country",
        "Paste the callback URL",
        "From developing to published",
        "Use webhook",
    ];
    shows("/settings/help", &login).await;
    hub.close().await;
}

// S4-30, S3-05, S1-09: somebody with a Login channel sees its stage; what the set-up says and the doctor agree; an own account
// that is connected already is linked.
#[tokio::test]
async fn the_set_up_leads_to_line_login_and_to_the_account_that_is_there() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let fresh = owner.get(&format!("{NEW}?has=login")).await.body;
    assert!(fresh.contains("Set up LINE Login") && fresh.contains("Stage 1 of 4"), "{fresh}");
    assert!(!owner.get(&format!("{NEW}?has=api")).await.body.contains("Set up LINE Login"));
    let token = owner.get(&format!("{NEW}?has=api&path=token")).await.body;
    assert!(!token.contains("Left empty") && token.contains("It is checked to be this channel"), "{token}");
    let channel = hub.channel("三杯茶").await;
    let (id, secret) = (channel["channelId"].as_str().unwrap(), channel["channelSecret"].as_str().unwrap());
    let form = [("has", "login"), ("channel_id", id), ("channel_secret", secret), ("set_webhook", "1")];
    let connected = owner.submit(&format!("{NEW}?has=login"), NEW, &form).await;
    assert_eq!(connected.status, 303, "{}", connected.body);
    let root = connected.headers["location"].to_str().unwrap().trim_end_matches("/webhook").to_owned();
    let account = hub.api().get("/accounts").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let page = format!("/settings/accounts/{account}");
    assert_eq!(leads(&owner, &format!("{root}/login")).await, format!("{page}/login"));
    let result = owner.get(&format!("{root}/webhook")).await.body;
    assert!(
        result.contains("LINE accepts the credentials") && result.contains("test reached this hub"),
        "{result}"
    );
    let checks = hub.api().get(&format!("/accounts/{account}/doctor")).await.expect(200);
    let test =
        checks["checks"].as_array().unwrap().iter().find(|check| check["code"] == "webhook_test").cloned();
    assert_eq!(test.as_ref().map(|test| &test["status"]), Some(&json!("ok")), "{checks}");
    assert!(owner.get(&format!("{root}/done")).await.body.contains(&format!("href=\"{page}/login\"")));
    // After the first message its stage is what is left, until the account has a Login channel.
    let connected = hub.api().get(&format!("/accounts/{account}")).await.expect(200);
    let account_at_line = testkit::Account {
        id: account.clone(),
        webhook_url: connected["webhook_url"].as_str().unwrap().parse().unwrap(),
        channel_id: id.to_owned(),
        channel_secret: secret.to_owned(),
        bot_user_id: channel["botUserId"].as_str().unwrap().to_owned(),
        connected,
    };
    let friend = hub.line_user("小雨").await;
    friend.follows(&account_at_line).await;
    friend.says(&account_at_line, "今天有營業嗎").await;
    hub.settle().await;
    let setups = async || hub.api().get("/setups").await.expect(200)["items"][0].clone();
    assert_eq!(owner.get(&format!("{root}/webhook")).await.status, 200);
    assert!(setups().await["done_at"].is_string());
    assert_eq!(leads(&owner, &root).await, format!("{root}/login"));
    assert_eq!(offered(&owner).await, std::slice::from_ref(&root));
    let made = json!({ "providerId": channel["providerId"], "type": "login", "name": "Login" });
    let made = hub.control.post("/channels", made).await;
    let body =
        json!({ "login_channel_id": made["channelId"], "login_channel_secret": made["channelSecret"] });
    hub.api().patch(&format!("/accounts/{account}"), body).await.expect(200);
    assert!(offered(&owner).await.is_empty());
    assert_eq!(leads(&owner, &root).await, format!("{root}/login"), "the last, when all are done");
    // Connected already: here it is; another team's is not named.
    let held = owner.submit(&format!("{NEW}?has=api"), NEW, &form).await;
    assert!(held.status == 409 && held.body.contains(&format!("href=\"{page}\"")), "{}", held.body);
    let body = json!({ "channel_id": id, "channel_secret": secret });
    let own = hub.api().post("/accounts", body.clone()).await;
    assert_eq!((own.status.as_u16(), &own.json()["account_id"]), (409, &json!(account)));
    let theirs = hub.stranger("四杯茶").await.post("/accounts", body).await;
    assert!(theirs.status.as_u16() == 409 && !theirs.body.contains(&account), "{}", theirs.body);
    hub.close().await;
}
