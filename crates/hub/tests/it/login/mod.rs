//! LINE Login and LIFF of an account: saving the channel, its LIFF app, switches, and who may change them.

use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, LineUser, TestHub};
use url::Url;

mod changes;
mod walks;

/// A Login channel at LINE.
struct Login {
    id: String,
    secret: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Somebody's browser at LINE, which follows nothing by itself.
fn browser() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Makes a Login channel, published, with the account linked and the callback registered.
async fn login_channel(hub: &TestHub, account: &Account, provider: Option<&str>) -> Login {
    let own = hub.control.get(&format!("/channels/{}", account.channel_id)).await;
    let provider = provider.map_or_else(|| text(&own["providerId"]), str::to_owned);
    let made = json!({ "providerId": provider, "type": "login", "name": "Login" });
    let made = hub.control.post("/channels", made).await;
    let login = Login { id: text(&made["channelId"]), secret: text(&made["channelSecret"]) };
    let callback = hub.api().get(&format!("/accounts/{}", account.id)).await.expect(200);
    let mut console = json!({ "published": true, "callbackUrls": [callback["login"]["callback_url"]] });
    if provider == text(&own["providerId"]) {
        console["linkedBotChannelId"] = json!(account.channel_id);
    }
    hub.control.patch(&format!("/channels/{}", login.id), console).await;
    login
}

async fn save(hub: &TestHub, account: &Account, login: &Login) -> Value {
    let body = json!({ "login_channel_id": login.id, "login_channel_secret": login.secret });
    hub.api().patch(&format!("/accounts/{}", account.id), body).await.expect(200)["login"].clone()
}

async fn apps(hub: &TestHub, login: &Login) -> Vec<Value> {
    let apps = hub.control.get(&format!("/channels/{}/liff-apps", login.id)).await;
    apps["items"].as_array().or(apps["apps"].as_array()).cloned().unwrap_or_default()
}

/// Changes a LIFF app as some other program would.
async fn put_app(hub: &TestHub, (channel, secret): (&str, &str), id: &str, body: &Value) {
    let form = [("grant_type", "client_credentials"), ("client_id", channel), ("client_secret", secret)];
    let token = browser().post(hub.line.join("/oauth2/v3/token").unwrap()).form(&form).send().await.unwrap();
    let token: Value = token.json().await.unwrap();
    let app = hub.line.join(&format!("/liff/v1/apps/{id}")).unwrap();
    let put = browser().put(app).bearer_auth(text(&token["access_token"])).json(body).send().await.unwrap();
    assert_eq!(put.status(), 200);
}

async fn shown(hub: &TestHub, account: &Account) -> Value {
    hub.api().get(&format!("/accounts/{}", account.id)).await.expect(200)["login"].clone()
}

/// Begins a test through the API.
async fn begin(hub: &TestHub, account: &Account, kind: &str) -> Value {
    hub.api().post(&format!("/accounts/{}/login-test", account.id), json!({ "kind": kind })).await.expect(201)
}

/// The codes of a test's findings.
fn codes(test: &Value) -> Vec<&str> {
    test["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// Where an answer leads.
fn target(answer: &reqwest::Response) -> Url {
    let to = answer.headers().get("location").unwrap_or_else(|| panic!("no redirect: {}", answer.status()));
    Url::parse(to.to_str().unwrap()).unwrap()
}

/// Goes to LINE with a test: gives the address that LINE brings the person back to.
async fn walk(test: &Value, person: &LineUser, more: &str) -> Option<Url> {
    let left = browser().get(text(&test["url"])).send().await.unwrap();
    let at_line = format!("{}&sandbox_user={}{more}", target(&left), person.user);
    let answer = browser().get(at_line).send().await.unwrap();
    answer.status().is_redirection().then(|| target(&answer))
}

/// Walks a test to its end.
async fn walked(hub: &TestHub, account: &Account, person: &LineUser, more: &str) -> Value {
    let test = begin(hub, account, "login").await;
    assert_eq!(test["state"], "waiting", "{test}");
    let back = walk(&test, person, more).await.expect("LINE brings the person back");
    let arrived = browser().get(back).send().await.unwrap();
    assert_eq!(arrived.status(), 200);
    let done = shown(hub, account).await["last_test"].clone();
    assert_eq!(done["state"], "done", "{done}");
    done
}

// S4-12, S4-13, S4-45, S4-46, S4-47, S4-51
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_liff_app_is_made_found_again_and_repaired_and_never_made_twice(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let login = login_channel(&hub, &account, None).await;
    let before = shown(&hub, &account).await;
    assert_eq!((&before["channel_id"], &before["liff"]), (&Value::Null, &Value::Null));
    // S4-06: shown before anything is saved, on the public address.
    let callback = text(&before["callback_url"]);
    assert!(callback.starts_with(hub.url.as_str()) && callback.ends_with("/callback"), "{callback}");
    let saved = save(&hub, &account, &login).await;
    let liff = &saved["liff"];
    assert_eq!(
        (&liff["fault"], &liff["count"], &liff["limit"]),
        (&Value::Null, &json!(1), &json!(30)),
        "{liff}"
    );
    assert_eq!((&liff["view"], &liff["bot_prompt"]), (&json!("full"), &json!("aggressive")));
    assert_eq!(liff["scopes"], json!(["openid", "profile", "chat_message.write"]));
    assert_eq!(liff["endpoint"], liff["wanted_endpoint"]);
    let id = text(&liff["id"]);
    assert!(text(&liff["url"]).ends_with(&format!("/liff/{id}")));
    assert!(!saved.to_string().contains(&login.secret), "secrets are write-only");
    // Again, by ID and by a new secret: the same app.
    save(&hub, &account, &login).await;
    let anew = hub.control.post(&format!("/channels/{}/secret", login.id), json!({})).await;
    let secret = text(&anew["channelSecret"]);
    let body = json!({ "login_channel_secret": secret });
    let saved = hub.api().patch(&format!("/accounts/{}", account.id), body).await.expect(200);
    assert_eq!((&saved["login"]["liff"]["id"], apps(&hub, &login).await.len()), (&json!(id), 1));
    // Changed behind our back: seen, named, repaired; it stays the same app.
    let elsewhere =
        json!({ "view": { "type": "tall", "url": "https://old.example/liff/x" }, "botPrompt": "none" });
    put_app(&hub, (&login.id, &secret), &id, &elsewhere).await;
    let test = begin(&hub, &account, "login").await;
    assert!(codes(&test).contains(&"liff_endpoint"), "{test}");
    assert_eq!(shown(&hub, &account).await["liff"]["fault"], "endpoint");
    let repair = format!("/accounts/{}/liff-repair", account.id);
    let repaired = hub.api().post(&repair, json!({})).await.expect(200);
    assert_eq!(
        (&repaired["liff"]["fault"], &repaired["liff"]["id"]),
        (&Value::Null, &json!(id)),
        "{repaired}"
    );
    assert_eq!(apps(&hub, &login).await[0]["view"]["type"], "full");
    // Taken away from the hub's memory as after a restore: found by its address.
    assert_eq!(
        hub.api()
            .patch(&format!("/accounts/{}", account.id), json!({ "login_channel_id": null }))
            .await
            .status
            .as_u16(),
        200
    );
    let back = save(&hub, &account, &Login { id: login.id.clone(), secret: secret.clone() }).await;
    assert_eq!((&back["liff"]["id"], apps(&hub, &login).await.len()), (&json!(id), 1));
    // Two of ours: told, and none removed.
    let twin = json!({ "view": { "type": "full", "url": back["liff"]["endpoint"] } });
    hub.control.post(&format!("/channels/{}/liff-apps", login.id), twin).await;
    let told = hub.api().post(&repair, json!({})).await.expect(200);
    assert_eq!(
        (&told["liff"]["fault"], told["liff"]["twins"].as_array().unwrap().len()),
        (&json!("twins"), 1)
    );
    assert_eq!(apps(&hub, &login).await.len(), 2);
    // Removed at LINE: made anew.
    for app in apps(&hub, &login).await {
        hub.control.delete(&format!("/channels/{}/liff-apps/{}", login.id, text(&app["liffId"]))).await;
    }
    let test = begin(&hub, &account, "liff").await;
    assert_eq!((codes(&test), &test["state"]), (vec!["liff_missing"], &json!("done")), "{test}");
    let made = hub.api().post(&repair, json!({})).await.expect(200);
    assert_ne!(made["liff"]["id"], json!(id));
    assert_eq!((&made["liff"]["fault"], apps(&hub, &login).await.len()), (&Value::Null, 1));
    hub.close().await;
}

#[tokio::test]
async fn a_full_login_channel_is_refused_in_words() {
    // S4-51
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let login = login_channel(&hub, &account, None).await;
    for n in 0..30 {
        let app = json!({ "view": { "type": "full", "url": format!("https://shop.example/{n}") } });
        hub.control.post(&format!("/channels/{}/liff-apps", login.id), app).await;
    }
    let saved = save(&hub, &account, &login).await;
    assert_eq!((&saved["liff"]["fault"], &saved["liff"]["count"]), (&json!("full"), &json!(30)), "{saved}");
    let refused = hub.api().post(&format!("/accounts/{}/liff-repair", account.id), json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["errors"][0]["code"]), (422, &json!("liff_full")));
    let page = hub.owner().await.get(&format!("/settings/accounts/{}", account.id)).await;
    assert!(page.body.contains("30"), "{}", page.body);
    hub.close().await;
}

// S4-04, S4-05, S2-08, E15
#[tokio::test]
async fn each_wrong_value_is_named_at_its_field_and_nothing_is_saved() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let other = hub.connect_account().await;
    let login = login_channel(&hub, &account, None).await;
    let taken = login_channel(&hub, &other, None).await;
    save(&hub, &other, &taken).await;
    let fresh = hub.channel("another").await;
    let wrong_secret = "0123456789abcdef0123456789abcdef";
    let cases = [
        (
            json!({ "login_channel_id": "", "login_channel_secret": login.secret }),
            "login_channel_id",
            "required",
        ),
        (json!({ "login_channel_id": login.id }), "login_channel_secret", "required"),
        (json!({ "login_channel_secret": login.secret }), "login_channel_id", "required"),
        (
            json!({ "login_channel_id": "@shop", "login_channel_secret": "x" }),
            "login_channel_id",
            "looks_like_line_id",
        ),
        (
            json!({ "login_channel_id": login.id, "login_channel_secret": "密" }),
            "login_channel_secret",
            "invalid",
        ),
        (
            json!({ "login_channel_id": account.channel_id, "login_channel_secret": account.channel_secret }),
            "login_channel_id",
            "messaging_channel",
        ),
        (
            json!({ "login_channel_id": fresh["channelId"], "login_channel_secret": fresh["channelSecret"] }),
            "login_channel_id",
            "messaging_channel",
        ),
        (
            json!({ "login_channel_id": "1999999999", "login_channel_secret": login.secret }),
            "login_channel_id",
            "wrong_id",
        ),
        (
            json!({ "login_channel_id": login.id, "login_channel_secret": wrong_secret }),
            "login_channel_secret",
            "wrong_secret",
        ),
        (
            json!({ "login_channel_id": login.secret, "login_channel_secret": login.id }),
            "login_channel_id",
            "swapped",
        ),
        (
            json!({ "login_channel_id": "shop", "login_channel_secret": login.secret }),
            "login_channel_id",
            "invalid",
        ),
        (
            json!({ "login_channel_id": login.id, "login_channel_secret": format!("U{wrong_secret}") }),
            "login_channel_secret",
            "looks_like_user_id",
        ),
        (
            json!({ "login_channel_id": taken.id, "login_channel_secret": taken.secret }),
            "login_channel_id",
            "used_elsewhere",
        ),
    ];
    for (body, field, code) in cases {
        let answer = hub.api().patch(&format!("/accounts/{}", account.id), body.clone()).await;
        assert_eq!(answer.status.as_u16(), 422, "{body} {}", answer.body);
        let error = answer.json()["errors"][0].clone();
        assert_eq!((text(&error["field"]).as_str(), text(&error["code"]).as_str()), (field, code), "{body}");
        assert!(!error["detail"].as_str().unwrap().is_empty() && !answer.body.contains(&login.secret));
    }
    assert_eq!(shown(&hub, &account).await["channel_id"], Value::Null);
    // LINE is silent: 502, and nothing saved.
    hub.control.post("/faults", json!({ "on": "api", "kind": "status", "status": 503 })).await;
    let body = json!({ "login_channel_id": login.id, "login_channel_secret": login.secret });
    let answer = hub.api().patch(&format!("/accounts/{}", account.id), body).await;
    assert_eq!(answer.status.as_u16(), 502, "{}", answer.body);
    hub.control.delete("/faults").await;
    assert_eq!(shown(&hub, &account).await["channel_id"], Value::Null);
    // Blanks and wide characters around pasted values do no harm.
    let wide: String = login.id.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
    let pasted = Login { id: format!(" {wide}\u{3000}"), secret: format!("\u{200b}{} \n", login.secret) };
    assert_eq!(save(&hub, &account, &pasted).await["channel_id"], json!(login.id));
    hub.close().await;
}

// S0-05, S4-33
#[tokio::test]
async fn switches_are_refused_with_the_missing_part_named() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let path = format!("/accounts/{}", account.id);
    let refused = async |body: Value| -> (String, String) {
        let answer = hub.api().patch(&path, body).await;
        assert_eq!(answer.status.as_u16(), 422, "{}", answer.body);
        let error = answer.json()["errors"][0].clone();
        (text(&error["field"]), text(&error["code"]))
    };
    let missing = |field: &str, code: &str| (field.to_owned(), code.to_owned());
    let add = json!({ "login_add_friend": true });
    assert_eq!(refused(add.clone()).await, missing("login_add_friend", "missing_login_channel"));
    assert_eq!(refused(json!({ "login_share": true })).await, missing("login_share", "missing_liff"));
    let login = login_channel(&hub, &account, None).await;
    let saved = save(&hub, &account, &login).await;
    assert_eq!(
        (&saved["share"], &saved["add_friend"]),
        (&json!(false), &json!(false)),
        "off until switched on"
    );
    assert_eq!(refused(json!({ "login_share": true })).await, missing("login_share", "missing_share_ready"));
    let both = json!({ "login_share": true, "login_share_ready": true, "login_add_friend": true });
    let on = hub.api().patch(&path, both).await.expect(200)["login"].clone();
    assert_eq!(
        (&on["share"], &on["add_friend"], on["share_ready_at"].is_string()),
        (&json!(true), &json!(true), true)
    );
    // It is asked for at LINE.
    let test = begin(&hub, &account, "login").await;
    let left = target(&browser().get(text(&test["url"])).send().await.unwrap());
    assert!(left.query_pairs().any(|(name, value)| name == "bot_prompt" && value == "aggressive"), "{left}");
    // The doctor tells of it, and disconnecting removes the LIFF app at LINE.
    let checks = hub.api().get(&format!("{path}/doctor")).await.expect(200)["checks"].clone();
    let state = |code: &str| {
        let check = checks.as_array().unwrap().iter().find(|check| check["code"] == code);
        text(&check.unwrap_or_else(|| panic!("{code}: {checks}"))["status"])
    };
    assert_eq!(
        (state("login_channel"), state("liff"), state("provider_match")),
        ("ok".into(), "ok".into(), "unknown".into())
    );
    // A disconnected account: the part that is missing now.
    let cleaned = hub.api().delete(&format!("{path}?clean_up=liff")).await.expect(200)["items"].clone();
    assert_eq!((&cleaned[0]["step"], &cleaned[0]["status"]), (&json!("liff"), &json!("done")), "{cleaned}");
    assert!(apps(&hub, &login).await.is_empty());
    let codes: Vec<String> = {
        let answer = hub.api().patch(&path, add).await;
        let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| text(&error["code"])).collect()
    };
    assert_eq!(codes, ["missing_login_channel", "missing_official_account"]);
    assert_eq!(hub.anon().get(&format!("/liff/{}", account.id)).await.status.as_u16(), 404);
    hub.close().await;
}

#[tokio::test]
async fn only_owners_change_it_and_nobody_else_sees_it() {
    let Some(hub) = TestHub::new().start().await else { return };
    let account = hub.connect_account().await;
    let login = login_channel(&hub, &account, None).await;
    save(&hub, &account, &login).await;
    let stranger = hub.stranger("other").await;
    let (path, page) = (format!("/accounts/{}", account.id), format!("/settings/accounts/{}", account.id));
    let body = json!({ "login_channel_id": null });
    assert_eq!(stranger.patch(&path, body.clone()).await.status.as_u16(), 404);
    assert_eq!(stranger.post(&format!("{path}/login-test"), json!({})).await.status.as_u16(), 404);
    assert_eq!(stranger.post(&format!("{path}/liff-repair"), json!({})).await.status.as_u16(), 404);
    let reader = hub.api_with(&[hub::team::KeyScope::Read]).await;
    assert_eq!(reader.patch(&path, body).await.status.as_u16(), 403);
    assert_eq!(reader.post(&format!("{path}/login-test"), json!({})).await.status.as_u16(), 403);
    // An agent of this account sees the block, and no way to change it.
    let agent = hub.agent("agent@test.example", &[&account.id]).await;
    let seen = agent.get(&page).await.body;
    assert!(seen.contains(&login.id) && !seen.contains("login_channel_secret"), "{seen}");
    for act in ["login", "login/switches", "login/ticks", "login/remove", "login/repair", "login-test"] {
        let fields = [("kind", "login"), ("login_channel_id", "1")];
        let answer = agent.submit(&page, &format!("{page}/{act}"), &fields).await;
        assert_eq!(answer.status.as_u16(), 403, "{act}");
    }
    let other = hub.agent("other@test.example", &[]).await;
    for at in ["/login", "/login-test", "/login-test/result"] {
        assert_eq!(other.get(&format!("{page}{at}")).await.status.as_u16(), 404, "{at}");
    }
    hub.close().await;
}

// S4-06, S4-10, S4-14
#[tokio::test]
async fn the_owner_saves_tests_and_repairs_on_pages() {
    let Some(hub) = TestHub::new().start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let login = login_channel(&hub, &account, None).await;
    let owner = hub.owner().await;
    let page = format!("/settings/accounts/{}", account.id);
    let callback = text(&shown(&hub, &account).await["callback_url"]);
    let empty = owner.get(&page).await.body;
    assert!(empty.contains(&callback) && empty.contains("data-copies=\"login-callback-url\""), "{empty}");
    // A refusal stays at the field, and what was typed stays too; the secret does not.
    let fields = [("login_channel_id", login.id.as_str()), ("login_channel_secret", "wrong")];
    let refused = owner.submit(&page, &format!("{page}/login"), &fields).await;
    assert_eq!(refused.status.as_u16(), 422);
    assert!(refused.body.contains("aria-invalid") && refused.body.contains(&login.id));
    let fields = [("login_channel_id", login.id.as_str()), ("login_channel_secret", login.secret.as_str())];
    let saved = owner.submit(&page, &format!("{page}/login"), &fields).await;
    assert_eq!((saved.status.as_u16(), saved.body.matches("is-done").count()), (200, 4), "{}", saved.body);
    assert!(!saved.body.contains(&login.secret));
    let done = owner.submit(&page, &format!("{page}/login/ticks"), &[("linked", "1")]).await;
    assert_eq!(done.status.as_u16(), 303, "{}", done.body);
    let tests = format!("{page}/login-test");
    let started = owner.submit(&tests, &tests, &[("kind", "login")]).await;
    assert_eq!(started.status.as_u16(), 303);
    let waiting = owner.get(&tests).await.body;
    assert!(
        waiting.contains("/start?run=lgt_") && waiting.contains("<svg") && waiting.contains("every 2s"),
        "{waiting}"
    );
    let test = shown(&hub, &account).await["last_test"].clone();
    let back = walk(&test, &friend, "").await.unwrap();
    let path = format!("{}?{}", back.path(), back.query().unwrap());
    let arrived = owner.get(&path).await;
    assert!(arrived.status.is_success() && arrived.body.contains(&tests), "{}", arrived.body);
    let result = owner.get(&format!("{tests}/result")).await.body;
    assert!(!result.contains("every 2s") && result.matches("login-finding ok").count() == 7, "{result}");
    let removed = owner.submit(&page, &format!("{page}/login/remove"), &[]).await;
    assert_eq!(removed.status.as_u16(), 303);
    assert_eq!(shown(&hub, &account).await["channel_id"], Value::Null);
    hub.close().await;
}
