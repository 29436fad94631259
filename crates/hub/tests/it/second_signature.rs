//! The second signature of a destination, in the form of Standard Webhooks, and how its secret is replaced.

use std::time::Duration;

use hub::secrets::Secret;
use hub::webhooks;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Account, Engine, LineUser, Received, Receiver, TestHub};

/// Says something and gives what the destination got of it.
async fn next(receiver: &Receiver, friend: &LineUser, account: &Account) -> Received {
    let before = receiver.received().len();
    friend.says(account, "hello").await;
    for _ in 0..300 {
        if let Some(came) = receiver.received().get(before) {
            return came.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing came");
}

fn secret(made: &Value) -> Secret {
    Secret::from(made["standard_secret"].as_str().unwrap())
}

/// The signatures of a request that fit these secrets, in the header's order.
fn fit(came: &Received, secrets: &[&Secret]) -> Vec<usize> {
    let header = |name: &str| came.headers[name].to_str().unwrap().to_owned();
    let (id, seconds) = (header("webhook-id"), header("webhook-timestamp").parse().unwrap());
    assert_eq!(id, header("x-trunkline-delivery"));
    let known: Vec<_> =
        secrets.iter().map(|secret| webhooks::sign(secret, &id, seconds, &came.body).unwrap()).collect();
    let signatures = header("webhook-signature");
    signatures.split(' ').map(|one| known.iter().position(|known| known == one).unwrap()).collect()
}

/// The same after a change, which a call under way may not know yet.
async fn next_with(count: usize, receiver: &Receiver, friend: &LineUser, account: &Account) -> Received {
    for _ in 0..50 {
        let came = next(receiver, friend, account).await;
        let signatures = came.headers.get("webhook-signature").map_or("", |value| value.to_str().unwrap());
        if signatures.split_whitespace().count() == count {
            return came;
        }
    }
    panic!("never {count} signatures");
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_replaced_secret_signs_beside_the_new_one_for_a_day(#[case] engine: Engine) {
    let Some(hub) = TestHub::new().engine(engine).with_loops().start().await else { return };
    let account = hub.connect_account().await;
    let friend = hub.line_user("Mei").await;
    friend.follows(&account).await;
    let receiver = Receiver::start().await;
    let path = format!("/accounts/{}/destinations", account.id);
    let body = json!({ "name": "No-code", "url": receiver.url, "standard_webhooks": true });
    let made = hub.api().post(&path, body).await.expect(201);
    let (path, first) = (format!("/destinations/{}", made["id"].as_str().unwrap()), secret(&made));
    assert_eq!(hub.api().get(&path).await.expect(200)["standard_secret"], Value::Null, "shown once");
    let came = next(&receiver, &friend, &account).await;
    assert_eq!(fit(&came, &[&first]), [0]);
    assert!(came.headers.contains_key("x-line-signature"), "LINE's own goes as before");

    let second = secret(&hub.api().patch(&path, json!({ "new_standard_secret": true })).await.expect(200));
    let came = next_with(2, &receiver, &friend, &account).await;
    assert_eq!(fit(&came, &[&first, &second]), [1, 0]);
    hub.advance(Duration::from_secs(24 * 3600 + 1));
    let came = next_with(1, &receiver, &friend, &account).await;
    assert_eq!(fit(&came, &[&first, &second]), [1]);

    let off = hub.api().patch(&path, json!({ "standard_webhooks": false })).await.expect(200);
    assert_eq!(off["standard_webhooks"], false);
    next_with(0, &receiver, &friend, &account).await;
    hub.close().await;
}
