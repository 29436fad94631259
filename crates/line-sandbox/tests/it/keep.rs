//! A sandbox set up from a scenario, and kept in a folder over a restart.

use std::path::Path;

use line_sandbox::{Config, Sandbox, seed_of};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::signer::Signer;

fn scenario() -> Value {
    json!({
        "seed": 7,
        "providers": [{ "name": "Tea", "channels": [
            { "type": "messaging", "name": "Tea House", "channelId": "2000000001", "groupChats": true,
              "channelSecret": "0123456789abcdef0123456789abcdef", "monthlyQuota": 500, "accessToken": true },
            { "type": "login", "name": "Tea Login" }] }],
        "people": [{ "displayName": "Lin", "follows": ["Tea House"] }, { "displayName": "Mei" }],
        "groups": [{ "name": "Office", "channel": "Tea House", "members": ["Lin", "Mei"] }],
        "faults": [{ "on": "webhook", "kind": "duplicate", "rate": 0.5 }],
    })
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A served sandbox that can be ended.
struct Served {
    url: String,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn start(sandbox: Sandbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let running = tokio::spawn(sandbox.serve(listener, stop.clone().cancelled_owned()));
        Self { url, stop, running }
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/sandbox/v1{path}", self.url);
        client().get(url).send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let sent = client().post(format!("{}/sandbox/v1{path}", self.url)).json(&body).send().await.unwrap();
        assert!(sent.status().is_success(), "{path}: {}", sent.text().await.unwrap());
        sent.json().await.unwrap()
    }
}

fn open(folder: &Path) -> Sandbox {
    Sandbox::open(Config { seed: 7, public_url: None }, folder).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_sets_up_what_it_names() {
    let sandbox = Sandbox::new(Config { seed: seed_of(&scenario()).unwrap(), public_url: None });
    let made = sandbox.play(&scenario()).await.unwrap();
    assert_eq!(made.channels[0].id, "2000000001");
    assert_eq!(made.channels[0].secret, "0123456789abcdef0123456789abcdef");
    assert!(made.channels[0].access_token.is_some());
    assert_eq!(made.people, [("u1".into(), "Lin".into()), ("u2".into(), "Mei".into())]);
    let served = Served::start(sandbox).await;
    assert_eq!(served.get("/channels/2000000001").await["monthlyQuota"], 500);
    assert_eq!(served.get("/groups").await["items"][0]["name"], "Office");
    assert_eq!(served.get("/faults").await["items"][0]["rate"], 0.5);

    let again = Sandbox::new(Config { seed: 7, public_url: None });
    assert_eq!(again.play(&scenario()).await.unwrap(), made, "one number repeats everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_is_refused_by_its_place() {
    let sandbox = Sandbox::new(Config::default());
    for (scenario, why) in [
        (json!({ "provider": [] }), "provider: is not a part"),
        (json!({ "people": [{}] }), "people[0].displayName: is missing"),
        (json!({ "people": [{ "displayName": "Lin", "follows": ["Tea"] }] }), "people[0].follows[0]: "),
        (
            json!({ "providers": [{ "name": "T", "channels": [{ "type": "messaging", "name": "T", "useWebhok": true }] }] }),
            "providers[0].channels[0].useWebhok: is not a setting",
        ),
    ] {
        let refused = sandbox.play(&scenario).await.unwrap_err();
        assert!(refused.starts_with(why), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_brings_everything_back() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = open(folder.path());
    assert!(sandbox.is_empty());
    let made = sandbox.play(&scenario()).await.unwrap();
    let token = made.channels[0].access_token.clone().unwrap();
    let served = Served::start(sandbox).await;
    let group = served.get("/groups").await["items"][0]["groupId"].clone();
    let say = |text: &str| json!({ "channelId": "2000000001", "group": group, "message": { "type": "text", "text": text } });
    let sent = served.post("/users/u1/messages", say("helo")).await;
    served
        .post("/users/u1/edits", json!({ "messageId": sent["messageId"], "message": { "text": "hello" } }))
        .await;
    let gone = served.post("/users/u1/messages", say("oops")).await;
    served.post("/users/u1/unsend", json!({ "messageId": gone["messageId"] })).await;
    let picture = json!({ "type": "image", "contentBase64": "iVBORw0KGgo=" });
    let picture =
        served.post("/users/u1/messages", json!({ "channelId": "2000000001", "message": picture })).await;
    served.post("/clock", json!({ "advanceMs": 3_600_000 })).await;
    let before = served.get("/users/u1/timeline?channelId=2000000001").await;
    let clock = served.get("/clock").await["now"].as_i64().unwrap();

    let taken = Sandbox::open(Config::default(), folder.path()).unwrap_err();
    assert!(taken.to_string().contains("another sandbox uses this folder"), "{taken}");
    served.end().await;

    let served = Served::start(open(folder.path())).await;
    assert_eq!(served.get("/users/u1/timeline?channelId=2000000001").await, before);
    assert_eq!(served.get("/groups").await["items"][0]["groupId"], group);
    assert!(served.get("/clock").await["now"].as_i64().unwrap() >= clock);
    assert_eq!(served.get("/faults").await["items"], json!([]), "faults are not kept");
    let content = format!("{}/v2/bot/message/{}/content", served.url, picture["messageId"].as_str().unwrap());
    let bytes = client().get(content).bearer_auth(token).send().await.unwrap();
    assert_eq!(&bytes.bytes().await.unwrap()[..], b"\x89PNG\r\n\x1a\n");
    // What comes later has a later id, and a reset is kept as well.
    let later = served.post("/users/u1/messages", say("again")).await;
    assert!(later["messageId"].as_str() > picture["messageId"].as_str());
    served.post("/reset", json!({})).await;
    served.post("/users", json!({ "displayName": "Ann" })).await;
    served.end().await;

    let served = Served::start(open(folder.path())).await;
    let people = served.get("/users").await;
    assert_eq!(people["items"].as_array().unwrap().len(), 1);
    assert_eq!(people["items"][0]["displayName"], "Ann");
}

/// What Login and LIFF hold comes back: keys, apps, consent, people's tokens, and the key of id tokens.
#[tokio::test(flavor = "multi_thread")]
async fn logins_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = open(folder.path());
    let mut scenario = scenario();
    let login = &mut scenario["providers"][0]["channels"][1];
    login["channelId"] = json!("2000000002");
    login["channelSecret"] = json!("fedcba9876543210fedcba9876543210");
    login["callbackUrls"] = json!(["http://127.0.0.1:9/"]);
    login["published"] = json!(true);
    login["publicKeys"] = json!([{ "jwk": Signer::new().jwk() }]);
    login["liffApps"] =
        json!([{ "view": { "type": "full", "url": "http://127.0.0.1:9/" }, "description": "Card" }]);
    sandbox.play(&scenario).await.unwrap();
    let served = Served::start(sandbox).await;
    let browser =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let address = "/oauth2/v2.1/authorize?response_type=code&client_id=2000000002&state=s&scope=openid&redirect_uri=http://127.0.0.1:9/&sandbox_user=u1";
    let back = browser.get(format!("{}{address}", served.url)).send().await.unwrap();
    let back = url::Url::parse(back.headers()["location"].to_str().unwrap()).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", "http://127.0.0.1:9/"),
        ("client_id", "2000000002"),
        ("client_secret", "fedcba9876543210fedcba9876543210"),
    ];
    let tokens = client().post(format!("{}/oauth2/v2.1/token", served.url)).form(&form).send().await.unwrap();
    let tokens: Value = tokens.json().await.unwrap();
    let seen = async |served: &Served| {
        let info = client().get(format!("{}/oauth2/v2.1/userinfo", served.url));
        let info: Value = info
            .bearer_auth(tokens["access_token"].as_str().unwrap())
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let certs = client().get(format!("{}/oauth2/v2.1/certs", served.url)).send().await.unwrap();
        json!([
            info,
            certs.json::<Value>().await.unwrap(),
            served.get("/channels/2000000002/liff-apps").await,
            served.get("/channels/2000000002/public-keys").await,
        ])
    };
    let before = seen(&served).await;
    assert!(before[0]["sub"].is_string() && before[2]["items"][0]["description"] == "Card", "{before}");
    assert!(before[3]["items"][0]["kid"].is_string());
    served.end().await;
    let served = Served::start(open(folder.path())).await;
    assert_eq!(seen(&served).await, before);
    served.end().await;
}

/// A narrowcast that was waiting goes on, and what was counted before still counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_narrowcast_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = open(folder.path());
    let token = sandbox.play(&scenario()).await.unwrap().channels[0].access_token.clone().unwrap();
    let served = Served::start(sandbox).await;
    let line = async |served: &Served, path: &str| {
        let body = json!({ "messages": [{ "type": "text", "text": "news" }] });
        let call = client().post(format!("{}/v2/bot/message/{path}", served.url)).bearer_auth(&token);
        assert!(call.json(&body).send().await.unwrap().status().is_success());
    };
    line(&served, "broadcast").await;
    served.post("/users/u1/read", json!({ "channelId": "2000000001" })).await;
    line(&served, "narrowcast").await;
    served.end().await;

    let served = Served::start(open(folder.path())).await;
    served.post("/clock", json!({ "advanceMs": 60_000 })).await;
    let sends = served.get("/sends?channelId=2000000001").await["items"].clone();
    assert_eq!((&sends[0]["kind"], &sends[0]["phase"]), (&json!("narrowcast"), &json!("succeeded")));
    assert_eq!((&sends[1]["kind"], &sends[1]["seen"]), (&json!("broadcast"), &json!(1)));
    // The greeting, the broadcast, the narrowcast.
    let shown = served.get("/users/u1/timeline?channelId=2000000001").await;
    assert_eq!(shown["items"].as_array().unwrap().len(), 3);
}

/// Whatever areas keep beside messages comes back: rich menus with images, coupons, memberships, modules and the chats they hold.
#[tokio::test(flavor = "multi_thread")]
async fn every_area_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = open(folder.path());
    let made = sandbox.play(&scenario()).await.unwrap();
    let token = made.channels[0].access_token.clone().unwrap();
    let served = Served::start(sandbox).await;
    let channel = "2000000001";
    let put = async |path: &str, body: Value| {
        let request = client().put(format!("{}/sandbox/v1{path}", served.url)).json(&body);
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
    };
    let area = json!({ "bounds": { "x": 0, "y": 0, "width": 800, "height": 270 }, "action": { "type": "message", "text": "hi" } });
    let menu = json!({ "size": { "width": 800, "height": 270 }, "selected": true, "name": "m", "chatBarText": "m", "areas": [area] });
    // The beginning of a PNG of 800 by 270.
    let image = "iVBORw0KGgoAAAANSUhEUgAAAyAAAAEO";
    put(&format!("/channels/{channel}/manager-rich-menu"), json!({ "menu": menu, "contentBase64": image }))
        .await;
    served.post("/users/u1/rich-menu-taps", json!({ "channelId": channel, "area": 0 })).await;
    let coupon = json!({
        "title": "Tea", "reward": { "type": "free" }, "acquisitionCondition": { "type": "normal" }, "startTimestamp": 0,
        "endTimestamp": 4_000_000_000_u64, "timezone": "ASIA_TAIPEI", "visibility": "PUBLIC", "maxUseCountPerTicket": -1,
    });
    let id = served.post(&format!("/channels/{channel}/coupons"), coupon).await["couponId"].clone();
    served.post("/users/u1/coupons", json!({ "channelId": channel, "couponId": id })).await;
    let plan =
        served.post(&format!("/channels/{channel}/memberships"), json!({ "title": "T", "price": 9.5 })).await;
    let join = json!({ "channelId": channel, "membershipId": plan["membershipId"] });
    served.post("/users/u1/memberships", join).await;
    let provider = served.get("/providers").await["items"][0]["providerId"].clone();
    let module =
        served.post("/channels", json!({ "providerId": provider, "type": "module", "name": "M" })).await;
    let module_id = module["channelId"].as_str().unwrap();
    let redirect = "https://m.example/";
    let request = client().patch(format!("{}/sandbox/v1/channels/{module_id}", served.url));
    request.json(&json!({ "callbackUrls": [redirect] })).send().await.unwrap();
    let query = [
        ("response_type", "code"),
        ("client_id", module_id),
        ("redirect_uri", redirect),
        ("scope", "message:receive"),
        ("state", "s"),
        ("sandbox_approve", "1"),
    ];
    let plain =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let authorize =
        plain.get(format!("{}/module/auth/v1/authorize", served.url)).query(&query).send().await.unwrap();
    let location = url::Url::parse(authorize.headers()["location"].to_str().unwrap()).unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let secret = module["channelSecret"].as_str().unwrap();
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", redirect)];
    let attach =
        client().post(format!("{}/module/auth/v1/token", served.url)).basic_auth(module_id, Some(secret));
    let bot = attach.form(&form).send().await.unwrap().json::<Value>().await.unwrap()["bot_id"].clone();
    let pairs = [("grant_type", "client_credentials"), ("client_id", module_id), ("client_secret", secret)];
    let issued =
        client().post(format!("{}/v2/oauth/accessToken", served.url)).form(&pairs).send().await.unwrap();
    let module_token = issued.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
    let user_id = served.get("/users").await["items"][0]["userId"][provider.as_str().unwrap()].clone();
    let path = format!("{}/v2/bot/chat/{}/control/acquire", served.url, user_id.as_str().unwrap());
    let acquire =
        client().post(path).bearer_auth(&module_token).header("X-Line-Bot-Id", bot.as_str().unwrap());
    assert!(acquire.body("").header("content-length", "0").send().await.unwrap().status().is_success());

    let shown = [
        format!("/users/u1/rich-menu?channelId={channel}"),
        "/users/u1/coupons".to_owned(),
        format!("/channels/{channel}/memberships"),
        format!("/channels/{channel}/modules"),
    ];
    let look = async |served: &Served| {
        let mut seen = Vec::new();
        for path in &shown {
            seen.push(served.get(path).await);
        }
        let image = format!("{}{}", served.url, seen[0]["image"].as_str().unwrap());
        let bytes = client().get(image).send().await.unwrap().bytes().await.unwrap();
        (seen, bytes)
    };
    let before = look(&served).await;
    assert_eq!((before.1.len(), &before.0[2]["items"][0]["memberCount"]), (24, &json!(1)));
    served.end().await;

    let served = Served::start(open(folder.path())).await;
    assert_eq!(look(&served).await, before);
    let list = client().get(format!("{}/v2/bot/coupon", served.url)).bearer_auth(token).send().await.unwrap();
    assert_eq!(list.json::<Value>().await.unwrap()["items"][0]["couponId"], id);
    served.end().await;
}
