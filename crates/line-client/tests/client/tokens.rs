//! The life of a token (PLATFORM 4, GOTCHAS F1).

use std::time::Duration;

use futures_util::future::join_all;
use line_client::{
    Cause, CredentialFault, Credentials, Endpoints, LineClient, LineError, Secret, diagnose_credentials,
};
use serde_json::json;

use crate::fake::*;

/// Waits for what happens beside the test's own calls.
async fn until(done: impl AsyncFn() -> bool) {
    for _ in 0..500 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 5 s");
}

#[tokio::test]
async fn a_token_is_asked_for_with_id_and_secret_as_a_form() {
    // PLATFORM 4.1: form, no Authorization header.
    let fake = Fake::scripted(|seen| async move {
        assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(seen.header("authorization"), None);
        assert_eq!(
            std::str::from_utf8(&seen.body).unwrap(),
            "grant_type=client_credentials&client_id=1656000000&client_secret=the-secret-of-the-channel"
        );
        issued(seen.nth)
    })
    .await;
    assert_eq!(fake.account().token().await.unwrap(), Secret::from("token-1"));
    assert_eq!(fake.tokens(), 1);
}

#[tokio::test]
async fn fifty_calls_at_once_share_one_request_for_a_token() {
    let fake = Fake::scripted(|seen| async move {
        if seen.path == TOKEN {
            tokio::time::sleep(Duration::from_millis(100)).await;
            return issued(seen.nth);
        }
        answer(200, &json!({"totalUsage": 1}))
    })
    .await;
    let account = fake.account();
    for outcome in join_all((0..50).map(|_| account.consumption())).await {
        outcome.unwrap();
    }
    assert_eq!(fake.tokens(), 1);
    assert_eq!(fake.calls().len(), 50);
}

#[tokio::test]
async fn those_who_wait_for_a_refused_token_share_the_refusal() {
    let fake = Fake::scripted(|_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer(
            400,
            &json!({"error": "invalid_request", "error_description": "Invalid 'client_credentials'."}),
        )
    })
    .await;
    let account = fake.account();
    for outcome in join_all((0..50).map(|_| account.consumption())).await {
        assert!(matches!(outcome, Err(LineError::Credentials { status: Some(400), .. })));
    }
    assert_eq!(fake.tokens(), 1);
    // The next call asks again: a refusal is not kept.
    account.consumption().await.unwrap_err();
    assert_eq!((fake.tokens(), fake.calls().len()), (2, 0));
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_leave_the_others_without_a_token() {
    let fake = Fake::scripted(|seen| async move {
        if seen.nth == 1 {
            std::future::pending::<()>().await;
        }
        issued(seen.nth)
    })
    .await;
    let account = fake.account();
    let first = tokio::spawn({
        let account = account.clone();
        async move { account.token().await }
    });
    until(async || fake.tokens() == 1).await;
    let second = tokio::spawn(async move { account.token().await });
    first.abort();
    assert_eq!(second.await.unwrap().unwrap(), Secret::from("token-2"));
}

#[tokio::test]
async fn a_token_is_renewed_at_minute_12_beside_the_calls() {
    let fake = Fake::line(|_| answer(200, &json!({"totalUsage": 1}))).await;
    let hand = Hand::default();
    let account = account_at(&fake.url, &hand);

    account.consumption().await.unwrap();
    hand.set(12 * 60 - 1);
    account.consumption().await.unwrap();
    assert_eq!(fake.tokens(), 1);

    // The call that notices uses the old one, which lives 3 more minutes.
    hand.set(12 * 60);
    account.consumption().await.unwrap();
    until(async || account.token().await.unwrap() == Secret::from("token-2")).await;
    account.consumption().await.unwrap();
    assert_eq!(fake.bearers(), ["token-1", "token-1", "token-1", "token-2"]);
    assert_eq!(fake.tokens(), 2);
}

#[tokio::test]
async fn a_token_past_its_end_is_not_used() {
    let fake = Fake::line(|_| answer(200, &json!({"totalUsage": 1}))).await;
    let hand = Hand::default();
    let account = account_at(&fake.url, &hand);
    account.consumption().await.unwrap();
    hand.set(15 * 60);
    account.consumption().await.unwrap();
    assert_eq!(fake.bearers(), ["token-1", "token-2"]);
}

#[tokio::test]
async fn the_old_token_is_kept_to_its_end_while_line_issues_none() {
    let fake = Fake::scripted(|seen| async move {
        match seen.path.as_str() {
            TOKEN if seen.nth == 1 => issued(1),
            TOKEN => answer(500, &json!({"message": "Internal"})),
            _ => answer(200, &json!({"totalUsage": 1})),
        }
    })
    .await;
    let hand = Hand::default();
    let account = account_at(&fake.url, &hand);
    account.consumption().await.unwrap();

    hand.set(12 * 60);
    for _ in 0..3 {
        account.consumption().await.unwrap();
    }
    until(async || fake.tokens() == 2).await;
    // Not with every call: after a failed attempt it pauses.
    tokio::time::sleep(Duration::from_millis(50)).await;
    account.consumption().await.unwrap();
    assert_eq!(fake.tokens(), 2);
    let mut now = 12 * 60;
    while fake.tokens() < 3 {
        now += 30;
        assert!(now < 15 * 60, "no second attempt");
        hand.set(now);
        account.consumption().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(fake.bearers().iter().all(|bearer| bearer == "token-1"));

    hand.set(15 * 60);
    let error = account.consumption().await.unwrap_err();
    assert!(matches!(error, LineError::NotSent { cause: Cause::Status { status: 500, .. }, .. }), "{error}");
}

#[tokio::test]
async fn after_a_401_one_new_token_and_one_more_try() {
    let fake = Fake::line(|seen| {
        if seen.header("authorization") == Some("Bearer token-1") { unauthorized() } else { sent() }
    })
    .await;
    let account = fake.account();
    let key = "123e4567-e89b-12d3-a456-426614174000";
    account.push("U1", &[text("hi")], key, false).await.unwrap();
    account.push("U1", &[text("hi")], key, false).await.unwrap();
    assert_eq!(fake.bearers(), ["token-1", "token-2", "token-2"]);
    let calls = fake.calls();
    assert_eq!(calls[0].body, calls[1].body);
    assert!(calls.iter().all(|call| call.header("x-line-retry-key") == Some(key)));
}

#[tokio::test]
async fn many_401s_at_once_fetch_one_new_token() {
    let fake = Fake::scripted(|seen| async move {
        if seen.path == TOKEN {
            return issued(seen.nth);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        if seen.header("authorization") == Some("Bearer token-1") {
            unauthorized()
        } else {
            answer(200, &json!({"totalUsage": 1}))
        }
    })
    .await;
    let account = fake.account();
    account.token().await.unwrap();
    for outcome in join_all((0..20).map(|_| account.consumption())).await {
        outcome.unwrap();
    }
    assert_eq!(fake.tokens(), 2);
}

#[tokio::test]
async fn a_second_401_ends_it() {
    let fake = Fake::line(|_| unauthorized()).await;
    let error = fake.account().consumption().await.unwrap_err();
    assert!(matches!(error, LineError::Credentials { status: Some(401), .. }));
    assert_eq!(error.request_id(), Some("req-1"));
    assert_eq!(fake.bearers(), ["token-1", "token-2"]);
}

#[tokio::test]
async fn a_pasted_token_is_used_as_it_is() {
    let fake = Fake::line(|seen| match seen.nth {
        1 => answer(200, &json!({"totalUsage": 1})),
        _ => unauthorized(),
    })
    .await;
    let account = pasted(&fake.url);
    account.consumption().await.unwrap();
    let error = account.consumption().await.unwrap_err();
    assert!(matches!(error, LineError::Credentials { status: Some(401), .. }));
    assert_eq!(fake.tokens(), 0);
    assert_eq!(fake.bearers(), ["pasted-token", "pasted-token"]);
}

#[tokio::test]
async fn a_pasted_token_that_no_header_can_carry_is_a_matter_of_credentials() {
    let fake = Fake::line(|_| sent()).await;
    let client = LineClient::new(Endpoints::all_at(&fake.url)).unwrap();
    let account =
        client.account(Credentials { access_token: Some(Secret::from("two\nlines")), ..credentials() });
    let error = account.consumption().await.unwrap_err();
    assert!(matches!(error, LineError::Credentials { status: None, .. }));
    assert!(fake.calls().is_empty());
}

#[tokio::test]
async fn whatever_keeps_a_token_away_leaves_the_call_unsent() {
    // The call itself never left, so its outcome is not open, whatever became of the token's request.
    for (status, body) in
        [(500, json!({"message": "Internal"})), (503, json!({})), (200, json!({"token_type": "Bearer"}))]
    {
        let fake = Fake::scripted(move |_| std::future::ready(answer(status, &body))).await;
        let error = fake.account().push("U1", &[text("hi")], "k", false).await.unwrap_err();
        assert!(matches!(error, LineError::NotSent { .. }) && error.is_transient(), "{status}: {error:?}");
        assert_eq!(error.request_id(), Some("req-1"));
    }
    let fake = Fake::scripted(|_| async { answer(429, &json!({"message": "slow"})) }).await;
    assert!(matches!(fake.account().token().await, Err(LineError::Wait { .. })));
    for status in [400, 401, 403, 404] {
        let fake =
            Fake::scripted(move |_| std::future::ready(answer(status, &json!({"error": "invalid_client"}))))
                .await;
        let error = fake.account().token().await.unwrap_err();
        assert!(
            matches!(&error, LineError::Credentials { status: Some(s), .. } if *s == status),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_traced_to_the_wrong_value() {
    // PLATFORM 4.1, the texts of /v2/oauth/accessToken; CONTRACT "Connecting". S4-13
    for (error, words, fault) in [
        ("invalid_client", "invalid client_id", CredentialFault::WrongId("invalid client_id".into())),
        (
            "invalid_client",
            "invalid client_secret",
            CredentialFault::WrongSecret("invalid client_secret".into()),
        ),
        ("invalid_request", "something new", CredentialFault::Unnamed("something new".into())),
    ] {
        let fake = Fake::scripted(move |seen| async move {
            assert_eq!(seen.path, "/v2/oauth/accessToken");
            answer(400, &json!({"error": error, "error_description": words}))
        })
        .await;
        let client = LineClient::new(Endpoints::all_at(&fake.url)).unwrap();
        assert_eq!(diagnose_credentials(&client, "1", &Secret::from("s")).await.unwrap(), fault);
    }
}

#[tokio::test]
async fn a_token_issued_while_diagnosing_is_revoked() {
    // GOTCHAS F1: the 31st short-lived token silently ends the oldest.
    let fake = Fake::scripted(|seen| async move {
        match seen.path.as_str() {
            "/v2/oauth/accessToken" => answer(
                200,
                &json!({"access_token": "short/+1", "expires_in": 2_592_000, "token_type": "Bearer"}),
            ),
            "/v2/oauth/revoke" => {
                assert_eq!(std::str::from_utf8(&seen.body).unwrap(), "access_token=short%2F%2B1");
                raw(200, "text/plain", "")
            }
            other => panic!("{other}"),
        }
    })
    .await;
    let client = LineClient::new(Endpoints::all_at(&fake.url)).unwrap();
    let fault = diagnose_credentials(&client, "1", &Secret::from("s")).await.unwrap();
    assert_eq!(fault, CredentialFault::NoFault);
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test]
async fn a_diagnosis_that_line_does_not_give_is_an_error() {
    let fake = Fake::scripted(|_| async { answer(500, &json!({})) }).await;
    let client = LineClient::new(Endpoints::all_at(&fake.url)).unwrap();
    assert!(diagnose_credentials(&client, "1", &Secret::from("s")).await.unwrap_err().is_transient());
}
