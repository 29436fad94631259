//! LIFF (PLATFORM 24): the server API, opening an app, and what its client may do.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::login::{Login, Seen};
use crate::signer::parts;

const ENDPOINT: &str = "http://127.0.0.1:9/liff";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// What stands between a mark and the next quote.
fn between<'p>(page: &'p str, mark: &str) -> &'p str {
    page.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {page}")).1.split('"').next().unwrap()
}

impl Login {
    /// A call to the server API with a token of the Login channel, held against LINE's schema.
    async fn liff(&self, method: &str, path: &str, body: Value) -> Seen {
        let request = self.stage.request(method, path).bearer_auth(self.channel_token().await);
        let request = if body.is_null() { request } else { request.json(&body) };
        let seen = self.fetch(request).await;
        let answer = if seen.text.is_empty() { Value::Null } else { seen.json() };
        if let Some(schema) = &self.stage.schema {
            schema.check_response(method, path, seen.status, &answer).unwrap();
        }
        seen
    }

    /// A new app with every scope, and the share target picker switched on.
    async fn app(&self, other: Value) -> String {
        let mut body = json!({
            "view": {"type": "full", "url": ENDPOINT},
            "scope": ["openid", "profile", "chat_message.write"],
        });
        body.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        let id = text(&self.liff("POST", "/liff/v1/apps", body).await.json()["liffId"]).to_owned();
        let path = format!("/channels/{}/liff-apps/{id}", self.id);
        self.stage.control("PATCH", &path, json!({"shareTargetPicker": true})).await.ok();
        id
    }

    /// Opens an app as the friend, who consents first; gives the page with the frame.
    async fn enter(&self, address: &str) -> Seen {
        let seen = self.get(address).await;
        let Some(ticket) = seen.to else { return seen };
        let done = self.post(&ticket, &[("act", "allow")]).await;
        self.get(&done.to.unwrap()).await
    }

    /// The access token and the id token that the frame hands to the app.
    async fn visit(&self, id: &str, chat: &str) -> (String, String) {
        let page = self.enter(&format!("/liff/{id}?sandbox_user={}&chat={chat}", self.stage.user)).await;
        let secret = between(&page.text, "data-secret=\"").replace("&#38;", "&").replace("&amp;", "&");
        let value = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(secret.as_bytes());
            pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
        };
        (value("access_token"), value("id_token"))
    }

    async fn call(&self, path: &str, token: &str, body: Value) -> Seen {
        self.fetch(self.stage.request("POST", path).bearer_auth(token).json(&body)).await
    }
}

/// PLATFORM 24.1: the four calls with their odd answers.
#[tokio::test]
async fn apps_are_kept_by_the_server_api() {
    let login = Login::new().await;
    assert_eq!(login.liff("GET", "/liff/v1/apps", Value::Null).await.status, 404, "none yet");
    let view = json!({"type": "tall", "url": "https://shop.example/liff"});
    let made = login.liff("POST", "/liff/v1/apps", json!({"view": view})).await.json();
    let id = text(&made["liffId"]);
    assert!(id.starts_with(&format!("{}-", login.id)) && id.len() == login.id.len() + 9, "{id}");
    let app = &login.liff("GET", "/liff/v1/apps", Value::Null).await.json()["apps"][0];
    assert_eq!(
        (&app["scope"], &app["botPrompt"]),
        (&json!(["profile", "chat_message.write"]), &json!("none"))
    );
    let path = format!("/liff/v1/apps/{id}");
    let changed =
        login.liff("PUT", &path, json!({"description": "Member card", "view": {"type": "full"}})).await;
    assert_eq!((changed.status, changed.text.as_str()), (200, ""));
    let app = &login.liff("GET", "/liff/v1/apps", Value::Null).await.json()["apps"][0];
    assert_eq!((&app["view"]["type"], &app["view"]["url"]), (&json!("full"), &view["url"]));
    assert_eq!(login.liff("PUT", "/liff/v1/apps/1-aaaaaaaa", json!({})).await.status, 404);
    let gone = login.liff("DELETE", &path, Value::Null).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    assert_eq!(login.liff("DELETE", &path, Value::Null).await.status, 404);
    let wrong =
        login.fetch(login.stage.request("GET", "/liff/v1/apps").bearer_auth(&login.stage.token)).await;
    assert_eq!(wrong.status, 401, "an account's token is not a Login channel's");
}

/// PLATFORM 24.1: values and the limit of 30.
#[tokio::test]
async fn apps_are_checked_and_counted() {
    let login = Login::new().await;
    let view = json!({"type": "full", "url": ENDPOINT});
    for wrong in [
        json!({}),
        json!({"view": {"type": "full"}}),
        json!({"view": {"type": "huge", "url": ENDPOINT}}),
        json!({"view": {"type": "full", "url": "http://shop.example/"}}),
        json!({"view": {"type": "full", "url": "https://shop.example/#a"}}),
        json!({"view": view, "description": "My LINE app"}),
        json!({"view": view, "scope": ["phone"]}),
        json!({"view": view, "scope": ["openid", "email"]}),
        json!({"view": view, "botPrompt": "loud"}),
    ] {
        let seen = login.liff("POST", "/liff/v1/apps", wrong.clone()).await;
        assert_eq!(seen.status, 400, "{wrong}");
    }
    for _ in 0..30 {
        assert_eq!(
            login.liff("POST", "/liff/v1/apps", json!({"view": view, "description": "Online"})).await.status,
            200
        );
    }
    assert_eq!(login.liff("POST", "/liff/v1/apps", json!({"view": view})).await.status, 400);
}

/// The console makes, shows and removes apps too, and holds a switch that no API has.
#[tokio::test]
async fn the_console_keeps_apps() {
    let login = Login::new().await;
    let path = format!("/channels/{}/liff-apps", login.id);
    let body = json!({"view": {"type": "full", "url": ENDPOINT}, "shareTargetPicker": true});
    let id = login.stage.control("POST", &path, body).await.ok()["liffId"].as_str().unwrap().to_owned();
    let shown = &login.stage.items(&path).await[0];
    assert_eq!((&shown["liffId"], &shown["shareTargetPicker"]), (&json!(id), &json!(true)));
    let wrong = login.stage.control("POST", &path, json!({"view": {"type": "huge", "url": ENDPOINT}})).await;
    assert_eq!(wrong.status, 422);
    assert!(text(&wrong.json()["message"]).starts_with("Must be one of"));
    login.stage.control("DELETE", &format!("{path}/{id}"), Value::Null).await.ok();
    assert_eq!(login.stage.items(&path).await.len(), 0);
    let of_account = format!("/channels/{}/liff-apps", login.stage.channel);
    assert_eq!(login.stage.control("POST", &of_account, json!({})).await.status, 409);
}

/// PLATFORM 24.2: consent, then the endpoint in a frame, with the rest of the address as `liff.state`; the host's root form leads there.
#[tokio::test]
async fn an_app_opens_in_a_frame() {
    let login = Login::new().await;
    let id = login.app(json!({"botPrompt": "normal"})).await;
    let root = login.get(&format!("/{id}/cart?item=1")).await;
    assert_eq!((root.status, root.to.as_deref()), (307, Some(format!("/liff/{id}/cart?item=1").as_str())));
    let address = format!("/liff/{id}/cart?item=1&sandbox_user={}", login.stage.user);
    let consent = login.get(&login.get(&address).await.to.unwrap()).await;
    assert!(consent.text.contains("Already a friend"), "{}", consent.text);
    let page = login.enter(&address).await;
    assert_eq!(page.status, 200);
    assert_eq!(between(&page.text, "data-src=\""), format!("{ENDPOINT}?liff.state=%2Fcart%3Fitem%3D1"));
    assert!(page.policy.contains("frame-src http: https:"));
    assert_eq!(login.get("/liff/1234567890-aaaaaaaa").await.status, 400);
    let script = login.get("/liff/sdk.js").await;
    assert!(script.text.contains("shareTargetPicker"));
}

/// PLATFORM 23.5: testers alone open the apps of a channel that is not published.
#[tokio::test]
async fn an_unpublished_app_opens_for_testers() {
    let login = Login::new().await;
    let id = login.app(json!({})).await;
    login.set(json!({"published": false})).await;
    let address = format!("/liff/{id}?sandbox_user={}", login.stage.user);
    let refused = login.get(&login.get(&address).await.to.unwrap()).await;
    assert_eq!(refused.status, 400);
    login.set(json!({"testers": [login.stage.user]})).await;
    assert!(login.enter(&address).await.text.contains("data-secret"));
}

/// With thousands of people the picker lists some of them, and one can name any.
#[tokio::test]
async fn a_picker_stays_small() {
    let login = Login::new().await;
    let id = login.app(json!({})).await;
    for n in 0..120 {
        login.stage.control("POST", "/users", json!({"displayName": format!("P{n}")})).await.ok();
    }
    let (access, _) = login.visit(&id, "").await;
    let share = json!({"messages": [{"type": "text", "text": "Look"}]});
    let path = text(&login.call("/liff/v2/dialogs", &access, share).await.json()["path"]).to_owned();
    let picker = login.get(&path).await;
    assert_eq!(picker.text.matches("class=\"login-target\"").count(), 101, "100 people and the account");
    login.post(&path, &[("act", "send"), ("target", "u121")]).await;
    assert_eq!(login.stage.items(&format!("/users/u121/timeline?with={}", login.stage.user)).await.len(), 1);
}

/// PLATFORM 23.3: an id token for LIFF is ES256 with a key of the JWKS, and the verify call takes it.
#[tokio::test]
async fn an_id_token_of_liff_is_proven_by_the_keys() {
    let login = Login::new().await;
    let id = login.app(json!({})).await;
    let (access, id_token) = login.visit(&id, "").await;
    let (header, claims) = parts(&id_token);
    let keys = login.get("/oauth2/v2.1/certs").await.json();
    let key = &keys["keys"][0];
    assert_eq!((&header["alg"], &header["kid"]), (&json!("ES256"), &key["kid"]));
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let point = [&[4], bytes(text(&key["x"])).as_slice(), &bytes(text(&key["y"]))].concat();
    let (signed, signature) = id_token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &bytes(signature))
        .unwrap();
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!(login.stage.user_id), &json!(login.id)));
    let pairs = [("id_token", id_token.as_str()), ("client_id", &login.id)];
    assert_eq!(login.post("/oauth2/v2.1/verify", &pairs).await.json(), claims);
    // PLATFORM 24.3: 12 hours.
    let shown = login.get(&format!("/oauth2/v2.1/verify?access_token={access}")).await.json();
    assert!((43_190..=43_200).contains(&shown["expires_in"].as_i64().unwrap()));
}

/// PLATFORM 24.3: messages go into the chat from which the app was opened; GOTCHAS A22: the account hears of all but templates and Flex.
#[tokio::test]
async fn an_app_sends_messages_in_its_chat() {
    let login = Login::new().await;
    let id = login.app(json!({})).await;
    let (access, _) = login.visit(&id, &login.stage.channel).await;
    let bubble = json!({"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": "Card"}]}});
    let flex = json!({"type": "flex", "altText": "Card", "contents": bubble});
    let picture = "http://127.0.0.1:9/p.jpg";
    let image = json!({"type": "image", "originalContentUrl": picture, "previewImageUrl": picture});
    let messages = json!([{"type": "text", "text": "Hello"}, flex, image]);
    let sent = login.call("/message/v3/share", &access, json!({"messages": messages})).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let hello = login.stage.receiver.event(2).await;
    assert_eq!(
        (&hello["message"]["text"], &hello["source"]["userId"]),
        (&json!("Hello"), &json!(login.stage.user_id))
    );
    let image = login.stage.receiver.event(3).await;
    assert_eq!(
        image["message"]["contentProvider"],
        json!({"type": "external", "originalContentUrl": picture, "previewImageUrl": picture})
    );
    let shown: Vec<Value> =
        login.stage.timeline().await.iter().map(|item| item["message"]["type"].clone()).collect();
    assert_eq!(shown, ["text", "flex", "image"]);
    login.stage.receiver.check(login.stage.schema.as_ref());

    let refused = "user doesn't grant required permissions yet";
    let (outside, _) = login.visit(&id, "").await;
    let seen =
        login.call("/message/v3/share", &outside, json!({"messages": [{"type": "text", "text": "x"}]})).await;
    assert_eq!((seen.status, seen.json()["message"].as_str()), (403, Some(refused)));
    let silent = login.app(json!({"scope": ["profile"]})).await;
    let (access, _) = login.visit(&silent, &login.stage.channel).await;
    let seen =
        login.call("/message/v3/share", &access, json!({"messages": [{"type": "text", "text": "x"}]})).await;
    assert_eq!((seen.status, seen.json()["message"].as_str()), (403, Some(refused)));
}

/// PLATFORM 24.3: what an app may not send.
#[tokio::test]
async fn an_app_sends_some_kinds_only() {
    let login = Login::new().await;
    let id = login.app(json!({})).await;
    let (access, _) = login.visit(&id, &login.stage.channel).await;
    let button =
        json!({"type": "buttons", "text": "t", "actions": [{"type": "message", "label": "l", "text": "t"}]});
    for wrong in [
        json!([]),
        json!([{"type": "text", "text": "1"}, {"type": "text", "text": "2"}, {"type": "text", "text": "3"},
               {"type": "text", "text": "4"}, {"type": "text", "text": "5"}, {"type": "text", "text": "6"}]),
        json!([{"type": "textV2", "text": "x"}]),
        json!([{"type": "template", "altText": "a", "template": button}]),
        json!([{"type": "text", "text": "x", "quickReply": {"items": []}}]),
    ] {
        let seen = login.call("/message/v3/share", &access, json!({"messages": wrong.clone()})).await;
        assert_eq!(seen.status, 400, "{wrong}");
    }
    assert_eq!(login.stage.timeline().await.len(), 0);
}

/// PLATFORM 24.3: the share target picker puts messages into the chats that the person chooses.
#[tokio::test]
async fn messages_are_shared_with_whom_the_person_chooses() {
    let login = Login::new().await;
    let id = login.app(json!({})).await;
    let other = login.stage.control("POST", "/users", json!({"displayName": "Nok"})).await.ok();
    let other = text(&other["user"]);
    let (access, _) = login.visit(&id, "").await;
    let share = json!({"messages": [{"type": "text", "text": "Look"}], "isMultiple": true});
    let path = text(&login.call("/liff/v2/dialogs", &access, share.clone()).await.json()["path"]).to_owned();
    let picker = login.get(&path).await;
    assert!(picker.text.contains("Nok") && picker.text.contains("茶店"));
    assert!(picker.policy.contains("frame-ancestors 'self' http://127.0.0.1:9"), "{}", picker.policy);
    let done =
        login.post(&path, &[("act", "send"), ("target", other), ("target", &login.stage.channel)]).await;
    assert_eq!(between(&done.text, "data-dialog-status=\""), "success");
    let seen = login.stage.items(&format!("/users/{other}/timeline?with={}", login.stage.user)).await;
    assert_eq!(
        (seen.len(), &seen[0]["message"]["text"], &seen[0]["user"]),
        (1, &json!("Look"), &json!(login.stage.user))
    );
    assert_eq!(login.stage.receiver.event(2).await["message"]["text"], "Look");
    let again = login.post(&path, &[("act", "send"), ("target", other)]).await;
    assert_eq!(between(&again.text, "data-dialog-status=\""), "gone", "a dialog answers once");

    let path = text(&login.call("/liff/v2/dialogs", &access, share.clone()).await.json()["path"]).to_owned();
    let cancelled = login.post(&path, &[("act", "cancel"), ("target", other)]).await;
    assert_eq!(between(&cancelled.text, "data-dialog-status=\""), "cancel");
    let path = text(&login.call("/liff/v2/dialogs", &access, share.clone()).await.json()["path"]).to_owned();
    login.stage.advance(600_000).await;
    assert_eq!(between(&login.get(&path).await.text, "data-dialog-status=\""), "gone", "10 minutes");
    let switch = format!("/channels/{}/liff-apps/{id}", login.id);
    login.stage.control("PATCH", &switch, json!({"shareTargetPicker": false})).await.ok();
    assert_eq!(login.call("/liff/v2/dialogs", &access, share).await.status, 403, "a switch of the console");
}

/// PLATFORM 24.3: the context names the kind of chat, never the chat.
#[tokio::test]
async fn the_context_tells_from_where() {
    let login = Login::new().await;
    let id = login.app(json!({"view": {"type": "tall", "url": ENDPOINT}})).await;
    let group = json!({"name": "Family", "channelId": login.stage.channel, "members": [login.stage.user]});
    let group = login.stage.control("POST", "/groups", group).await.ok();
    let path = format!("/liff/v2/apps/{id}");
    assert_eq!(login.get(&path).await.json()["endpointUrl"], ENDPOINT, "public");
    for (chat, kind) in
        [(login.stage.channel.as_str(), "utou"), (text(&group["groupId"]), "group"), ("", "none")]
    {
        let (access, _) = login.visit(&id, chat).await;
        let context = login.bearer(&path, &access).await;
        let facts = context.json();
        assert_eq!((&facts["type"], &facts["userId"]), (&json!(kind), &json!(login.stage.user_id)));
        assert!(chat.is_empty() || !context.text.contains(chat), "no chat ID since 2023-02");
        // PLATFORM 24.3: closing ends the token of an app that cannot be resumed.
        login.call("/liff/v2/close", &access, json!({})).await;
        assert_eq!(login.bearer(&path, &access).await.status, 401);
    }
}

/// PLATFORM 24.3, 24.4: `liff.login()` outside LINE: below the endpoint only, PKCE in place of a secret, an ES256 id token.
#[tokio::test]
async fn an_app_logs_in_outside_line() {
    let login = Login::new().await;
    let id = login.app(json!({})).await;
    let verifier = "a-verifier-of-at-least-forty-three-characters._~";
    let challenge =
        URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()));
    let address = |redirect: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("app_id", id.as_str()),
                ("response_type", "code"),
                ("state", "s1"),
                ("redirect_uri", redirect),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
                ("sandbox_user", &login.stage.user),
            ])
            .finish();
        format!("/liff/v1/authorize?{query}")
    };
    assert_eq!(login.get(&address("http://127.0.0.1:9/elsewhere")).await.status, 400);
    let below = format!("{ENDPOINT}/cart");
    let back = login.get(&address(&below)).await;
    assert_eq!(back.parameter("liffClientId"), Some(login.id.clone()));
    assert_eq!(back.parameter("liffRedirectUri"), Some(below.clone()));
    let code = back.parameter("code").unwrap();
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", login.id.as_str()),
        ("appId", &id),
        ("code", &code),
        ("code_verifier", verifier),
        ("redirect_uri", &below),
        ("id_token_key_type", "JWK"),
    ];
    let tokens = login.post("/oauth2/v2.1/token", &pairs).await.json();
    assert_eq!(tokens["expires_in"], 43_200);
    assert_eq!(parts(text(&tokens["id_token"])).0["alg"], "ES256");
    let context = login.bearer(&format!("/liff/v2/apps/{id}"), text(&tokens["access_token"])).await;
    assert_eq!(context.json()["type"], "external");
    let revoke = [("client_id", login.id.as_str()), ("access_token", text(&tokens["access_token"]))];
    assert_eq!(login.post("/oauth2/v2.1/revoke", &revoke).await.status, 200, "without a secret");
    assert_eq!(login.bearer("/v2/profile", text(&tokens["access_token"])).await.status, 401);
}
