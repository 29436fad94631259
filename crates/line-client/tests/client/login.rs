//! LINE Login and LIFF (PLATFORM 23, 24).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use line_client::{
    Authorize, Endpoints, IdTokenFault, LiffFeatures, LiffView, LineClient, LoginChannel, NewLiffApp, Probed,
    Secret, Timeouts, Wanted,
};
use serde_json::{Value, json};

use crate::fake::*;

const CHANNEL: &str = "1657000000";
const NOW: i64 = 1_767_225_600;

fn login(url: &url::Url) -> LoginChannel {
    let client = LineClient::new(Endpoints::all_at(url)).unwrap();
    client.login_channel(CHANNEL, &Secret::from("the-secret-of-the-login-channel"))
}

fn app() -> NewLiffApp {
    NewLiffApp {
        view: LiffView { size: "full".into(), url: "https://hub.example/liff/a".into(), module_mode: None },
        description: "三杯茶".into(),
        features: LiffFeatures { qr_code: false },
        permanent_link_pattern: "concat",
        scope: vec!["openid", "profile"],
        bot_prompt: "aggressive",
    }
}

#[tokio::test]
async fn a_browser_is_sent_with_everything_that_ties_the_answer_to_us() {
    let fake = Fake::line(|_| answer(200, &json!({}))).await;
    let url = login(&fake.url).authorize_url(&Authorize {
        redirect_uri: "https://hub.example/login/line/a/callback",
        state: "s&1",
        nonce: "n",
        code_challenge: "c",
        scopes: &["openid", "profile"],
        bot_prompt: Some("aggressive"),
        language: Some("zh-TW"),
        ask_consent: true,
        no_auto_login: true,
    });
    assert_eq!(url.path(), "/oauth2/v2.1/authorize");
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CHANNEL),
        ("redirect_uri", "https://hub.example/login/line/a/callback"),
        ("state", "s&1"),
        ("scope", "openid profile"),
        ("nonce", "n"),
        ("code_challenge", "c"),
        ("code_challenge_method", "S256"),
        ("bot_prompt", "aggressive"),
        ("ui_locales", "zh-TW"),
        ("prompt", "consent"),
        ("disable_auto_login", "true"),
    ] {
        assert!(query.contains(&(name.to_owned(), value.to_owned())), "{name}: {url}");
    }
    assert!(!url.as_str().contains("the-secret"), "{url}");
}

#[tokio::test]
async fn what_lines_page_says_of_an_address_is_told() {
    // PLATFORM 23.1: an unregistered address gets a page with status 400 and no redirect; a probe follows none.
    for (status, probed) in [
        (302, Probed::Accepted),
        (200, Probed::Accepted),
        (400, Probed::Refused),
        (503, Probed::Unclear(503)),
    ] {
        let fake = Fake::scripted(move |_| async move { raw(status, "text/html", "<html>") }).await;
        assert_eq!(login(&fake.url).probe(&fake.url).await.unwrap(), probed);
        assert_eq!(fake.everything()[0].header("authorization"), None);
    }
}

#[tokio::test]
async fn a_code_is_exchanged_with_secret_and_verifier() {
    let fake = Fake::scripted(|seen| async move {
        let body = std::str::from_utf8(&seen.body).unwrap();
        assert!(body.contains("grant_type=authorization_code") && body.contains("code_verifier=v"), "{body}");
        assert!(body.contains("client_secret=the-secret-of-the-login-channel"), "{body}");
        answer(200, &json!({ "access_token": "user-token", "id_token": "a.b.c", "expires_in": 2_592_000 }))
    })
    .await;
    let tokens = login(&fake.url).exchange_code("code", "https://hub.example/cb", "v").await.unwrap();
    assert_eq!(tokens.access_token, Secret::from("user-token"));
    assert!(!format!("{tokens:?}").contains("user-token"));
}

#[tokio::test]
async fn a_persons_token_counts_for_its_own_channel_only() {
    // GOTCHAS E5
    for (status, body, counts) in [
        (200, json!({ "client_id": CHANNEL, "expires_in": 9, "scope": "profile" }), true),
        (200, json!({ "client_id": "1657999999", "expires_in": 9, "scope": "profile" }), false),
        (200, json!({ "client_id": CHANNEL, "expires_in": 0, "scope": "profile" }), false),
        (400, json!({ "error": "invalid_request", "error_description": "The access token revoked" }), false),
    ] {
        let fake = Fake::scripted(move |_| {
            let body = body.clone();
            async move { answer(status, &body) }
        })
        .await;
        let found = login(&fake.url).verify_access_token(&Secret::from("user-token")).await.unwrap();
        assert_eq!(found.is_some(), counts);
    }
}

#[tokio::test]
async fn friendship_without_a_linked_account_is_no_error() {
    for (status, body, friendship) in [
        (200, json!({ "friendFlag": true }), Some(true)),
        (200, json!({ "friendFlag": false }), Some(false)),
        (400, json!({ "message": "there is no login bot linked to this channel." }), None),
    ] {
        let fake = Fake::scripted(move |seen| {
            assert_eq!(seen.header("authorization"), Some("Bearer user-token"));
            let body = body.clone();
            async move { answer(status, &body) }
        })
        .await;
        assert_eq!(login(&fake.url).friendship(&Secret::from("user-token")).await.unwrap(), friendship);
    }
}

#[tokio::test]
async fn liff_apps_are_listed_made_changed_and_removed() {
    let fake = Fake::line(|seen| match (seen.method.as_str(), seen.nth) {
        // PLATFORM 24.1: 404 where the channel has none; a change and a removal answer with an empty body.
        ("GET", 1) => answer(404, &json!({ "message": "no apps" })),
        ("GET", _) => answer(
            200,
            &json!({ "apps": [{ "liffId": "1657000000-AbcdEfgh", "view": { "type": "full",
                "url": "https://hub.example/liff/a" }, "features": { "ble": false, "qrCode": false } }] }),
        ),
        ("POST", _) => {
            let body = seen.json();
            assert_eq!(body["view"]["type"], "full", "{body}");
            assert_eq!(body["botPrompt"], "aggressive", "{body}");
            assert_eq!(body["view"].get("moduleMode"), None, "{body}");
            answer(200, &json!({ "liffId": "1657000000-AbcdEfgh" }))
        }
        ("PUT", 1) | ("DELETE", 2) => raw(200, "text/plain", ""),
        _ => answer(404, &json!({ "message": "not found" })),
    })
    .await;
    let login = login(&fake.url);
    let account = login.account();
    assert!(account.liff_apps().await.unwrap().is_empty());
    assert_eq!(account.add_liff_app(&app()).await.unwrap(), "1657000000-AbcdEfgh");
    let listed = account.liff_apps().await.unwrap();
    assert_eq!((listed.len(), listed[0].bot_prompt.as_deref()), (1, None));
    assert!(account.change_liff_app("1657000000-AbcdEfgh", &app()).await.unwrap());
    assert!(account.delete_liff_app("1657000000-AbcdEfgh").await.unwrap());
    assert!(!account.delete_liff_app("1657000000-AbcdEfgh").await.unwrap());
}

/// One of LINE's signing keys.
struct Signer {
    pair: EcdsaKeyPair,
    kid: &'static str,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(), kid }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]) })
    }

    fn token(&self) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "iss": "https://access.line.me", "sub": "U4af4980629000000000000000000cafe",
            "aud": CHANNEL, "exp": NOW + 60, "iat": NOW });
        let signed = format!("{}.{}", part(json!({ "alg": "ES256", "kid": self.kid })), part(claims));
        let tag = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }
}

#[tokio::test]
async fn keys_are_kept_and_asked_for_again_when_line_changed_them() {
    let (old, new) = (Signer::new("k1"), Signer::new("k2"));
    let (first, both) = (json!({ "keys": [old.jwk()] }), json!({ "keys": [old.jwk(), new.jwk()] }));
    let fake = Fake::scripted(move |seen| {
        assert_eq!(seen.path, "/oauth2/v2.1/certs");
        let keys = if seen.nth == 1 { first.clone() } else { both.clone() };
        async move { answer(200, &keys) }
    })
    .await;
    let hand = Hand::default();
    let client = LineClient::with(Endpoints::all_at(&fake.url), Timeouts::default(), hand.clock()).unwrap();
    let wanted = Wanted { channel_id: CHANNEL, nonce: None, now: NOW };
    let verify = async |token: &str| client.verify_liff_token(token, wanted).await.unwrap();
    assert!(verify(&old.token()).await.is_ok());
    assert!(verify(&old.token()).await.is_ok());
    assert_eq!(fake.everything().len(), 1, "kept");
    // A made-up key name must not make us ask LINE each time.
    assert_eq!(verify(&new.token()).await, Err(IdTokenFault::UnknownKey));
    assert_eq!(fake.everything().len(), 1, "at most once a minute");
    hand.set(61);
    assert!(verify(&new.token()).await.is_ok());
    assert!(verify(&old.token()).await.is_ok());
    assert_eq!(fake.everything().len(), 2);
    // A key that LINE withdrew is forgotten after hours.
    hand.set(61 + 6 * 3600);
    assert!(verify(&old.token()).await.is_ok());
    assert_eq!(fake.everything().len(), 3);
}

#[tokio::test]
async fn without_keys_nobody_is_believed() {
    let fake = Fake::scripted(|_| async { answer(200, &json!({ "keys": [] })) }).await;
    let client = LineClient::new(Endpoints::all_at(&fake.url)).unwrap();
    let wanted = Wanted { channel_id: CHANNEL, nonce: None, now: NOW };
    assert!(client.verify_liff_token(&Signer::new("k1").token(), wanted).await.is_err());
}
