//! What is never printed nor logged (GOTCHAS F3): tokens, secrets, texts of messages, IDs of people.

use std::cell::RefCell;
use std::error::Error;
use std::io::Write;

use line_client::{Credentials, Endpoints, LineClient, LineError, Secret, diagnose_credentials};
use serde_json::json;
use tokio::net::TcpListener;

use crate::fake::*;

/// Everything that printing an error can show.
fn printed(error: &LineError) -> String {
    let mut all = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        all += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    all
}

fn assert_clean(text: &str) {
    for private in
        ["the-secret", "stateless-token", "pasted-token", "U-someone", "private words", "reply-token"]
    {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[test]
fn holders_of_secrets_print_stars() {
    let client = LineClient::new(Endpoints::default()).unwrap();
    let credentials = Credentials { access_token: Some(Secret::from("pasted-token")), ..credentials() };
    assert_clean(&format!("{client:?} {credentials:?} {:?}", client.account(credentials.clone())));
    assert_eq!(format!("{:?}", Secret::from("the-secret-of-the-channel")), "***");
}

#[tokio::test]
async fn errors_print_no_secret_even_when_a_server_repeats_them() {
    for status in [400, 401, 403, 429, 500] {
        let fake = Fake::scripted(move |seen| async move {
            match seen.path.as_str() {
                TOKEN => answer(
                    200,
                    &json!({"token_type": "Bearer", "access_token": "a-stateless-token-of-line", "expires_in": 900}),
                ),
                "/v2/oauth/accessToken" => {
                    let body = String::from_utf8(seen.body.to_vec()).unwrap();
                    answer(status, &json!({"error": body, "error_description": body}))
                }
                _ => {
                    let bearer = seen.header("authorization").unwrap();
                    answer(
                        status,
                        &json!({"message": bearer, "details": [{"message": bearer, "property": bearer}]}),
                    )
                }
            }
        })
        .await;
        let error = fake.account().reply("reply-token", &[text("private words")], false).await.unwrap_err();
        assert_clean(&printed(&error));
        let client = LineClient::new(Endpoints::all_at(&fake.url)).unwrap();
        match diagnose_credentials(&client, "1656000000", &Secret::from("the-secret-of-the-channel")).await {
            Ok(fault) => assert_clean(&format!("{fault:?}")),
            Err(error) => assert_clean(&printed(&error)),
        }
    }
}

#[tokio::test]
async fn lines_details_are_not_part_of_the_one_line() {
    // Details may quote what was sent, such as a placeholder's key (PLATFORM 5).
    let fake = Fake::line(|_| {
        answer(400, &json!({"message": "The request body has 1 error(s)\nx", "details": [{"message": "private words"}]}))
    })
    .await;
    let error = fake.account().reply("reply-token", &[text("private words")], false).await.unwrap_err();
    assert_eq!(error.to_string(), "refused by line with status 400: The request body has 1 error(s)x");
}

#[tokio::test]
async fn a_failed_connection_prints_no_address() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let account = pasted(&origin(&listener));
    drop(listener);
    assert_clean(&printed(&account.profile("U-someone").await.unwrap_err()));
}

thread_local! {
    /// What is logged on this thread, where a test listens to it.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Sorts the log of all tests by their threads. One subscriber for all: one that is set for a thread alone loses what other
/// threads pass first.
struct ByThread;

impl Write for ByThread {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.iter_mut().for_each(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_call_is_logged_with_template_status_and_request_id_alone() {
    // GOTCHAS I2, F3.
    let fake =
        Fake::line(
            |seen| {
                if seen.method == "GET" { answer(404, &json!({"message": "Not found"})) } else { sent() }
            },
        )
        .await;
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(|| ByThread)
        .init();
    LOG.set(Some(Vec::new()));
    let account = fake.account();
    account.profile("U-someone").await.unwrap();
    account.push("U-someone", &[text("private words")], "k", false).await.unwrap();
    account.reply("reply-token", &[text("private words")], false).await.unwrap();

    let log = String::from_utf8(LOG.take().unwrap()).unwrap();
    let ours: Vec<_> = log.lines().filter(|line| line.contains("line_client")).collect();
    assert_clean(&ours.join("\n"));
    assert_eq!(ours.len(), 4, "{log}");
    for part in [
        "DEBUG",
        "line answered",
        "line.method=GET",
        "line.path=\"/v2/bot/profile/{userId}\"",
        "line.status=404",
        "line.request_id=\"req-1\"",
        "duration_ms=",
    ] {
        assert!(ours[1].contains(part), "{part} in {}", ours[1]);
    }
}
