//! What a destination does not get because the journal no longer has it, or because its account was disconnected.

use std::time::Duration;

use hub::clock::Timestamp;
use hub::relay::cleanup::{self, Forget};
use rstest::rstest;
use serde_json::json;
use testkit::{Engine, Receiver};

use super::{Shop, come, come_with, texts};

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_the_journal_has_lost_is_listed(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (resumed, left) = (Receiver::start().await, Receiver::start().await);
    let one = shop.destination("resumed", &resumed, json!({})).await;
    let two = shop.destination("left", &left, json!({})).await;
    for destination in [&one, &two] {
        shop.hub.api().patch(&Shop::path(destination), json!({ "active": false })).await.expect(200);
    }
    for text in ["1", "2", "3"] {
        shop.friend.says(&shop.account, text).await;
    }
    shop.until(&one, |now| now["lag"]["events"] == 3).await;
    let hub = shop.hub.hub();
    let head = hub.journal.head().await.unwrap();
    while hub::journal::cursors::positions(&hub.db)
        .await
        .unwrap()
        .iter()
        .any(|(_, position)| *position < head)
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let forget = async |needed| {
        let (always, never) = (Timestamp(i64::MAX), Timestamp(0));
        let (bytes, entries) = if needed == 0 { (always, never) } else { (always, always) };
        while hub.journal.prune(bytes, entries, (head, needed), 100).await.unwrap() > 0 {}
    };
    // After 30 days the bytes go, whoever waits for them.
    forget(0).await;
    shop.friend.says(&shop.account, "4").await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    assert_eq!(texts(&come(&resumed, 1).await), ["4"]);
    shop.until(&one, |now| now["parked"] == 1 && now["lag"]["events"] == 0).await;
    let listed = ("expired".to_owned(), "the journal no longer has the bytes of these 3 requests".to_owned());
    assert_eq!(shop.parked(&one).await, std::slice::from_ref(&listed));

    // For the one that nobody resumes a job does it; until then the entries stay.
    assert!(hub::wiring::listed_by_all(hub).await.unwrap() < head - 2);
    // Its runner, if there was one, has let go of the cursor by then.
    shop.hub.advance(Duration::from_secs(60));
    let _ = cleanup::run(hub.clone(), Forget::default()).await;
    let after = shop.until(&two, |now| now["parked"] == 1).await;
    assert_eq!((&after["state"], &after["lag"]["events"]), (&json!("paused"), &json!(1)));
    assert_eq!(shop.parked(&two).await, [listed]);
    let needed = hub::wiring::listed_by_all(hub).await.unwrap();
    assert!(needed >= head, "{needed} {head}");
    let _ = cleanup::run(hub.clone(), Forget::default()).await;
    assert_eq!(shop.look(&two).await["parked"], 1, "once");
    forget(needed).await;
    shop.hub.api().patch(&Shop::path(&two), json!({ "active": true })).await.expect(200);
    assert_eq!(texts(&come(&left, 1).await), ["4"]);
    // What is gone cannot be tried again, and how much it was is not forgotten.
    let path = format!("{}/retry", Shop::path(&two));
    assert_eq!(shop.hub.api().post(&path, json!({})).await.expect(202)["count"], 0);
    let page = format!("/settings/accounts/{}/relay/{}/parked", shop.account.id, two["id"].as_str().unwrap());
    let owner = shop.hub.owner().await;
    let refused = owner.submit(&page, &page, &[("all", "1")]).await;
    let told = owner.get(refused.headers["location"].to_str().unwrap()).await.body;
    assert!(told.contains("can be tried again"), "{told}");
    assert_eq!(shop.parked(&two).await[0].1, "the journal no longer has the bytes of these 3 requests");
    assert_eq!(left.received().len(), 1);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn nothing_is_passed_on_while_the_account_is_disconnected(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    receiver.fails_for("waits");
    shop.friend.says(&shop.account, "waits").await;
    shop.until(&one, |now| now["retrying"] == 1).await;
    let path = format!("/accounts/{}", shop.account.id);
    assert_eq!(shop.hub.api().delete(&path).await.status, 204);
    // The runner ends within its longest sleep, and gives the cursor back.
    let lease = || async {
        let sql = hub::db::Sql {
            sqlite: "SELECT lease_until FROM destinations",
            postgres: "SELECT lease_until FROM destinations",
        };
        shop.hub.hub().db.opt::<(i64,)>(&sql, hub::args![]).await.unwrap().unwrap().0
    };
    for _ in 0..200 {
        if lease().await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(lease().await, 0);
    // However far it is behind, what is taken back elsewhere is blanked without waiting for it.
    let hub = shop.hub.hub();
    let back = async |by: i64| {
        let text = "UPDATE destinations SET position = position - $1";
        let mut tx = hub.db.begin().await.unwrap();
        tx.run(&hub::db::Sql { sqlite: text, postgres: text }, hub::args![by]).await.unwrap();
        tx.commit().await.unwrap();
    };
    back(1_000).await;
    assert!(hub::wiring::read_by_all(hub).await.unwrap() > 0);
    back(-1_000).await;
    let before = receiver.received().len();
    receiver.fails_for("");
    shop.hub.advance(Duration::from_secs(120));
    let test = shop.hub.api().post(&format!("{}/test", Shop::path(&one)), json!({})).await;
    assert_eq!(test.expect(409)["code"], "disconnected");
    assert_eq!(receiver.received().len(), before);
    let body =
        json!({ "channel_id": shop.account.channel_id, "channel_secret": shop.account.channel_secret });
    shop.hub.api().post("/accounts", body).await.expect(201);
    shop.friend.says(&shop.account, "back").await;
    let mut all = texts(&come_with(&receiver, "back").await);
    all.dedup();
    assert_eq!(all, ["waits", "back"]);
    shop.hub.close().await;
}
