//! The guided set-up over HTTP: what it asks, what it keeps, what it watches, and who may see it.

use hub::accounts::guide::service;
use hub::ids::{Id as _, SetupId};
use hub::scope::Scope;
use hub::team::{self, Actor};
use rstest::rstest;
use serde_json::json;
use testkit::{Browser, Engine, LineUser, TestHub};

const NEW: &str = "/settings/accounts/new";
const LIST: &str = "/settings/accounts";

/// Begins a set-up with what is there already; gives its address.
async fn begin(browser: &Browser, has: &str) -> String {
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
    let path = format!("{root}/live?seen={seen}");
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
    let secret = channel["channelSecret"].as_str().unwrap();
    let right =
        [("channel_id", id), ("channel_secret", secret), ("set_webhook", "1"), ("setup", setup.as_str())];
    let done = owner.submit(&form, NEW, &right).await;
    assert_eq!(done.headers["location"].to_str().unwrap(), format!("{root}/webhook"));
    let page = owner.get(&format!("{root}/webhook")).await.body;
    assert!(page.contains("三杯茶") && page.contains("id=\"webhook-url\"") && !page.contains(secret));
    assert!(
        page.contains("is-waiting\" id=\"check-webhook\"")
            && page.contains("is-locked\" id=\"check-message\"")
    );
    let before = seen(&page);
    assert_eq!(live(&owner, &root, &before).await.0, 204, "nothing is new");
    // LINE is asked again after two seconds, not at every look.
    hub.control.patch(&format!("/channels/{id}"), json!({ "useWebhook": true })).await;
    assert_eq!(live(&owner, &root, &before).await.0, 204);
    hub.advance(std::time::Duration::from_secs(3));
    let (status, html) = live(&owner, &root, &before).await;
    assert!(status == 200 && html.contains("is-done\" id=\"check-webhook\""), "{html}");
    assert!(html.contains("guide-qr") && html.contains("hx-swap-oob"), "the stages change with it: {html}");
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
    assert!(asked.status == 409 && asked.body.contains("crm.example") && asked.body.contains(theirs));
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

// S0-23: a secret that was pasted into the wrong field is neither shown again nor kept.
#[tokio::test]
async fn a_secret_in_the_wrong_field_is_not_kept() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let secret = "8436631985e92e8b5d34de04733d0a15";
    let form =
        [("has", "api"), ("channel_id", secret), ("channel_secret", "2013153393"), ("set_webhook", "1")];
    let refused = owner.submit(&format!("{NEW}?has=api"), NEW, &form).await;
    assert!(refused.status == 422 && !refused.body.contains(secret), "{}", refused.body);
    let list = owner.get(LIST).await.body;
    assert!(list.contains("/settings/accounts/setups/") && !list.contains(secret), "{list}");
    hub.close().await;
}
