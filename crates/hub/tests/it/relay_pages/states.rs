//! What a system's badge, figures and log say is so: of a port where nobody listens, of what was skipped, of what is only sent again.

use std::time::Duration;

use axum::http::StatusCode;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Engine, Receiver};

use super::{Shop, come};

/// The name of the state on a page.
fn badge(page: &str) -> &str {
    let (_, rest) = page.split_once("<p class=\"relay-head-state\">").expect("a state");
    let (_, rest) = rest.split_once("</svg>").expect("its icon");
    rest.split('<').next().unwrap()
}

/// An address where nobody listens.
fn closed() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_was_skipped_is_linked_and_a_closed_port_refused_nothing(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let id = shop.add("CRM", &closed()).await;
    let here = format!("/{id}");
    assert_eq!(badge(&shop.page(&here).await), "No events yet");
    shop.friend.says(&shop.account, "hello").await;
    shop.until(&id, |now| now["retrying"] == 1).await;
    assert_eq!(badge(&shop.page(&here).await), "Retrying");
    assert_eq!(shop.submit(&format!("{here}/skip"), &[]).await.status, 303);
    shop.until(&id, |now| now["retrying"] == 0).await;
    let page = shop.page(&here).await;
    assert_eq!(badge(&page), "Not reached");
    assert!(page.contains("The last request did not get through."), "{page}");
    let list = shop.at(&format!("{here}/parked"));
    assert!(page.contains(&format!("href=\"{list}\">1</a>")), "{page}");
    assert!(page.contains("1 request that waits or was put aside"), "{page}");
    assert!(shop.page("").await.contains(&format!("href=\"{list}\">1 put aside</a>")));
    assert_eq!(
        (&shop.look(&id).await["parked"], &shop.look(&id).await["state"]),
        (&json!(0), &json!("healthy"))
    );
    // One that answers no.
    let receiver = Receiver::start().await;
    receiver.answers(StatusCode::BAD_REQUEST, "no");
    let other = shop.add("ERP", receiver.url.as_str()).await;
    shop.friend.says(&shop.account, "hello").await;
    shop.until(&other, |now| now["parked"] == 1).await;
    assert_eq!(badge(&shop.page(&format!("/{other}")).await), "Refuses");
    // It takes what follows; half of its day failed.
    receiver.answers(StatusCode::OK, "");
    shop.friend.says(&shop.account, "again").await;
    shop.until(&other, |now| now["last_day"]["delivered"] == 1).await;
    let page = shop.page(&format!("/{other}")).await;
    assert_eq!(badge(&page), "Healthy, with failures lately");
    let rows = shop.page("").await;
    assert!(rows.contains("<dd class=\"is-warning\">50%</dd>"), "{rows}");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn trying_now_changes_nothing_but_the_time_of_the_next_try(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let here = format!("/{id}");
    receiver.answers(StatusCode::SERVICE_UNAVAILABLE, "");
    shop.friend.says(&shop.account, "hello").await;
    shop.until(&id, |now| now["retrying"] == 1).await;
    // The second try is told to come back later.
    receiver.answers_with(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "200")], "");
    shop.until(&id, |now| now["last_delivery"]["status"] == 429).await;
    let page = shop.page(&here).await;
    assert!(badge(&page) == "Retrying" && page.contains(&format!("{}\"", shop.at(&format!("{here}/hurry")))));
    // Only the newest attempt tells when the next one is.
    let attempts = shop.attempts(&id).await;
    assert_eq!(page.matches("next try").count(), 1, "{page}");
    let opened =
        async |n: usize| shop.page(&format!("{here}/attempts/{}", attempts[n]["id"].as_str().unwrap())).await;
    assert!(opened(0).await.contains("Next try"));
    assert!(attempts.len() > 1 && !opened(1).await.contains("Next try"));
    // A form that is open meanwhile.
    let edit = shop.page(&format!("{here}/edit")).await;
    let of = edit.split_once("name=\"of\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let before = shop.look(&id).await;
    receiver.answers(StatusCode::OK, "");
    shop.hub.advance(Duration::from_secs(2));
    let tried = shop.submit(&format!("{here}/hurry"), &[]).await;
    assert_eq!(
        (tried.status.as_u16(), tried.headers["location"].to_str().unwrap()),
        (303, shop.at(&here).as_str())
    );
    assert!(shop.page(&here).await.contains("Trying now"));
    let after = shop.until(&id, |now| now["last_day"]["delivered"] == 1).await;
    assert_eq!((&after["updated_at"], &after["retrying"]), (&before["updated_at"], &json!(0)));
    assert!(!shop.page(&here).await.contains("next try"));
    assert!(
        shop.owner
            .get("/settings/audit-log")
            .await
            .body
            .contains("Had what waits for a destination tried at once")
    );
    let url = receiver.url.as_str();
    let fields = [("of", of.as_str()), ("name", "訂單"), ("url", url), ("active", "1"), ("signing", "line")];
    assert_eq!(shop.submit(&format!("{here}/edit"), &fields).await.status, 303, "the form is not stale");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_is_sent_again_is_no_retry_and_a_filter_promises_no_number(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let here = format!("/{id}");
    for text in ["1", "2", "3", "4", "5"] {
        shop.friend.says(&shop.account, text).await;
    }
    come(&receiver, 5).await;
    shop.until(&id, |now| now["last_day"]["delivered"] == 5).await;
    let path = format!("/destinations/{id}");
    shop.hub.api().patch(&path, json!({ "rate": 1 })).await.expect(200);
    let counted = format!("{here}/replay?since=2020-01-01T00:00&until=2099-01-01T00:00");
    assert!(shop.page(&counted).await.contains("Send 6 again"));
    let fields = [("since", "2020-01-01T00:00"), ("until", "2099-01-01T00:00")];
    assert_eq!(shop.submit(&format!("{here}/replay"), &fields).await.status, 303);
    let page = shop.page(&here).await;
    assert_eq!((badge(&page), &shop.look(&id).await["state"]), ("Sending again", &json!("retrying")));
    assert!(page.contains("None of them has failed.") && !page.contains("another try"), "{page}");
    assert!(page.contains("to be sent</dd>") && !page.contains("Waiting for a retry"), "{page}");
    let filter = json!({ "filter": { "events": ["beacon"] }, "rate": null });
    shop.hub.api().patch(&path, filter).await.expect(200);
    let page = shop.page(&counted).await;
    assert!(page.contains("Up to 6 requests") && page.contains("Its filter decides"), "{page}");
    assert!(page.contains("<span>Send again</span>") && !page.contains("Send 6 again"), "{page}");
    shop.hub.close().await;
}

#[tokio::test]
async fn a_tests_outcome_goes_when_something_newer_was_sent() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let id = shop.add("CRM", receiver.url.as_str()).await;
    let tested = shop.submit(&format!("/{id}/test"), &[]).await.body;
    let (_, at) = tested.split_once("name=\"tested\" value=\"").expect("when it was");
    let at = at.split('"').next().unwrap().to_owned();
    let live = async || {
        let request = shop.owner.request(Method::GET, &shop.at(&format!("/{id}?tested={at}")));
        request.header("hx-request", "true").send().await.unwrap().text().await.unwrap()
    };
    assert!(!live().await.contains("hx-swap-oob"));
    assert_eq!(badge(&live().await), "No events yet", "a test is no event");
    shop.friend.says(&shop.account, "hello").await;
    shop.until(&id, |now| now["last_day"]["delivered"] == 1).await;
    let part = live().await;
    assert!(
        part.contains("<div id=\"relay-tried\" aria-live=\"polite\" hx-swap-oob=\"true\"></div>"),
        "{part}"
    );
    shop.hub.close().await;
}

// Two systems with one address, and a system's key: both are said where they are seen.
#[tokio::test]
async fn another_system_with_the_same_address_and_a_missing_key_are_said() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.add("CRM", receiver.url.as_str()).await;
    assert!(!shop.page(&format!("/{one}")).await.contains("has this address too"));
    let two = shop.add("ERP", receiver.url.as_str()).await;
    let page = shop.page(&format!("/{two}")).await;
    assert!(page.contains("CRM has this address too: it gets every event twice."), "{page}");
    let change = async |id: &str, body: Value| {
        shop.hub.api().patch(&format!("/destinations/{id}"), body).await.expect(200)
    };
    change(&two, json!({ "filter": { "events": ["follow"] } })).await;
    let page = shop.page(&format!("/{one}")).await;
    assert!(page.contains("ERP has this address too: what both let pass"), "{page}");
    change(&two, json!({ "active": false })).await;
    for id in [&one, &two] {
        assert!(!shop.page(&format!("/{id}")).await.contains("has this address too"));
    }
    let page = shop.page(&format!("/{one}")).await;
    assert!(page.contains("There is no key yet.") && page.contains("<span>Set up a key</span>"), "{page}");
    let key = shop.hub.api().post(&format!("/destinations/{one}/proxy-key"), json!({})).await.expect(201);
    let page = shop.page(&format!("/{one}")).await;
    let hint = format!("<code>tlp_…{}</code>", key["hint"].as_str().unwrap());
    assert!(page.contains(&hint) && page.contains("<span>Manage the key</span>"), "{page}");
    shop.hub.close().await;
}
