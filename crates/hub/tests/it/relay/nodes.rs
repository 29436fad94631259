//! Two nodes on one PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use hub::args;
use hub::clock::{Clock, Entropy};
use hub::config::Config;
use hub::db::Sql;
use hub::journal::Commit;
use hub::start::{self, Parts, Running};
use serde_json::json;
use testkit::{Engine, Receiver};

use super::{Shop, come, texts};

/// Another node beside the shop's, without its loops.
async fn second(shop: &Shop) -> Running {
    let first = shop.hub.hub();
    let data_dir = first.config.data_dir.join("second");
    let key = first.config.data_dir.join("master.key");
    let config = Config { data_dir, master_key_file: Some(key), ..first.config.clone() };
    let clock = Arc::clone(&shop.hub.clock) as Arc<dyn Clock>;
    let parts = Parts { config, clock, entropy: Entropy::seeded(7), commit: Commit::Group };
    start::start(parts).await.unwrap()
}

#[tokio::test]
async fn two_nodes_never_deliver_the_same_event() {
    let Some(shop) = Shop::open(Engine::Postgres).await else { return };
    let second = second(&shop).await;
    second.spawn_loops();
    let receivers = futures_util::future::join_all([(); 3].map(|()| Receiver::start())).await;
    let mut made = Vec::new();
    for receiver in &receivers {
        made.push(shop.destination("CRM", receiver, json!({})).await);
    }
    for n in 0..300 {
        shop.post_one(n).await;
        if n % 60 == 30 {
            // Whoever runs it now is asked to read it again; then either node may take it.
            let name = json!({ "name": format!("CRM {n}") });
            shop.hub.api().patch(&Shop::path(&made[0]), name).await.expect(200);
        }
    }
    for (receiver, one) in receivers.iter().zip(&made) {
        come(receiver, 300).await;
        shop.until(one, |now| now["lag"]["events"] == 0).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(receivers.iter().all(|receiver| receiver.received().len() == 300), "each once");
    second.stop(Duration::from_secs(10)).await;
    // What the other node held is taken over.
    shop.post_one(300).await;
    for receiver in &receivers {
        come(receiver, 301).await;
    }
    shop.hub.close().await;
}

#[tokio::test]
async fn a_lease_far_ahead_was_taken_by_a_wrong_clock_and_is_nobodys() {
    let Some(shop) = Shop::open(Engine::Postgres).await else { return };
    let receiver = Receiver::start().await;
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.pause(&one).await;
    let hub = shop.hub.hub();
    let hold = async |by: Duration| {
        let text = "UPDATE destinations SET holder = 'killed', lease_until = $1, fence = fence + 1";
        let mut tx = hub.db.begin().await.unwrap();
        tx.run(&Sql { sqlite: text, postgres: text }, args![hub.now().plus(by)]).await.unwrap();
        tx.commit().await.unwrap();
    };
    shop.post_one(1).await;
    // The clock of another node may be somewhat ahead.
    hold(Duration::from_secs(60)).await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(receiver.received().is_empty());
    hold(Duration::from_secs(24 * 3600)).await;
    come(&receiver, 1).await;
    shop.hub.close().await;
}

#[tokio::test]
async fn what_another_node_blanks_goes_to_nobody_later() {
    let Some(shop) = Shop::open(Engine::Postgres).await else { return };
    let second = second(&shop).await;
    let (well, paused) = (Receiver::start().await, Receiver::start().await);
    let one = shop.destination("paused", &paused, json!({})).await;
    shop.destination("well", &well, json!({})).await;
    shop.pause(&one).await;
    shop.post_batch(&["1", "2"]).await;
    come(&well, 1).await;
    second.hub.journal.blank(second.hub.journal.head().await.unwrap()).await.unwrap();
    // What was read is given out for ten seconds.
    tokio::time::sleep(Duration::from_millis(10_200)).await;
    shop.hub.api().patch(&Shop::path(&one), json!({ "active": true })).await.expect(200);
    assert_eq!(texts(&come(&paused, 1).await), ["1"]);
    second.stop(Duration::from_secs(10)).await;
    shop.hub.close().await;
}
