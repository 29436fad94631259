//! How cursors go through the journal: in order, over what is not theirs, and not at all where they are another journal's.

use std::time::Duration;

use axum::http::StatusCode;
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
    // It says so, and holds back nothing.
    let stopped = shop.look(&one).await;
    assert_eq!((&stopped["state"], &stopped["halt"]), (&json!("stopped"), &json!("journal")));
    let page = format!("/settings/accounts/{}/relay/{id}", shop.account.id);
    let owner = shop.hub.owner().await;
    let words = owner.get(&page).await.body;
    assert!(
        words.contains("Stopped: another event log") && words.contains("begins with what comes in"),
        "{words}"
    );
    assert!(
        owner
            .get(page.trim_end_matches(id).trim_end_matches('/'))
            .await
            .body
            .contains("Stopped: another event log")
    );
    for _ in 0..200 {
        let open = shop.hub.api().get("/alerts?state=open").await.expect(200);
        if open.to_string().contains("relay_paused") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let open = shop.hub.api().get("/alerts?state=open").await.expect(200);
    assert!(open.to_string().contains("relay_paused"), "{open}");
    let head = hub.journal.head().await.unwrap();
    assert!(hub::wiring::read_by_all(hub).await.unwrap() >= head - 1);
    // Resumed, it begins with what comes in from now on, and what came before is listed.
    let resumed = shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    assert_eq!((&resumed["halt"], &resumed["lag"]["events"]), (&json!(null), &json!(0)));
    shop.post_one(5).await;
    assert_eq!(texts(&come(&strange, 2).await), ["text-9", "text-5"]);
    let replaced = "the journal no longer has what came before another one took its place";
    assert_eq!(shop.parked(&one).await, [("expired".to_owned(), replaced.to_owned())]);
    assert!(owner.get(&format!("{page}/parked")).await.body.contains("The event log was replaced"));
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_place_beyond_the_end_is_of_another_journal_and_its_rows_are_lost(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.answers(StatusCode::BAD_REQUEST, "");
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.post_one(0).await;
    shop.until(&one, |now| now["parked"] == 1).await;
    receiver.answers(StatusCode::OK, "");
    receiver.fails_for("text-1");
    shop.post_one(1).await;
    shop.until(&one, |now| now["retrying"] == 1).await;
    shop.pause(&one).await;
    // As if an older copy of the journal had been put back.
    let (hub, sql) = (shop.hub.hub(), |text| Sql { sqlite: text, postgres: text });
    for text in [
        "UPDATE destinations SET position = position + 1000, lease_until = 0",
        "UPDATE relay_units SET first_position = first_position + 1, last_position = last_position + 1",
    ] {
        let mut tx = hub.db.begin().await.unwrap();
        assert!(tx.run(&sql(text), args![]).await.unwrap() > 0);
        tx.commit().await.unwrap();
    }
    // Found when a node starts, also where it is paused: later the journal will have grown past it.
    let second = tokio::spawn(hub::relay::run(hub.clone()));
    let stopped = shop.until(&one, |now| now["halt"] == "journal").await;
    assert_eq!((&stopped["state"], &stopped["active"]), (&json!("stopped"), &json!(false)));
    second.abort();
    receiver.fails_for("");
    let before = receiver.received().len();
    // Stays so whatever else is changed.
    let renamed = shop.hub.api().patch(&Shop::path(&one), json!({ "name": "ERP" })).await.expect(200);
    assert_eq!(renamed["halt"], "journal");
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    shop.post_one(2).await;
    assert_eq!(texts(&come(&receiver, before + 1).await)[before..], ["text-2"]);
    let mut listed: Vec<_> = shop.parked(&one).await.into_iter().map(|(_, why)| why).collect();
    listed.sort();
    let lost = "the journal no longer has it: another one took its place";
    let replaced = "the journal no longer has what came before another one took its place";
    assert_eq!(listed, [lost, lost, replaced]);
    // What stands at their places now is another's.
    let retry = format!("{}/retry", Shop::path(&one));
    assert_eq!(shop.hub.api().post(&retry, json!({})).await.expect(202)["count"], 0);
    let parked = shop.hub.api().get(&format!("{}/parked", Shop::path(&one))).await.expect(200);
    assert!(parked["items"].as_array().unwrap().iter().all(|one| one["event_ids"] == json!([])), "{parked}");
    let named = json!({ "delivery_ids": [parked["items"][0]["delivery_id"]] });
    shop.hub.api().post(&retry, named).await.expect(422);
    shop.hub.close().await;
}
