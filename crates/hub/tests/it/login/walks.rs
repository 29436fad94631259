//! Test logins and openings of the LIFF app: what they prove, and everything that they tell apart.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, LineUser, TestHub};
use url::Url;

use super::{Login, begin, browser, codes, login_channel, save, shown, target, text, walk, walked};

// S0-06, S4-26, S4-32, S4-43
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_test_login_proves_provider_and_linked_account(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let login = login_channel(&hub, &account, None).await;
    save(&hub, &account, &login).await;
    let done = walked(&hub, &account, &friend, "").await;
    assert_eq!(
        codes(&done),
        ["callback_ok", "consented", "secret_ok", "identity_ok", "provider_same", "linked_ok", "liff_ok"]
    );
    assert_eq!((&done["outcome"], &done["url"]), (&json!("ok"), &Value::Null), "{done}");
    assert!(done["findings"][0]["title"].as_str().is_some_and(|title| !title.is_empty()));
    let login_view = shown(&hub, &account).await;
    assert_eq!(login_view["provider_match"], "same");
    // What LINE does not report is a dated tick.
    assert_eq!(login_view["linked_at"], Value::Null);
    let body = json!({ "login_linked": true });
    let ticked = hub.api().patch(&format!("/accounts/{}", account.id), body).await.expect(200);
    assert!(ticked["login"]["linked_at"].is_string());
    // No user ID and no token is kept of the test.
    assert!(!login_view.to_string().contains(&friend.id));
    // Somebody whom the account does not know: what was proven stays, and no more is claimed.
    let stranger = hub.line_user("Stranger").await;
    let done = walked(&hub, &account, &stranger, "").await;
    assert!(codes(&done).contains(&"provider_same") && codes(&done).contains(&"linked_unknown"), "{done}");
    assert_eq!(
        (&shown(&hub, &account).await["provider_match"], &done["code"]),
        (&json!("same"), &Value::Null)
    );
    // Somebody who blocked the account is known from before (GOTCHAS D1, D2).
    friend.blocks(&account).await;
    hub.settle().await;
    let done = walked(&hub, &account, &friend, "").await;
    assert!(codes(&done).contains(&"provider_same"), "{done}");
    hub.close().await;
}

// S4-29, S4-31, S4-32, S4-43, S4-44, GOTCHAS D1
#[tokio::test]
async fn each_way_a_login_fails_is_told_apart() {
    let Some(hub) = TestHub::new().start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let login = login_channel(&hub, &account, None).await;
    let callback = text(&shown(&hub, &account).await["callback_url"]);
    save(&hub, &account, &login).await;
    let console = format!("/channels/{}", login.id);
    // Callback mismatch: named before anybody is sent to LINE's error page.
    hub.control.patch(&console, json!({ "callbackUrls": ["https://old.example/callback"] })).await;
    let test = begin(&hub, &account, "login").await;
    assert_eq!(
        (codes(&test)[0], &test["state"], &test["outcome"]),
        ("callback_mismatch", &json!("done"), &json!("failed")),
        "{test}"
    );
    assert!(text(&test["findings"][0]["fix"]).contains("Callback URL"));
    hub.control.patch(&console, json!({ "callbackUrls": [callback] })).await;
    // Consent refused.
    assert!(codes(&walked(&hub, &account, &friend, "&sandbox_deny=1").await).contains(&"consent_refused"));
    // No official account linked; another one linked.
    hub.control.patch(&console, json!({ "linkedBotChannelId": null })).await;
    assert!(codes(&walked(&hub, &account, &friend, "").await).contains(&"linked_none"));
    let own = hub.control.get(&format!("/channels/{}", account.channel_id)).await;
    let other = hub.channel("Another OA").await;
    assert_eq!(own["providerId"], other["providerId"]);
    hub.control.patch(&console, json!({ "linkedBotChannelId": other["channelId"] })).await;
    assert!(codes(&walked(&hub, &account, &friend, "").await).contains(&"linked_other"));
    hub.control.patch(&console, json!({ "linkedBotChannelId": account.channel_id })).await;
    // Not published: LINE shows an error page and sends nobody back; after a minute the page says what it may be.
    hub.control.patch(&console, json!({ "published": false })).await;
    let test = begin(&hub, &account, "login").await;
    // Said at once, before anybody meets LINE's error page.
    assert!(codes(&test).contains(&"published_unknown"), "{test}");
    let page = format!("/settings/accounts/{}/login-test", account.id);
    assert!(hub.owner().await.get(&page).await.body.contains("Is the channel published?"));
    assert!(walk(&test, &friend, "").await.is_none());
    assert!(!codes(&shown(&hub, &account).await["last_test"]).contains(&"not_back"));
    hub.clock.advance(Duration::from_secs(61));
    let waiting = shown(&hub, &account).await["last_test"].clone();
    assert_eq!(
        (&waiting["state"], codes(&waiting).contains(&"not_back")),
        (&json!("waiting"), true),
        "{waiting}"
    );
    hub.control.patch(&console, json!({ "published": true })).await;
    // The secret is reissued while somebody is at LINE, and before a test.
    let test = begin(&hub, &account, "login").await;
    let back = walk(&test, &friend, "").await.unwrap();
    let anew = hub.control.post(&format!("{console}/secret"), json!({})).await;
    browser().get(back).send().await.unwrap();
    assert!(codes(&shown(&hub, &account).await["last_test"]).contains(&"wrong_secret"));
    let test = begin(&hub, &account, "login").await;
    assert_eq!((codes(&test), &test["state"]), (vec!["wrong_secret"], &json!("done")), "{test}");
    // S4-44: the new one at any time.
    let body = json!({ "login_channel_secret": anew["channelSecret"] });
    assert_eq!(hub.api().patch(&format!("/accounts/{}", account.id), body).await.status.as_u16(), 200);
    assert_eq!(walked(&hub, &account, &friend, "").await["outcome"], "ok");
    // A code that is over.
    let test = begin(&hub, &account, "login").await;
    let back = walk(&test, &friend, "").await.unwrap();
    hub.sandbox.advance(Duration::from_secs(11 * 60));
    browser().get(back).send().await.unwrap();
    assert!(codes(&shown(&hub, &account).await["last_test"]).contains(&"code_used"));
    hub.close().await;
}

/// A second official account of a provider, to be linked to a Login channel.
async fn other_account(hub: &TestHub, provider: &str) -> String {
    let made = json!({ "providerId": provider, "type": "messaging", "name": "Their OA" });
    text(&hub.control.post("/channels", made).await["channelId"])
}

/// Links an official account to a Login channel, or none.
async fn link(hub: &TestHub, login: &Login, to: Option<&str>) {
    hub.control.patch(&format!("/channels/{}", login.id), json!({ "linkedBotChannelId": to })).await;
}

async fn follow(hub: &TestHub, person: &LineUser, channel: &str) {
    hub.control.post(&format!("/users/{}/follow", person.user), json!({ "channelId": channel })).await;
}

/// Somebody writes the code of the account's last test, as it comes from a keyboard: grouped, and in wide digits.
async fn writes_code(hub: &TestHub, account: &Account, person: &LineUser, code: &Value) -> Value {
    let wide = |digit: char| char::from_u32(u32::from(digit) + 0xFEE0).unwrap();
    let typed: String = text(code).chars().map(wide).collect();
    let (one, two) = typed.split_at(typed.len() / 2);
    person.says(account, &format!(" {one} {two} ")).await;
    hub.settle().await;
    shown(hub, account).await["last_test"].clone()
}

// S0-06, S4-26, GOTCHAS D1: user IDs are the provider's; a 404 and a friendship elsewhere prove nothing.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn another_provider_is_not_guessed_and_one_message_tells(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).start().await else { return };
    let account = hub.connect_account().await;
    let own = hub.control.get(&format!("/channels/{}", account.channel_id)).await;
    let login = login_channel(&hub, &account, None).await;
    save(&hub, &account, &login).await;
    let open = async |person: &LineUser, linked: &str| {
        let done = walked(&hub, &account, person, "").await;
        let found = codes(&done);
        assert!(found.contains(&"provider_unknown") && found.contains(&linked), "{done}");
        let view = shown(&hub, &account).await;
        assert_eq!(view["provider_match"], "unknown", "{done}");
        assert!(view["last_test"]["code"].as_str().is_some_and(|code| code.len() == 8), "{view}");
        done["code"].clone()
    };
    // The same provider: no friend; somebody who blocked it before the hub was there; linked to another account of the
    // provider, whose friend the person is. None of it is told as another provider.
    let person = hub.line_user("林小晴").await;
    open(&person, "linked_unknown").await;
    let blocker = hub.line_user("阿明").await;
    hub.control.patch(&format!("/channels/{}", account.channel_id), json!({ "useWebhook": false })).await;
    follow(&hub, &blocker, &account.channel_id).await;
    let body = json!({ "channelId": account.channel_id });
    hub.control.post(&format!("/users/{}/unfollow", blocker.user), body).await;
    hub.control.patch(&format!("/channels/{}", account.channel_id), json!({ "useWebhook": true })).await;
    open(&blocker, "linked_unknown").await;
    let theirs = other_account(&hub, &text(&own["providerId"])).await;
    link(&hub, &login, Some(&theirs)).await;
    follow(&hub, &person, &theirs).await;
    let code = open(&person, "linked_other").await;
    // Another text, and the code of another test, tell nothing.
    person.follows(&account).await;
    person.says(&account, "00000000").await;
    hub.settle().await;
    assert_eq!(shown(&hub, &account).await["last_test"]["code"], code);
    let done = writes_code(&hub, &account, &person, &code).await;
    assert!(codes(&done).contains(&"provider_same"), "{done}");
    assert!(!codes(&done).contains(&"provider_unknown") && done["code"].is_null(), "{done}");
    assert_eq!(shown(&hub, &account).await["provider_match"], "same");
    hub.close().await;
}

// S0-06, S4-26, GOTCHAS D1
#[rstest]
#[case::linked(true)]
#[case::not_linked(false)]
#[tokio::test]
async fn a_login_channel_of_another_provider_is_shown_by_the_code(#[case] is_linked: bool) {
    let Some(hub) = TestHub::new().start().await else { return };
    let (account, person) = hub.account_with_friend().await;
    let elsewhere = text(&hub.control.post("/providers", json!({ "name": "elsewhere" })).await["providerId"]);
    let login = login_channel(&hub, &account, Some(&elsewhere)).await;
    if is_linked {
        let theirs = other_account(&hub, &elsewhere).await;
        link(&hub, &login, Some(&theirs)).await;
        follow(&hub, &person, &theirs).await;
    }
    save(&hub, &account, &login).await;
    let done = walked(&hub, &account, &person, "").await;
    let linked = if is_linked { "linked_other" } else { "linked_none" };
    assert!(codes(&done).contains(&"provider_unknown") && codes(&done).contains(&linked), "{done}");
    assert_eq!(shown(&hub, &account).await["provider_match"], "unknown");
    // The page shows the code and asks again by itself; what is kept of the person is no user ID.
    let page = format!("/settings/accounts/{}/login-test", account.id);
    let owner = hub.owner().await;
    let html = owner.get(&page).await.body;
    assert!(html.contains(&text(&done["code"])) && html.contains("every 2s"), "{html}");
    let done = writes_code(&hub, &account, &person, &done["code"]).await;
    assert!(codes(&done).contains(&"provider_other"), "{done}");
    assert_eq!((&done["outcome"], &done["code"]), (&json!("failed"), &Value::Null));
    assert_eq!(shown(&hub, &account).await["provider_match"], "other");
    assert!(!owner.get(&page).await.body.contains("every 2s"));
    // A Login channel of the right provider in its place: nothing of the other is left.
    let right = login_channel(&hub, &account, None).await;
    assert_eq!(save(&hub, &account, &right).await["provider_match"], "unknown");
    assert!(codes(&walked(&hub, &account, &person, "").await).contains(&"provider_same"));
    hub.close().await;
}

// GOTCHAS E7, E8
#[tokio::test]
async fn the_same_code_twice_is_one_login_and_a_foreign_state_leads_to_line_once_more() {
    let Some(hub) = TestHub::new().start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let login = login_channel(&hub, &account, None).await;
    save(&hub, &account, &login).await;
    let test = begin(&hub, &account, "login").await;
    let back = walk(&test, &friend, "").await.unwrap();
    let exchanges = async || {
        let seen = hub.control.get("/requests").await;
        let items = seen["items"].as_array().cloned().unwrap_or_default();
        items.iter().filter(|item| item["path"] == "/oauth2/v2.1/token").count()
    };
    let twice =
        futures_util::future::join(browser().get(back.clone()).send(), browser().get(back.clone()).send());
    let (first, second) = twice.await;
    assert_eq!(
        (first.unwrap().status(), second.unwrap().status()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
    browser().get(back.clone()).send().await.unwrap();
    assert_eq!(exchanges().await, 1);
    assert_eq!(shown(&hub, &account).await["last_test"]["outcome"], "ok");
    // LINE's automatic login failed: a bogus code and a state that is not ours. The cookie knows which test it was.
    let test = begin(&hub, &account, "login").await;
    let person = reqwest::Client::builder().no_proxy().cookie_store(true);
    let person = person.redirect(reqwest::redirect::Policy::none()).build().unwrap();
    person.get(text(&test["url"])).send().await.unwrap();
    let mut bogus = back.clone();
    bogus.set_query(Some("code=bogus&state=not-ours"));
    let again = target(&person.get(bogus.clone()).send().await.unwrap());
    assert!(
        again.query_pairs().any(|(name, value)| name == "disable_auto_login" && value == "true"),
        "{again}"
    );
    let over = person.get(bogus.clone()).send().await.unwrap();
    assert_eq!(over.status(), 200, "never a third time");
    assert!(codes(&shown(&hub, &account).await["last_test"]).contains(&"state_mismatch"));
    // Without the cookie nothing is known of it, and nobody is sent anywhere.
    let unknown = browser().get(bogus).send().await.unwrap();
    assert_eq!(unknown.status(), 200);
    assert_eq!(exchanges().await, 1);
    // A state made for another account opens nothing here.
    let other = hub.connect_account().await;
    let moved = back.as_str().replace(&account.id, &other.id);
    assert_eq!(browser().get(moved).send().await.unwrap().status(), 200);
    assert_eq!(exchanges().await, 1);
    hub.close().await;
}

/// What LINE's program in the LIFF page holds after the person logged in: identity and access token.
async fn liff_tokens(hub: &TestHub, liff: &Value, person: &LineUser) -> (String, String) {
    use pkce::{challenge, verifier};
    let (id, endpoint) = (text(&liff["id"]), text(&liff["endpoint"]));
    let mut url = hub.line.join("/liff/v1/authorize").unwrap();
    url.query_pairs_mut()
        .append_pair("app_id", &id)
        .append_pair("redirect_uri", &endpoint)
        .append_pair("response_type", "code")
        .append_pair("state", "s")
        .append_pair("code_challenge", challenge())
        .append_pair("code_challenge_method", "S256")
        .append_pair("sandbox_user", &person.user);
    let back = target(&browser().get(url).send().await.unwrap());
    let pairs: std::collections::HashMap<String, String> = back.query_pairs().into_owned().collect();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", pairs["liffClientId"].as_str()),
        ("appId", id.as_str()),
        ("code", pairs["code"].as_str()),
        ("code_verifier", verifier()),
        ("redirect_uri", endpoint.as_str()),
        ("id_token_key_type", "JWK"),
    ];
    let tokens =
        browser().post(hub.line.join("/oauth2/v2.1/token").unwrap()).form(&form).send().await.unwrap();
    let tokens: Value = tokens.json().await.unwrap();
    (text(&tokens["id_token"]), text(&tokens["access_token"]))
}

/// A PKCE pair (RFC 7636, appendix B).
mod pkce {
    pub(super) const fn verifier() -> &'static str {
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    }

    pub(super) const fn challenge() -> &'static str {
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    }
}

// S4-43, S4-48, GOTCHAS E1, E2, E5, E16
#[tokio::test]
async fn the_liff_page_starts_lines_program_and_its_test_believes_only_lines_signature() {
    let Some(hub) = TestHub::new().start().await else { return };
    let (account, friend) = hub.account_with_friend().await;
    let login = login_channel(&hub, &account, None).await;
    let liff = save(&hub, &account, &login).await["liff"].clone();
    let root = Url::parse(&text(&liff["endpoint"])).unwrap().path().to_owned();
    let visitor = hub.anon();
    // Every path below the endpoint is the same page, answered at once and without a redirect.
    for path in
        [root.clone(), format!("{root}/card/7"), format!("{root}?liff.state=%2Fcard%2F7&access_token=x")]
    {
        let page = visitor.get(&path).await;
        assert_eq!(page.status.as_u16(), 200, "{path}");
        assert!(
            page.body.contains(&text(&liff["id"])) && page.body.contains("/liff/sdk.js"),
            "{}",
            page.body
        );
        // S4-48: the account's name, and the way to become a friend.
        assert!(page.body.contains("Test OA") && page.body.contains("line.me/R/ti/p/"), "{}", page.body);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        let line = hub.line.origin().ascii_serialization();
        assert!(policy.contains(&format!("script-src 'self' {line};")), "{policy}");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert!(!page.body.contains("access_token=x"));
    }
    assert_eq!(visitor.get("/liff/acc_01JZZZZZZZZZZZZZZZZZZZZZZZ").await.status.as_u16(), 404);
    let report = async |body: &Value| -> Value {
        let page = visitor.get(&root).await.body;
        let token =
            page.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let request = visitor.request(Method::POST, &format!("{root}/report"));
        let answer = request.header("x-csrf-token", token).json(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    };
    let (id_token, access_token) = liff_tokens(&hub, &liff, &friend).await;
    let test = begin(&hub, &account, "liff").await;
    assert_eq!(text(&test["url"]), format!("{}/test/{}", text(&liff["url"]), text(&test["id"])));
    let known = report(
        &json!({ "run": test["id"], "id_token": id_token, "access_token": access_token, "share": false }),
    )
    .await;
    assert_eq!(known, json!({ "known": true }));
    let done = shown(&hub, &account).await["last_test"].clone();
    assert_eq!(
        codes(&done),
        ["identity_ok", "provider_same", "linked_ok", "liff_ok", "liff_opened"],
        "{done}"
    );
    // A test is over after its first report.
    let again = json!({ "run": test["id"], "id_token": id_token });
    assert_eq!(report(&again).await, json!({ "known": false }));
    // Somebody else's access token beside it says nothing of this person (GOTCHAS E5).
    let stranger = hub.line_user("Stranger").await;
    let (_, foreign) = liff_tokens(&hub, &liff, &stranger).await;
    let test = begin(&hub, &account, "liff").await;
    report(&json!({ "run": test["id"], "id_token": id_token, "access_token": foreign })).await;
    let done = shown(&hub, &account).await["last_test"].clone();
    assert_eq!(codes(&done), ["identity_ok", "provider_same", "liff_ok", "liff_opened"], "{done}");
    // Forged: the claims of the real one under another signature, and a page's own word for who it is.
    let [header, claims, _] = id_token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let test = begin(&hub, &account, "liff").await;
    let forged = format!("{header}.{claims}.{}", "A".repeat(86));
    report(&json!({ "run": test["id"], "id_token": forged, "user_id": friend.id })).await;
    assert_eq!(
        codes(&shown(&hub, &account).await["last_test"]),
        ["identity_wrong", "liff_ok", "liff_opened"]
    );
    // The program did not start.
    let test = begin(&hub, &account, "liff").await;
    report(&json!({ "run": test["id"], "error": "INIT_FAILED" })).await;
    let done = shown(&hub, &account).await["last_test"].clone();
    assert!(codes(&done).contains(&"liff_init"), "{done}");
    assert_eq!(done["findings"][1]["said"], "INIT_FAILED", "{done}");
    // Nobody opened it.
    begin(&hub, &account, "liff").await;
    hub.clock.advance(Duration::from_secs(61));
    assert!(codes(&shown(&hub, &account).await["last_test"]).contains(&"liff_not_opened"));
    hub.close().await;
}
