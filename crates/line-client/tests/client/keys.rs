//! Tokens by a signing key, and whose a pasted token is (PLATFORM 4).

use std::sync::{Arc, LazyLock};

use line_client::{
    Credentials, Endpoints, LineClient, LineError, NewSigningKey, PastedToken, Secret, SigningKey, Timeouts,
    inspect_token,
};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::parse;

use crate::fake::*;

/// Where v2.1 tokens come from.
const V21: &str = "/oauth2/v2.1/token";
const REVOKE: &str = "/oauth2/v2.1/revoke";

/// One pair for all tests: making it takes a while.
static PAIR: LazyLock<NewSigningKey> = LazyLock::new(|| NewSigningKey::generate().unwrap());

/// An account with a signing key, at a moment that the test moves.
pub(crate) fn by_key(url: &Url, hand: &Hand) -> line_client::Account {
    let client = LineClient::with(Endpoints::all_at(url), Timeouts::default(), hand.clock())
        .unwrap()
        .with_wall_clock(Arc::new(|| 1_700_000_000));
    let signing_key = Some(SigningKey::new(&PAIR.private, "kid-1").unwrap());
    client.account(Credentials { signing_key, ..credentials() })
}

fn form(seen: &Seen, name: &str) -> String {
    let value = parse(&seen.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}

fn v21(nth: usize) -> axum::response::Response {
    let token = format!("v21-token-{nth}");
    answer(200, &json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600, "key_id": "k"}))
}

fn no_key() -> axum::response::Response {
    answer(404, &json!({"message": "Cannot find channel key that satisfies the conditions"}))
}

async fn until(done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 5 s");
}

// S3-24
#[tokio::test]
async fn a_stateless_token_is_asked_for_by_an_assertion_and_never_with_the_secret() {
    let fake = Fake::line(|_| answer(200, &json!({"totalUsage": 1}))).await;
    let account = by_key(&fake.url, &Hand::default());
    account.consumption().await.unwrap();
    let asked = fake.everything().into_iter().find(|seen| seen.path == TOKEN).unwrap();
    assert_eq!(form(&asked, "grant_type"), "client_credentials");
    assert_eq!(
        form(&asked, "client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(form(&asked, "client_assertion").split('.').count(), 3);
    assert_eq!((form(&asked, "client_id"), form(&asked, "client_secret")), (String::new(), String::new()));
    assert_eq!(asked.header("authorization"), None);
    assert_eq!(fake.bearers(), ["token-1"]);
}

#[tokio::test]
async fn where_line_issues_no_stateless_one_a_v21_token_is_kept_renewed_and_the_old_one_revoked() {
    let fake = Fake::scripted(|seen| async move {
        match seen.path.as_str() {
            TOKEN => answer(400, &json!({"error": "invalid_request", "error_description": "not this way"})),
            V21 => v21(seen.nth),
            REVOKE => raw(200, "text/plain", ""),
            _ => answer(200, &json!({"totalUsage": 1})),
        }
    })
    .await;
    let hand = Hand::default();
    let account = by_key(&fake.url, &hand);
    let count = |path: &str| fake.everything().iter().filter(|seen| seen.path == path).count();
    for _ in 0..3 {
        account.consumption().await.unwrap();
    }
    // One place is taken, however many calls are made.
    assert_eq!((count(TOKEN), count(V21), count(REVOKE)), (1, 1, 0));
    hand.set(48 * 60);
    account.consumption().await.unwrap();
    until(|| count(REVOKE) == 1).await;
    // The way that worked is gone at once the next time.
    assert_eq!((count(TOKEN), count(V21)), (1, 2));
    let revoked = fake.everything().into_iter().find(|seen| seen.path == REVOKE).unwrap();
    assert_eq!(form(&revoked, "access_token"), "v21-token-1");
    assert_eq!(form(&revoked, "client_id"), "1656000000");
    account.consumption().await.unwrap();
    let used: Vec<String> = fake
        .everything()
        .iter()
        .filter(|seen| seen.path.contains("consumption"))
        .map(|seen| seen.header("authorization").unwrap().replace("Bearer ", ""))
        .collect();
    assert_eq!(used, ["v21-token-1", "v21-token-1", "v21-token-1", "v21-token-1", "v21-token-2"]);
}

#[tokio::test]
async fn a_refused_v21_token_gives_its_place_back_too() {
    let fake = Fake::scripted(|seen| async move {
        match seen.path.as_str() {
            TOKEN => no_key(),
            V21 => v21(seen.nth),
            REVOKE => raw(200, "text/plain", ""),
            _ if seen.header("authorization") == Some("Bearer v21-token-1") => unauthorized(),
            _ => answer(200, &json!({"totalUsage": 1})),
        }
    })
    .await;
    by_key(&fake.url, &Hand::default()).consumption().await.unwrap();
    until(|| fake.everything().iter().any(|seen| seen.path == REVOKE)).await;
}

#[tokio::test]
async fn that_no_place_is_left_is_told_apart_from_a_wrong_key() {
    let full = Fake::scripted(|seen| async move {
        if seen.path == V21 {
            let said = "The maximum number of access tokens has already been issued";
            answer(400, &json!({ "message": said }))
        } else {
            answer(400, &json!({"error": "invalid_request"}))
        }
    })
    .await;
    let error = by_key(&full.url, &Hand::default()).token().await.unwrap_err();
    assert!(error.is_out_of_token_places(), "{error}");
    assert!(matches!(error, LineError::Credentials { status: Some(400), .. }));
    let unknown = Fake::scripted(|_| async { no_key() }).await;
    let error = by_key(&unknown.url, &Hand::default()).token().await.unwrap_err();
    assert!(!error.is_out_of_token_places());
    assert!(error.to_string().contains("Cannot find channel key"), "{error}");
}

#[tokio::test]
async fn a_line_that_is_slow_or_silent_is_not_asked_in_another_way() {
    for status in [429, 500] {
        let fake = Fake::scripted(move |_| async move { answer(status, &json!({"message": "x"})) }).await;
        let error = by_key(&fake.url, &Hand::default()).token().await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert_eq!(fake.everything().len(), 1);
    }
}

#[tokio::test]
async fn an_assertion_is_not_printed_even_when_a_server_repeats_it() {
    let fake = Fake::scripted(|seen| async move {
        let assertion = form(&seen, "client_assertion");
        answer(400, &json!({"error": assertion, "error_description": assertion}))
    })
    .await;
    let error = by_key(&fake.url, &Hand::default()).token().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("eyJ"), "{error:?}");
}

// S0-24, S1-16; PLATFORM 4.1
#[tokio::test]
async fn a_pasted_token_is_traced_to_its_channel() {
    let good = |id: &str| json!({ "client_id": id, "expires_in": 900 });
    let bad = |words: &str| json!({ "error": "invalid_request", "error_description": words });
    let said = |words: &str| words.to_owned();
    let cases: [(u16, Value, u16, Value, PastedToken); 5] = [
        (200, good("1"), 200, good("2"), PastedToken::Good { channel_id: said("1"), expires_in: 900 }),
        (
            400,
            bad("access_token invalid"),
            200,
            good("2"),
            PastedToken::Good { channel_id: said("2"), expires_in: 900 },
        ),
        (
            400,
            bad("access_token invalid"),
            400,
            bad("The access token not JWS"),
            PastedToken::Invalid(said("access_token invalid")),
        ),
        (
            400,
            bad("access_token invalid"),
            400,
            bad("The access token expired"),
            PastedToken::Expired(said("The access token expired")),
        ),
        (
            400,
            bad("access_token invalid"),
            400,
            bad("The access token revoked"),
            PastedToken::Revoked(said("The access token revoked")),
        ),
    ];
    for (old_status, old, new_status, new, found) in cases {
        let fake = Fake::scripted(move |seen| {
            assert_eq!(seen.header("authorization"), None);
            let answer = if seen.path == "/v2/oauth/verify" {
                answer(old_status, &old)
            } else {
                assert_eq!(seen.path, "/oauth2/v2.1/verify?access_token=a%2Fpasted+token");
                answer(new_status, &new)
            };
            std::future::ready(answer)
        })
        .await;
        let client = LineClient::new(Endpoints::all_at(&fake.url)).unwrap();
        assert_eq!(inspect_token(&client, &Secret::from("a/pasted token")).await.unwrap(), found);
    }
    let silent = Fake::scripted(|_| async { answer(500, &json!({})) }).await;
    let client = LineClient::new(Endpoints::all_at(&silent.url)).unwrap();
    assert!(inspect_token(&client, &Secret::from("x")).await.unwrap_err().is_transient());
}
