//! How cursors go through the journal: in order, over what is not theirs, and not at all where they are another journal's.

use std::time::Duration;

use hub::args;
use hub::db::Sql;
use hub::relay::cleanup::{self, Forget};
use rstest::rstest;
use serde_json::json;
use testkit::{Engine, Receiver};

use super::{Shop, come, texts};

// After a kill a later unit of a chat may have a row while an earlier one has none.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_has_a_row_overtakes_nothing_that_has_none(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": false })).await.expect(200);
    shop.append(3).await;
    let (hub, sql) = (shop.hub.hub(), |text| Sql { sqlite: text, postgres: text });
    let row = sql(
        "INSERT INTO relay_units (id, tenant_id, destination_id, first_position, last_position, chats, is_replay, standing,
            attempts, due_at, received_at, created_at)
        SELECT 'dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV', tenant_id, id, $1, $1, $2, $3, 'retrying', 1, 0, 0, 0 FROM destinations",
    );
    let (second, chats) = (hub.journal.head().await.unwrap() - 1, json!([shop.friend.id]).to_string());
    let mut tx = hub.db.begin().await.unwrap();
    assert_eq!(tx.run(&row, args![second, chats, false]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    assert_eq!(texts(&come(&receiver, 3).await), ["text-0", "text-1", "text-2"]);
    shop.until(&one, |now| now["lag"]["events"] == 0 && now["retrying"] == 0).await;
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn the_cursor_moves_over_what_a_filter_drops(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("VIP", &receiver, json!({ "filter": { "tags": ["vip"] } })).await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": false })).await.expect(200);
    shop.append(1_000).await;
    shop.until(&one, |now| now["lag"]["events"] == 1_000).await;
    // The hub's time stands still, so no lease has to be renewed.
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    shop.until(&one, |now| now["lag"]["events"].as_i64().is_some_and(|lag| lag < 256)).await;
    assert!(receiver.received().is_empty());
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_paused_destination_of_a_quiet_account_keeps_no_entries_of_others(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": false })).await.expect(200);
    let (hub, before) = (shop.hub.hub(), shop.hub.hub().journal.head().await.unwrap());
    let busy = shop.hub.connect_account().await;
    shop.friend.follows(&busy).await;
    for _ in 0..200 {
        if hub.journal.head().await.unwrap() > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let head = hub.journal.head().await.unwrap();
    assert!(head > before && hub::wiring::listed_by_all(hub).await.unwrap() <= before);
    // Its runner, if there was one, has let go of the cursor by then.
    shop.hub.advance(Duration::from_secs(60));
    let _ = cleanup::run(hub.clone(), Forget::default()).await;
    let needed = hub::wiring::listed_by_all(hub).await.unwrap();
    assert!(needed >= head, "{needed} {head}");
    // What is its own and waits is still there for it.
    shop.post_one(0).await;
    shop.post_one(1).await;
    let _ = cleanup::run(hub.clone(), Forget::default()).await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    assert_eq!(texts(&come(&receiver, 2).await), ["text-0", "text-1"]);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_cursor_of_another_journal_is_let_go_and_left_alone(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (strange, well) = (Receiver::start().await, Receiver::start().await);
    let one = shop.destination("strange", &strange, json!({})).await;
    let two = shop.destination("well", &well, json!({})).await;
    let (hub, sql) = (shop.hub.hub(), |text| Sql { sqlite: text, postgres: text });
    shop.post_one(9).await;
    come(&strange, 1).await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": false })).await.expect(200);
    let mut tx = hub.db.begin().await.unwrap();
    let id = one["id"].as_str().unwrap();
    let other = sql("UPDATE destinations SET epoch = epoch + 1 WHERE id = $1");
    tx.run(&other, args![id]).await.unwrap();
    tx.commit().await.unwrap();
    let held = || async {
        let sql = sql("SELECT fence, lease_until FROM destinations WHERE id = $1");
        hub.db.opt::<(i64, i64)>(&sql, args![id]).await.unwrap().unwrap()
    };
    let (before, _) = held().await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    for _ in 0..200 {
        if held().await.0 > before && held().await.1 == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let (fence, lease) = held().await;
    assert!(fence > before && lease == 0, "{fence} {before} {lease}");
    // Each change of another destination makes the relay look at all of them.
    for n in 0..5 {
        shop.hub.api().patch(&Shop::path(&two), json!({ "name": format!("well {n}") })).await.expect(200);
        shop.post_one(n).await;
        come(&well, n + 2).await;
    }
    assert_eq!(held().await.0, fence, "taken once");
    assert_eq!(strange.received().len(), 1);
    shop.hub.close().await;
}
