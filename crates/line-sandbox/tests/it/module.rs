//! Module channels: the attach flow, calls on an account, chat control and its events (PLATFORM 14, 16; GOTCHAS A18).

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::stage::{Answer, Receiver, Stage};

const REDIRECT: &str = "https://module.example/done?from=line";
const SCOPES: &str = "message:send message:receive";

/// A module channel beside the stage's account, with a server of its own.
struct Module {
    channel: String,
    secret: String,
    token: String,
    receiver: Receiver,
}

impl Module {
    async fn new(stage: &Stage, more: Value) -> Self {
        let receiver = Receiver::start().await;
        let mut body = json!({"providerId": stage.provider, "type": "module", "name": "Helper"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = stage.control("POST", "/channels", body).await.ok();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let (channel, secret) = (text("channelId"), text("channelSecret"));
        let settings = json!({"callbackUrls": [REDIRECT], "webhookEndpoint": receiver.url});
        stage.control("PATCH", &format!("/channels/{channel}"), settings).await.ok();
        let token =
            stage.stateless_token(&channel, &secret).await.ok()["access_token"].as_str().unwrap().to_owned();
        Self { channel, secret, token, receiver }
    }

    /// Opens the authorization address without following where it leads; gives the query of the redirect.
    async fn authorize(&self, stage: &Stage, more: &[(&str, &str)]) -> (u16, Vec<(String, String)>) {
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", &self.channel),
            ("redirect_uri", REDIRECT),
            ("scope", SCOPES),
            ("state", "s-1"),
        ];
        query.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        query.extend(more);
        let plain = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let url = format!("{}/module/auth/v1/authorize", stage.base);
        let response = plain.get(url).query(&query).send().await.unwrap();
        let status = response.status().as_u16();
        let location = response.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        let pairs = location.map(|to| url::Url::parse(&to).unwrap().query_pairs().into_owned().collect());
        (status, pairs.unwrap_or_default())
    }

    async fn token_call(&self, stage: &Stage, code: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)];
        form.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        form.extend(more);
        let request = stage.request("POST", "/module/auth/v1/token").form(&form);
        stage.send(request.basic_auth(&self.channel, Some(&self.secret))).await.unwrap()
    }

    async fn attach(&self, stage: &Stage) -> Value {
        let (_, pairs) = self.authorize(stage, &[("sandbox_approve", "1")]).await;
        self.token_call(stage, &value(&pairs, "code"), &[]).await.ok()
    }

    async fn line(&self, stage: &Stage, method: &str, path: &str, body: Value) -> Answer {
        let request =
            stage.request(method, path).bearer_auth(&self.token).header("X-Line-Bot-Id", &stage.bot);
        let request = match (method, body) {
            ("GET", _) => request,
            (_, Value::Null) => request.body("").header("content-length", "0"),
            (_, body) => request.json(&body),
        };
        stage.send(request).await.unwrap()
    }

    async fn control(&self, stage: &Stage, act: &str, body: Value) -> Answer {
        self.line(stage, "POST", &format!("/v2/bot/chat/{}/control/{act}", stage.user_id), body).await
    }
}

fn value(pairs: &[(String, String)], name: &str) -> String {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// PLATFORM 14: code, PKCE, one use, HTTP Basic or form fields; the `attached` event.
#[tokio::test]
async fn a_module_is_attached_with_a_code() {
    let stage = Stage::new().await;
    let module = Module::new(&stage, json!({})).await;
    let verifier = "ayjtZgTunh96nHCvgLEiXzqVQOOC0SwMRs39bh1l5dx";
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    let asked = [
        ("sandbox_approve", "1"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("region", "TW"),
    ];
    let code = async || {
        let (status, pairs) = module.authorize(&stage, &asked).await;
        assert_eq!(
            (status, value(&pairs, "state"), value(&pairs, "from")),
            (302, "s-1".into(), "line".into())
        );
        value(&pairs, "code")
    };
    let good = [("code_verifier", verifier)];
    for wrong in [
        &[("code_verifier", "x")][..],
        &[],
        &[("code_verifier", verifier), ("redirect_uri", "https://a.example")],
        &[("code_verifier", verifier), ("region", "JP")],
        &[("grant_type", "x")],
    ] {
        assert_eq!(module.token_call(&stage, &code().await, wrong).await.status, 400, "{wrong:?}");
    }
    let fresh = code().await;
    let answer = module.token_call(&stage, &fresh, &good).await.ok();
    assert_eq!(answer, json!({"bot_id": stage.bot, "scopes": ["message:send", "message:receive"]}));
    if let Some(schema) = &stage.schema {
        schema.check_response("POST", "/module/auth/v1/token", 200, &answer).unwrap();
    }
    assert_eq!(module.token_call(&stage, &fresh, &good).await.status, 400, "one use");
    let event = module.receiver.event(1).await;
    assert_eq!(
        event["module"],
        json!({"type": "attached", "botId": stage.bot, "scopes": ["message:send", "message:receive"]})
    );
    assert_eq!((event.get("source"), &event["mode"]), (None, &json!("active")));
    // Form fields in place of the header.
    let (_, pairs) = module.authorize(&stage, &[("sandbox_approve", "1")]).await;
    let code = value(&pairs, "code");
    let form = |secret| {
        [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("client_id", &module.channel),
            ("client_secret", secret),
        ]
    };
    assert_eq!(stage.form("/module/auth/v1/token", &form("no")).await.status, 403);
    stage.form("/module/auth/v1/token", &form(&module.secret)).await.ok();
    // An old code.
    let (_, pairs) = module.authorize(&stage, &[("sandbox_approve", "1")]).await;
    stage.advance(10 * 60_000).await;
    assert_eq!(module.token_call(&stage, &value(&pairs, "code"), &[]).await.status, 400);
    module.receiver.check(stage.schema.as_ref());
}

/// PLATFORM 14: the page, its answers, and what is refused where.
#[tokio::test]
async fn the_admin_is_asked() {
    let stage = Stage::new().await;
    let module = Module::new(&stage, json!({})).await;
    let query = [
        ("response_type", "code"),
        ("client_id", &module.channel),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPES),
        ("state", "<s>"),
    ];
    let page = stage.send(stage.request("GET", "/module/auth/v1/authorize").query(&query)).await.unwrap();
    let html = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(html.contains("茶店") && html.contains("&#60;s&#62;") && !html.contains("<s>"), "{html}");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let plain =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let post = async |more: &[(&str, &str)]| {
        let form: Vec<_> = query.iter().copied().chain(more.iter().copied()).collect();
        let response =
            plain.post(format!("{}/module/auth/v1/authorize", stage.base)).form(&form).send().await.unwrap();
        response.headers()["location"].to_str().unwrap().to_owned()
    };
    assert!(post(&[("account", &stage.channel), ("answer", "agree")]).await.contains("code="));
    assert!(post(&[("account", &stage.channel), ("answer", "refuse")]).await.contains("error=access_denied"));
    assert!(post(&[("account", "0"), ("answer", "agree")]).await.contains("error=access_denied"));
    for (more, error) in [
        (("response_type", "token"), "invalid_request"),
        (("state", ""), "invalid_request"),
        (("scope", "message:dance"), "invalid_scope"),
        (("sandbox_deny", "1"), "access_denied"),
    ] {
        let (status, pairs) = module.authorize(&stage, &[more]).await;
        assert_eq!((status, value(&pairs, "error")), (302, error.to_owned()), "{more:?}");
    }
    // Nobody is led to an address that is not registered.
    for more in [("client_id", stage.channel.as_str()), ("redirect_uri", "https://evil.example/")] {
        assert_eq!(module.authorize(&stage, &[more]).await.0, 400, "{more:?}");
    }
    // No account fits.
    for more in [("basic_search_id", "@nobody"), ("brand_type", "premium"), ("region", "JP")] {
        let (_, pairs) = module.authorize(&stage, &[more, ("sandbox_approve", "1")]).await;
        assert_eq!(value(&pairs, "error"), "access_denied", "{more:?}");
    }
}

/// PLATFORM 14: a module acts on the accounts it is on, within its scopes.
#[tokio::test]
async fn a_module_acts_on_its_accounts() {
    let stage = Stage::new().await;
    let module = Module::new(&stage, json!({})).await;
    let forbidden = "Access to this API is not available for your account";
    let push = json!({"to": stage.user_id, "messages": [{"type": "text", "text": "from the module"}]});
    module.line(&stage, "POST", "/v2/bot/message/push", push.clone()).await.refused(403, forbidden);
    let bots =
        async || stage.send(stage.request("GET", "/v2/bot/list").bearer_auth(&module.token)).await.unwrap();
    assert_eq!(bots().await.ok(), json!({"bots": []}));
    let detach = async |bot: &str| {
        let request = stage.request("POST", "/v2/bot/channel/detach").bearer_auth(&module.token);
        stage.send(request.json(&json!({"botId": bot}))).await.unwrap()
    };
    detach(&stage.bot).await.refused(400, "Specified channel is not detachable");
    detach("x").await.refused(400, "user/group/room Id is not available.");
    module.attach(&stage).await;
    assert_eq!(bots().await.ok()["bots"][0]["userId"], stage.bot);
    module.line(&stage, "POST", "/v2/bot/message/push", push.clone()).await.ok();
    assert_eq!(stage.timeline().await.last().unwrap()["message"]["text"], "from the module");
    // Not among its scopes.
    module
        .line(&stage, "GET", &format!("/v2/bot/profile/{}", stage.user_id), Value::Null)
        .await
        .refused(403, forbidden);
    // Without the header nobody knows which account is meant.
    let request = stage.request("POST", "/v2/bot/message/push").bearer_auth(&module.token).json(&push);
    stage.send(request).await.unwrap().refused(403, forbidden);
    assert_eq!(stage.get("/v2/bot/list").await.status, 400);
    let list = stage.items(&format!("/channels/{}/modules", stage.channel)).await;
    assert_eq!(list[0]["channelId"], json!(module.channel));
    detach(&stage.bot).await.ok();
    module.line(&stage, "POST", "/v2/bot/message/push", push).await.refused(403, forbidden);
}

/// PLATFORM 14, 16, GOTCHAS A18: one channel holds a chat; all others hear of it on standby, without a reply token.
#[tokio::test]
async fn one_channel_holds_a_chat() {
    let stage = Stage::new().await;
    let (first, second) = (Module::new(&stage, json!({})).await, Module::new(&stage, json!({})).await);
    first.attach(&stage).await;
    second.attach(&stage).await;
    stage.write("one").await;
    let mode =
        |event: &Value| (event["mode"].as_str().unwrap().to_owned(), event.get("replyToken").is_some());
    let (active, standby) = (("active".to_owned(), true), ("standby".to_owned(), false));
    assert_eq!(mode(&stage.receiver.event(2).await), active);
    assert_eq!(mode(&first.receiver.event(2).await), standby);
    first.control(&stage, "acquire", json!({"expired": true, "ttl": 60})).await.nothing();
    let now = stage.control("GET", "/clock", Value::Null).await.ok()["now"].as_i64().unwrap();
    let event = first.receiver.event(3).await;
    let expires = event["chatControl"]["expireAt"].as_i64().unwrap();
    assert_eq!((&event["type"], &event["source"]["userId"]), (&json!("activated"), &json!(stage.user_id)));
    assert!((now + 55_000..=now + 60_000).contains(&expires), "{expires}");
    stage.write("two").await;
    assert_eq!(mode(&stage.receiver.event(3).await), standby);
    let held = first.receiver.event(4).await;
    assert_eq!(mode(&held), active);
    let reply = json!({"replyToken": held["replyToken"], "messages": [{"type": "text", "text": "mine"}]});
    first.line(&stage, "POST", "/v2/bot/message/reply", reply).await.ok();
    // Taken a moment ago by another.
    assert_eq!(second.control(&stage, "acquire", Value::Null).await.status, 423);
    stage.advance(3_000).await;
    second.control(&stage, "acquire", json!({"expired": false})).await.nothing();
    assert_eq!(first.receiver.event(5).await["type"], "deactivated");
    // From the second's own view: attached, one text on standby, another, then this.
    assert_eq!(second.receiver.event(4).await["type"], "activated");
    second.control(&stage, "release", Value::Null).await.nothing();
    assert_eq!(second.receiver.event(5).await["type"], "deactivated");
    stage.write("three").await;
    assert_eq!(mode(&stage.receiver.event(4).await), active);
    // A hold ends by itself, without an event.
    stage.advance(3_000).await;
    first.control(&stage, "acquire", json!({"ttl": 5})).await.nothing();
    stage.advance(5_000).await;
    stage.write("four").await;
    assert_eq!(mode(&stage.receiver.event(5).await), active);
    for (chat, status) in
        [("x", 400), ("U00000000000000000000000000000000", 404), ("C00000000000000000000000000000000", 404)]
    {
        let answer =
            first.line(&stage, "POST", &format!("/v2/bot/chat/{chat}/control/acquire"), Value::Null).await;
        assert_eq!(answer.status, status, "{chat}");
    }
    for body in [json!({"ttl": 0}), json!({"ttl": 31_536_001}), json!({"ttl": "x"}), json!({"expired": 1})] {
        assert_eq!(first.control(&stage, "acquire", body).await.status, 400);
    }
    let own = format!("/v2/bot/chat/{}/control/acquire", stage.user_id);
    assert_eq!(stage.line("POST", &own, Value::Null).await.status, 403);
    for receiver in [&stage.receiver, &first.receiver, &second.receiver] {
        receiver.check(stage.schema.as_ref());
    }
}

/// LINE's guide, "Default Active": such a module holds all chats from the start, and is alone. Its webhook has the account's
/// `destination`, and goes out also when the account's own is off.
#[tokio::test]
async fn a_default_active_module_holds_all_chats() {
    let stage = Stage::new().await;
    let more = json!({"defaultActive": true});
    let (module, other) = (Module::new(&stage, more.clone()).await, Module::new(&stage, more).await);
    module.attach(&stage).await;
    let (_, pairs) = other.authorize(&stage, &[("sandbox_approve", "1")]).await;
    assert_eq!(other.token_call(&stage, &value(&pairs, "code"), &[]).await.status, 403);
    stage.set(json!({"useWebhook": false})).await;
    stage.write("hello").await;
    let event = module.receiver.event(2).await;
    assert_eq!((&event["mode"], &event["message"]["text"]), (&json!("active"), &json!("hello")));
    let body: Value = serde_json::from_slice(&module.receiver.got.lock().unwrap()[1].1).unwrap();
    assert_eq!(body["destination"], json!(stage.bot));
    module.control(&stage, "release", Value::Null).await.nothing();
    stage.write("again").await;
    assert_eq!(module.receiver.event(4).await["mode"], "standby");
    // The account is suspended, comes back, and is deleted.
    let path = format!("/channels/{}", stage.channel);
    stage.control("POST", &format!("{path}/suspension"), json!({"suspended": true})).await.ok();
    stage.control("POST", &format!("{path}/suspension"), json!({"suspended": false})).await.ok();
    assert_eq!(module.receiver.event(6).await["type"], "botResumed");
    stage.control("DELETE", &format!("{path}/modules/{}", module.channel), Value::Null).await.ok();
    let detached = json!({"type": "detached", "botId": stage.bot, "reason": "bot_deleted"});
    assert_eq!(module.receiver.event(7).await["module"], detached);
    let again = stage.control("DELETE", &format!("{path}/modules/{}", module.channel), Value::Null).await;
    assert_eq!(again.status, 404);
    module.receiver.check(stage.schema.as_ref());
}
