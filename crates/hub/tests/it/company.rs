//! What a tenant says about itself, and what every page shows of it.

use hub::clock::Timestamp;
use hub::team::{Actor, company};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Engine, TestHub};

// S0-14: the tenant's market; S0-18: a video for each stage; S0-20, S2-14: copyable addresses, now or later; S1-12: the company's name.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_company_says_its_name_market_policies_and_videos(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let api = hub.api();
    let before = api.get("/company").await.expect(200);
    assert_eq!((&before["name"], &before["privacy_address"]), (&json!("default"), &Value::Null));
    let said = api
        .patch(
            "/company",
            json!({
                "name": "小森茶行",
                "country": "TH",
                "site_url": "https://tea.example/",
                "terms_url": "https://tea.example/terms",
                "privacy_text": "第一行\n<script>alert(1)</script>",
                "videos": { "login": "https://v.example/1" },
            }),
        )
        .await
        .expect(200);
    assert_eq!((&said["name"], &said["country"]), (&json!("小森茶行"), &json!("TH")));
    assert_eq!(said["terms_address"], "https://tea.example/terms");
    assert_eq!(said["videos"], json!({ "login": "https://v.example/1" }));
    let address = said["privacy_address"].as_str().unwrap();
    let path = address.strip_prefix(hub.url.as_str().trim_end_matches('/')).unwrap();
    assert!(path.starts_with("/legal/") && path.ends_with("/privacy"), "{path}");
    let shown = hub.anon().get(path).await;
    assert_eq!(shown.status, 200);
    assert!(shown.body.contains("小森茶行") && shown.body.contains("第一行"), "{}", shown.body);
    assert!(!shown.body.contains("<script>alert"), "what an owner writes is text");
    assert_eq!(hub.anon().get(&path.replace("privacy", "terms")).await.status, 404, "there is no such text");
    assert_eq!(hub.anon().get("/legal/nobody/privacy").await.status, 404);
    let zone = api.patch("/company", json!({ "time_zone": "Asia/Taipei" })).await.expect(200);
    assert_eq!(zone["time_zone"], "Asia/Taipei");
    let wrong = api.patch("/company", json!({ "time_zone": "" })).await.expect(422);
    assert_eq!(wrong["errors"][0]["field"], "time_zone");
    // One's own address goes first; the hub's page stays where LINE's forms may still name it.
    let later =
        api.patch("/company", json!({ "privacy_url": "https://tea.example/privacy" })).await.expect(200);
    assert_eq!(later["privacy_address"], "https://tea.example/privacy");
    assert_eq!(hub.anon().get(path).await.status, 200);
    let other = hub.stranger("other").await;
    assert_eq!(other.get("/company").await.expect(200)["name"], "other");
    let seen = company::company(hub.hub(), &hub.tenant).await.unwrap();
    assert_eq!((seen.video("login"), seen.video("done")), (Some("https://v.example/1"), None));
    hub.close().await;
}

#[tokio::test]
async fn the_form_names_each_wrong_value_and_keeps_what_was_typed() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let fields = [
        ("name", "小森茶行"),
        ("country", "TW"),
        ("site_url", "tea.example"),
        ("support_url", "javascript:alert(1)"),
        ("video_login", "http://v.example"),
    ];
    let refused = owner.submit("/settings/company", "/settings/company", &fields).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body.matches("aria-invalid").count(), 3, "{}", refused.body);
    assert!(refused.body.contains("value=\"tea.example\"") && refused.body.contains("小森茶行"));
    let fields = [
        ("name", "小森茶行"),
        ("country", "TW"),
        ("time_zone", "Asia/Tokyo"),
        ("site_url", "https://tea.example"),
    ];
    assert_eq!(owner.submit("/settings/company", "/settings/company", &fields).await.status, 303);
    let shown = owner.get("/settings/company").await.body;
    assert!(shown.contains("<option value=\"Asia/Tokyo\" selected>"), "{shown}");
    assert!(owner.get("/settings/company").await.body.contains("https://tea.example"));
    let log = owner.get("/settings/audit-log").await.body;
    assert!(log.contains("Changed the company"), "{log}");
    let agent = hub.agent("agent@test.example", &[]).await;
    assert_eq!(agent.get("/settings/company").await.status, 403);
    let readers = hub.api_with(&[hub::team::KeyScope::Read]).await;
    assert_eq!(readers.get("/company").await.status, 200);
    assert_eq!(readers.patch("/company", json!({ "name": "x" })).await.status, 403);
    hub.close().await;
}

// S4-15: tenant, link to the public site, user; the end of the service only if the operator sets one. S1-40: help, none by default.
#[tokio::test]
async fn every_page_shows_site_help_and_end_of_service_where_they_are_set() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    let page = owner.get("/settings/profile").await.body;
    for absent in ["rail-help", "menu-note", "https://tea.example"] {
        assert!(!page.contains(absent), "{absent}");
    }
    let body = json!({ "site_url": "https://tea.example", "support_url": "mailto:help@tea.example" });
    hub.api().patch("/company", body).await.expect(200);
    let end = Some(Timestamp::parse("2027-12-31T00:00:00Z").unwrap());
    company::set_expiry(hub.hub(), &hub.tenant, end, &Actor::System("test")).await.unwrap();
    let page = owner.get("/settings/profile").await.body;
    for shown in
        ["href=\"https://tea.example\"", "href=\"mailto:help@tea.example\"", "2027", "default", "Owner"]
    {
        assert!(page.contains(shown), "{shown}");
    }
    hub.close().await;
}

// LOOK "Shell": the account switcher. Choosing an account narrows the inbox and the contacts, until all are chosen again.
#[tokio::test]
async fn the_switcher_shows_the_accounts_granted_and_narrows_the_lists() {
    let Some(hub) = TestHub::new().start().await else { return };
    let owner = hub.owner().await;
    assert!(
        owner.get("/accounts/switcher").await.body.contains("Trunkline"),
        "without accounts it is the brand"
    );
    let (one, two) = (hub.connect_account().await, hub.connect_account().await);
    let (mei, tan) = (hub.line_user("Mei-Ling").await, hub.line_user("Tanawat").await);
    for (friend, account) in [(&mei, &one), (&tan, &two)] {
        friend.follows(account).await;
        friend.says(account, "hello").await;
    }
    hub.settle().await;
    let shown = owner.get("/accounts/switcher").await.body;
    assert!(shown.contains(&one.id) && shown.contains(&two.id) && shown.contains("All accounts"), "{shown}");
    assert!(shown.contains("Test"), "the environment's label");
    let both = owner.get("/inbox").await.body;
    assert!(both.contains("Mei") && both.contains("Tanawat"));

    let chose = owner.submit("/settings/profile", "/accounts/switch", &[("account", &one.id)]).await;
    assert_eq!(chose.status, 303);
    for path in ["/inbox", "/inbox/list", "/contacts"] {
        let page = owner
            .request(Method::GET, path)
            .header("hx-request", "true")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert!(page.contains("Mei-Ling") && !page.contains("Tanawat"), "{path} {page}");
    }
    let all = owner.get("/inbox?account=all").await.body;
    assert!(all.contains("Mei") && all.contains("Tanawat"), "the list's own choice goes first");
    assert!(all.contains("account=all"), "and stays through its links");
    assert!(owner.get("/contacts?account=").await.body.contains("Tanawat"));

    let agent = hub.agent("agent@test.example", &[&two.id]).await;
    let shown = agent.get("/accounts/switcher").await.body;
    assert!(shown.contains(&two.id) && !shown.contains(&one.id), "{shown}");
    assert_eq!(
        agent.submit("/settings/profile", "/accounts/switch", &[("account", &one.id)]).await.status,
        404
    );

    // Disconnected: the choice is as if it were not there.
    hub.api().delete(&format!("/accounts/{}", one.id)).await;
    let page = owner.get("/inbox").await.body;
    assert!(page.contains("Tanawat"), "{page}");
    owner.submit("/settings/profile", "/accounts/switch", &[("account", "")]).await;
    assert!(!owner.get("/accounts/switcher").await.body.contains(&one.id));
    hub.close().await;
}

// S2-05: friends of accounts of one provider are one person; S2-06: of others they are not, whatever their names.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn one_person_of_two_accounts_of_a_provider_is_known_as_one(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (one, two) = (hub.connect_account().await, hub.connect_account().await);
    let (mei, other_mei) = (hub.line_user("Mei").await, hub.line_user("Mei").await);
    mei.follows(&one).await;
    mei.follows(&two).await;
    other_mei.follows(&two).await;
    hub.settle().await;
    let listed = hub.api().get("/contacts").await.expect(200);
    let contacts = listed["items"].as_array().unwrap();
    let of = |account: &str, user: &str| {
        let found = contacts.iter().find(|c| c["account_id"] == account && c["external_id"] == user);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (here, there, other) = (of(&one.id, &mei.id), of(&two.id, &mei.id), of(&two.id, &other_mei.id));
    let seen = hub.api().get(&format!("/contacts/{here}")).await.expect(200);
    assert_eq!(seen["same_person"], json!([{ "id": there, "account_id": two.id }]));
    let seen = hub.api().get(&format!("/contacts/{other}")).await.expect(200);
    assert_eq!(seen["same_person"], json!([]), "the same name proves nothing");
    let page = async |browser: &testkit::Browser| {
        let to = browser.request(Method::GET, &format!("/inbox/with/{here}")).send().await.unwrap();
        browser.get(to.headers()["location"].to_str().unwrap()).await.body
    };
    let there = format!("/inbox/with/{there}");
    assert!(page(&hub.owner().await).await.contains(&there));
    let agent = hub.agent("agent@test.example", &[&one.id]).await;
    assert!(!page(&agent).await.contains(&there), "an account that was not granted is not named");
    hub.close().await;
}
