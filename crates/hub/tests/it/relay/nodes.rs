//! Two nodes on one PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use hub::clock::{Clock, Entropy};
use hub::config::Config;
use hub::journal::Commit;
use hub::start::{self, Parts};
use serde_json::json;
use testkit::{Engine, Receiver};

use super::{Shop, come};

#[tokio::test]
async fn two_nodes_never_deliver_the_same_event() {
    let Some(shop) = Shop::open(Engine::Postgres).await else { return };
    let first = shop.hub.hub();
    let folder = tempfile::tempdir().unwrap();
    let key = first.config.data_dir.join("master.key");
    let config =
        Config { data_dir: folder.path().to_owned(), master_key_file: Some(key), ..first.config.clone() };
    let clock = Arc::clone(&shop.hub.clock) as Arc<dyn Clock>;
    let parts = Parts { config, clock, entropy: Entropy::seeded(7), commit: Commit::Group };
    let second = start::start(parts).await.unwrap();
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
