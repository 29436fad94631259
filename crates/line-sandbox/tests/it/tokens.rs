//! Access tokens and the refusals around them (PLATFORM 4, 5).

use serde_json::{Value, json};

use crate::signer::Signer;
use crate::stage::{Answer, Stage};

const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A channel's key, registered at the console.
struct Keyed {
    stage: Stage,
    signer: Signer,
    kid: String,
}

impl Keyed {
    async fn new() -> Self {
        let (stage, signer) = (Stage::new().await, Signer::new());
        let path = format!("/channels/{}/public-keys", stage.channel);
        let answer = stage.control("POST", &path, json!({"jwk": signer.jwk()})).await.ok();
        let kid = answer["kid"].as_str().unwrap().to_owned();
        Self { stage, signer, kid }
    }

    /// The sandbox's time in seconds.
    async fn now(&self) -> i64 {
        self.stage.control("GET", "/clock", Value::Null).await.ok()["now"].as_i64().unwrap() / 1_000
    }

    /// Sound claims with some of them replaced.
    async fn assertion(&self, other: Value) -> String {
        let mut claims = json!({
            "iss": self.stage.channel,
            "sub": self.stage.channel,
            "aud": "https://api.line.me/",
            "exp": self.now().await + 1_800,
            "token_exp": 86_400,
        });
        claims.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        self.signer.sign(&self.kid, &claims)
    }

    async fn issue(&self, other: Value) -> Answer {
        let assertion = self.assertion(other).await;
        self.issue_by("/oauth2/v2.1/token", &assertion).await
    }

    async fn issue_by(&self, path: &str, assertion: &str) -> Answer {
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", BEARER),
            ("client_assertion", assertion),
        ];
        self.stage.form(path, &pairs).await
    }

    async fn verify(&self, token: &str) -> Answer {
        let request = self.stage.request("GET", "/oauth2/v2.1/verify").query(&[("access_token", token)]);
        self.stage.send(request).await.unwrap()
    }

    async fn key_ids(&self) -> Vec<Value> {
        let assertion = self.assertion(json!({})).await;
        let query = [("client_assertion_type", BEARER), ("client_assertion", assertion.as_str())];
        let answer =
            self.stage.send(self.stage.request("GET", "/oauth2/v2.1/tokens/kid").query(&query)).await;
        answer.unwrap().ok()["kids"].as_array().unwrap().clone()
    }
}

/// PLATFORM 4, 4.1: a v2.1 token lives as long as asked for, has a key ID, is verified, and ends by revocation.
#[tokio::test]
async fn a_v2_1_token_is_issued_by_a_signed_assertion() {
    let mut keyed = Keyed::new().await;
    let first = keyed.issue(json!({})).await.ok();
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(86_400)));
    let text = first["access_token"].as_str().unwrap().to_owned();
    assert_eq!(text.split('.').count(), 3, "it looks like a JWS");
    let second = keyed.issue(json!({"aud": keyed.stage.base})).await.ok();
    assert_ne!(first["key_id"], keyed.kid.as_str(), "key_id names the token, kid the key");
    assert_eq!(keyed.key_ids().await, [first["key_id"].clone(), second["key_id"].clone()]);
    assert_eq!(keyed.verify(&text).await.ok()["client_id"], keyed.stage.channel);
    keyed.stage.token = text.clone();
    assert_eq!(keyed.stage.get("/v2/bot/info").await.status, 200);

    let revoke = async |token: &str, secret: &str| {
        let pairs =
            [("client_id", keyed.stage.channel.as_str()), ("client_secret", secret), ("access_token", token)];
        keyed.stage.form("/oauth2/v2.1/revoke", &pairs).await
    };
    assert_eq!(revoke(&text, "wrong").await.json()["error_description"], "invalid client_secret");
    let revoked = revoke(&text, &keyed.stage.secret).await;
    assert_eq!((revoked.status, revoked.bytes.len()), (200, 0));
    assert_eq!(
        revoke("x", &keyed.stage.secret).await.json()["error_description"],
        "The access token not JWS"
    );
    assert_eq!(
        revoke("a.b.c", &keyed.stage.secret).await.json()["error_description"],
        "The access token malformed"
    );
    assert_eq!(keyed.verify(&text).await.json()["error_description"], "The access token revoked");
    assert_eq!(keyed.stage.get("/v2/bot/info").await.status, 401);
    assert_eq!(keyed.key_ids().await, [second["key_id"].clone()]);
    assert_eq!(keyed.verify("opaque").await.json()["error_description"], "The access token not JWS");
    keyed.stage.advance(86_400_000).await;
    let second = second["access_token"].as_str().unwrap();
    assert_eq!(keyed.verify(second).await.json()["error_description"], "The access token expired");
}

/// PLATFORM 4.1, 4.2: what LINE says of assertions that do not hold.
#[tokio::test]
async fn an_assertion_must_hold() {
    let keyed = Keyed::new().await;
    let now = keyed.now().await;
    for (claims, why) in [
        (json!({"iss": "1"}), "iss and clientId of key do not match"),
        (json!({"exp": now - 1}), "Invalid exp"),
        (json!({"exp": now + 1_900}), "Invalid exp"),
        (json!({"aud": "https://elsewhere.example/"}), "Invalid aud"),
        (json!({"sub": "1"}), "Invalid sub"),
        (json!({"token_exp": 2_592_001}), "Invalid token_exp"),
    ] {
        let answer = keyed.issue(claims).await;
        let refusal = json!({"error": "invalid_client", "error_description": why});
        assert_eq!((answer.status, answer.json()), (400, refusal));
    }
    let unknown = keyed.signer.sign("unknown", &json!({}));
    let missing = "Cannot find channel key that satisfies the conditions";
    keyed.issue_by("/oauth2/v2.1/token", &unknown).await.refused(404, missing);
    let forged =
        Signer::new().sign(&keyed.kid, &json!({"iss": keyed.stage.channel, "sub": keyed.stage.channel}));
    let answer = keyed.issue_by("/oauth2/v2.1/token", &forged).await;
    assert_eq!(answer.json()["error_description"], "Invalid signature");
    // PLATFORM 4.1: stateless tokens take the same assertion.
    let sound = keyed.assertion(json!({})).await;
    assert_eq!(keyed.issue_by("/oauth2/v3/token", &sound).await.ok()["expires_in"], 900);
    keyed.issue_by("/oauth2/v3/token", &unknown).await.refused(404, missing);
    // A key taken back opens nothing more.
    let path = format!("/channels/{}/public-keys/{}", keyed.stage.channel, keyed.kid);
    keyed.stage.control("DELETE", &path, Value::Null).await.ok();
    keyed.issue_by("/oauth2/v2.1/token", &sound).await.refused(404, missing);
}

/// PLATFORM 4: the 31st v2.1 token is refused, and expired ones do not count.
#[tokio::test]
async fn thirty_v2_1_tokens_are_the_most() {
    let keyed = Keyed::new().await;
    for _ in 0..30 {
        keyed.issue(json!({"token_exp": 60})).await.ok();
    }
    keyed.issue(json!({})).await.refused(400, "The maximum number of access tokens has already been issued");
    keyed.stage.advance(60_000).await;
    keyed.issue(json!({})).await.ok();
}

/// PLATFORM 4.2: what the console takes as a key; it shows the key's `kid` from then on.
#[tokio::test]
async fn the_console_takes_public_rsa_keys_only() {
    let keyed = Keyed::new().await;
    let stage = &keyed.stage;
    let path = format!("/channels/{}/public-keys", stage.channel);
    for (field, value) in [
        ("kty", json!("EC")),
        ("alg", json!("HS256")),
        ("n", json!("AQAB")),
        ("d", json!("x")),
        ("use", json!("enc")),
    ] {
        let mut jwk = Signer::new().jwk();
        jwk[field] = value;
        let answer = stage.control("POST", &path, json!({"jwk": jwk})).await;
        assert_eq!((answer.status, answer.json()["field"].clone()), (422, json!(format!("jwk.{field}"))));
    }
    assert_eq!(stage.control("POST", &path, json!({"jwk": keyed.signer.jwk()})).await.status, 409);
    assert_eq!(stage.items(&path).await[0]["kid"], keyed.kid.as_str());
    let shown = stage.control("GET", &format!("/channels/{}", stage.channel), Value::Null).await.ok();
    assert_eq!(shown["publicKeys"][0]["jwk"], keyed.signer.jwk());
}

/// PLATFORM 4: on reissue the console can let the old long-lived token live up to 24 h more.
#[tokio::test]
async fn a_reissued_long_lived_token_may_have_a_grace() {
    let mut stage = Stage::new().await;
    let path = format!("/channels/{}/access-token", stage.channel);
    let old = stage.control("POST", &path, json!({})).await.ok()["accessToken"].as_str().unwrap().to_owned();
    assert_eq!(stage.control("POST", &path, json!({"graceHours": 25})).await.status, 422);
    stage.control("POST", &path, json!({"graceHours": 24})).await.ok();
    stage.token = old;
    stage.advance(23 * 3_600_000).await;
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    stage.advance(3_600_000).await;
    assert_eq!(stage.get("/v2/bot/info").await.status, 401);
}

/// PLATFORM 4.1: one text for a wrong ID and a wrong secret.
#[tokio::test]
async fn a_stateless_token_needs_the_right_pair_and_ages() {
    let stage = Stage::new().await;
    let refusal = json!({"error": "invalid_request", "error_description": "Invalid 'client_credentials'."});
    for (id, secret) in [("2000000000", stage.secret.as_str()), (stage.channel.as_str(), "wrong")] {
        let answer = stage.stateless_token(id, secret).await;
        assert_eq!((answer.status, answer.json()), (400, refusal.clone()));
    }
    let token = stage.stateless_token(&stage.channel, &stage.secret).await.ok();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("Bearer"), &json!(900)));
    stage.advance(899_000).await;
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    stage.advance(2_000).await;
    stage.get("/v2/bot/info").await.refused(
        401,
        "Authentication failed due to the following reason: invalid token. \
         Confirm that the access token in the authorization header is valid.",
    );
}

/// PLATFORM 4.1: the short-lived call tells a wrong ID from a wrong secret.
#[tokio::test]
async fn a_short_lived_token_tells_what_is_wrong() {
    let stage = Stage::new().await;
    let ask = async |id: &str, secret: &str| {
        let pairs = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        stage.form("/v2/oauth/accessToken", &pairs).await
    };
    assert_eq!(ask("1", "x").await.json()["error_description"], "invalid client_id");
    assert_eq!(ask(&stage.channel, "x").await.json()["error_description"], "invalid client_secret");
    let token = ask(&stage.channel, &stage.secret).await.ok();
    assert_eq!(token["expires_in"], 2_592_000);
    let first = token["access_token"].as_str().unwrap().to_owned();
    let check = async |token: &str| stage.form("/v2/oauth/verify", &[("access_token", token)]).await;
    assert_eq!(check(&first).await.ok()["client_id"], stage.channel);
    // PLATFORM 4: at most 30; the 31st revokes the oldest.
    stage.advance(1).await;
    for _ in 0..30 {
        ask(&stage.channel, &stage.secret).await.ok();
    }
    assert_eq!(check(&first).await.json()["error_description"], "access_token invalid");
    assert_eq!(check("not a token").await.json()["error_description"], "access_token in invalid format");
}

#[tokio::test]
async fn a_long_lived_token_dies_when_issued_again_or_revoked() {
    let mut stage = Stage::new().await;
    let path = format!("/channels/{}/access-token", stage.channel);
    let mut issue = Vec::new();
    for _ in 0..2 {
        issue.push(
            stage.control("POST", &path, json!({})).await.ok()["accessToken"].as_str().unwrap().to_owned(),
        );
    }
    stage.token = issue.remove(0);
    assert_eq!(stage.get("/v2/bot/info").await.status, 401);
    stage.token = issue.remove(0);
    stage.advance(400 * 24 * 3_600_000).await;
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    let revoked = stage.form("/v2/oauth/revoke", &[("access_token", &stage.token)]).await;
    assert_eq!((revoked.status, revoked.bytes.len()), (200, 0));
    assert_eq!(stage.get("/v2/bot/info").await.status, 401);
    assert_eq!(stage.form("/v2/oauth/revoke", &[("access_token", "unknown")]).await.status, 200);
}

/// PLATFORM 4: a stateless token cannot be revoked; 4.3: a reissued secret ends the old one, not the tokens.
#[tokio::test]
async fn a_new_secret_counts_at_once() {
    let stage = Stage::new().await;
    stage.form("/v2/oauth/revoke", &[("access_token", &stage.token)]).await;
    let path = format!("/channels/{}/secret", stage.channel);
    let secret =
        stage.control("POST", &path, json!({})).await.ok()["channelSecret"].as_str().unwrap().to_owned();
    assert_eq!(stage.stateless_token(&stage.channel, &stage.secret).await.status, 400);
    stage.stateless_token(&stage.channel, &secret).await.ok();
    assert_eq!(stage.get("/v2/bot/info").await.status, 200);
    stage.write("hi").await;
    stage.receiver.event(2).await;
    let (headers, body) = stage.receiver.got.lock().unwrap().last().unwrap().clone();
    let signature = headers["x-line-signature"].to_str().unwrap();
    assert!(line_api::signature::verify(&secret, &body, signature));
}

/// PLATFORM 5: texts of 401, 404, 411, 413, 415 and of bodies that are not JSON.
#[tokio::test]
async fn the_door_refuses_in_lines_words() {
    let stage = Stage::new().await;
    let bare = stage.send(stage.request("GET", "/v2/bot/info")).await.unwrap();
    bare.refused(
        401,
        "Authorization header required. Must follow the scheme, 'Authorization: Bearer <ACCESS TOKEN>'",
    );
    let data = stage.request("GET", "/v2/bot/message/1/content").bearer_auth("x");
    stage.send(data).await.unwrap().refused(
        401,
        "Authentication failed. Confirm that the access token in the authorization header is valid.",
    );
    stage.get("/v2/bot/nothing").await.refused(404, "Not found");
    let push = || stage.request("POST", "/v2/bot/message/push").bearer_auth(&stage.token);
    let broken = push().header("content-type", "application/json").body("{\"to\": oops}");
    stage
        .send(broken)
        .await
        .unwrap()
        .refused(400, "The request body could not be parsed as JSON (line: 1, column: 8)");
    let text = push().header("content-type", "text/plain").body("{}");
    stage.send(text).await.unwrap().refused(415, "The content type, text/plain, is not supported");
    let huge = push().header("content-type", "application/json").body(vec![b' '; 2 * 1024 * 1024 + 1]);
    assert_eq!(stage.send(huge).await.unwrap().status, 413);
    let bodyless = stage.request("POST", "/v2/bot/group/C0/leave").bearer_auth(&stage.token);
    assert_eq!(stage.send(bodyless).await.unwrap().status, 411);
}

/// A Login channel's token works, but there is no account behind it.
#[tokio::test]
async fn a_login_channel_has_no_account() {
    let mut stage = Stage::new().await;
    let body = json!({"providerId": stage.provider, "type": "login", "name": "Members"});
    let login = stage.control("POST", "/channels", body).await.ok();
    assert_eq!(login.get("botUserId"), None);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, secret) = (text(&login["channelId"]), text(&login["channelSecret"]));
    stage.token = text(&stage.stateless_token(&id, &secret).await.ok()["access_token"]);
    stage.get("/v2/bot/info").await.refused(403, "Access to this API is not available for your account");
}

/// PLATFORM 5: a body of more than 2 MB is refused by 413, which also a client sees that writes all of it before it reads.
#[tokio::test]
async fn who_sends_too_much_is_told_so() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let stage = Stage::new().await;
    let host = stage.base.trim_start_matches("http://");
    let mut line = tokio::net::TcpStream::connect(host).await.unwrap();
    let body = vec![b'x'; 16 * 1024 * 1024];
    let head = format!(
        "POST /v2/bot/message/push HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        stage.token,
        body.len()
    );
    line.write_all(head.as_bytes()).await.unwrap();
    line.write_all(&body).await.unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("x-line-request-id"), "{answer}");
}
