//! What a destination gets: filters, limits, the end of an answer.

use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Engine, Receiver};

use super::{Shop, come, come_with, texts};

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn filters_are_by_source_tag_and_share(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receivers = [(); 5].map(|()| Receiver::start());
    let [all, users, vips, few, most] = futures_util::future::join_all(receivers).await.try_into().unwrap();
    let api = shop.hub.api();
    let ann = shop.other_friend("Ann").await;
    let contacts = loop {
        let found = api.get("/contacts").await.expect(200);
        if found["items"].as_array().unwrap().len() == 2 {
            break found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let of_ann =
        contacts["items"].as_array().unwrap().iter().find(|one| one["external_id"] == ann.id.as_str());
    let path = format!("/contacts/{}", of_ann.unwrap()["id"].as_str().unwrap());
    api.patch(&path, json!({ "tags": ["vip"] })).await.expect(200);
    // Ann's place among 100, by the rule that is the same for ever: FNV-1a.
    let hash = ann.id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let place = hash % 100;
    shop.destination("all", &all, json!({})).await;
    shop.destination("users", &users, json!({ "filter": { "sources": ["user"] } })).await;
    shop.destination("vips", &vips, json!({ "filter": { "tags": ["vip"], "events": ["message"] } })).await;
    let of_few = shop.destination("few", &few, json!({ "filter": { "share": place.max(1) } })).await;
    shop.destination("most", &most, json!({ "filter": { "share": (place + 1).min(100) } })).await;
    let group = json!({ "name": "G", "channelId": shop.account.channel_id, "members": [ann.user] });
    let group = shop.hub.control.post("/groups", group).await["groupId"].clone();
    let message = json!({ "type": "text", "text": "in a group" });
    let said = json!({ "channelId": shop.account.channel_id, "group": group, "message": message });
    ann.acts("messages", said).await;
    ann.says(&shop.account, "to the account").await;
    shop.friend.says(&shop.account, "from another").await;
    let got = |received: &[testkit::Received]| -> Vec<String> {
        let mut words = texts(received);
        words.retain(|word| !word.is_empty());
        words.sort();
        words
    };
    come_with(&all, "from another").await;
    assert_eq!(got(&come(&users, 2).await), ["from another", "to the account"]);
    assert_eq!(got(&come(&vips, 2).await), ["in a group", "to the account"]);
    assert!(got(&come_with(&most, "to the account").await).contains(&"in a group".to_owned()));
    shop.until(&of_few, |now| now["lag"]["events"] == 0).await;
    if place > 0 {
        assert!(!got(&few.received()).contains(&"to the account".to_owned()));
    }
    for received in users.received().iter().chain(&vips.received()) {
        let signature = received.headers["x-line-signature"].to_str().unwrap();
        assert!(line_api::signature::verify(&shop.account.channel_secret, &received.body, signature));
        let body: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(body["destination"], shop.account.bot_user_id.as_str());
    }
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn of_an_answer_without_end_only_the_beginning_is_read(#[case] engine: Engine) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let Some(shop) = Shop::open(engine).await else { return };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 8192];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
                // Until the hub has had enough.
                let piece = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
                while stream.write_all(piece.as_bytes()).await.is_ok() {}
            });
        }
    });
    let receiver = Receiver::start().await;
    let one = shop.destination("talker", &receiver, json!({ "url": url })).await;
    shop.friend.says(&shop.account, "1").await;
    shop.until(&one, |now| now["last_delivery"]["status"] == 200 && now["lag"]["events"] == 0).await;
    let log = shop.hub.api().get(&format!("{}/deliveries", Shop::path(&one))).await.expect(200);
    let attempt = &log["items"][0];
    assert_eq!(attempt["error"], Value::Null, "{attempt}");
    assert!(attempt["answer"].as_str().unwrap().len() <= 510, "{attempt}");
    assert!(attempt["duration_ms"].as_i64().unwrap() < 5_000, "not by the time limit: {attempt}");
    shop.hub.close().await;
}

/// A chat that is stuck takes no more than its rows: then the cursor stands until it is free again.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn rows_are_bounded_and_the_cursor_waits(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let receiver = Receiver::start().await;
    receiver.fails_for("text-0\"");
    let one = shop.destination("CRM", &receiver, json!({})).await;
    shop.append(4_600).await;
    let stuck = shop.until(&one, |now| now["retrying"].as_i64().unwrap() >= 4_000).await;
    // The window may hold what was taken in before the bound was reached.
    assert!(stuck["retrying"].as_i64().unwrap() <= 4_000 + 512, "{stuck}");
    assert!(stuck["lag"]["events"].as_i64().unwrap() > 0, "{stuck}");
    // Also those beyond the bound are there when the destination is read anew, as after a restart.
    shop.hub.api().patch(&Shop::path(&one), json!({ "name": "CRM 2" })).await.expect(200);
    receiver.fails_for("");
    shop.hub.advance(std::time::Duration::from_secs(3600));
    while receiver.received().len() < 1_000 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut all = texts(&receiver.received());
    all.retain(|text| text != "text-0");
    let expected: Vec<String> = (1..=all.len()).map(|n| format!("text-{n}")).collect();
    assert_eq!(all, expected);
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn what_waits_and_is_no_longer_wanted_is_listed(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let since = hub::clock::Clock::now(&*shop.hub.clock).to_jiff().to_string();
    let api = shop.hub.api();
    let contact = loop {
        let found = api.get("/contacts").await.expect(200);
        if let Some(id) = found["items"][0]["id"].as_str() {
            break id.to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let tag = async |tags: Value| {
        api.patch(&format!("/contacts/{contact}"), json!({ "tags": tags })).await.expect(200)
    };
    tag(json!(["vip"])).await;
    let (vips, all) = (Receiver::start().await, Receiver::start().await);
    vips.fails_for("text-1");
    all.fails_for("text-2");
    let one = shop.destination("VIP", &vips, json!({ "filter": { "tags": ["vip"] } })).await;
    let two = shop.destination("all", &all, json!({})).await;
    shop.post_one(1).await;
    shop.until(&one, |now| now["retrying"] == 1).await;
    tag(json!([])).await;
    shop.post_one(2).await;
    shop.until(&two, |now| now["retrying"] == 1).await;
    // What never passed is not listed.
    let hub = shop.hub.hub();
    hub.journal.blank(hub.journal.head().await.unwrap()).await.unwrap();
    let (calls, calls_of_all) = (vips.received().len(), all.received().len());
    shop.hub.advance(std::time::Duration::from_secs(10));
    for (destination, why) in
        [(&one, "the filter lets nothing of it pass any more"), (&two, "its sender took it back")]
    {
        shop.until(destination, |now| now["retrying"] == 0 && now["lag"]["events"] == 0).await;
        assert_eq!(shop.parked(destination).await, [("skipped".to_owned(), why.to_owned())]);
    }
    assert_eq!((vips.received().len(), all.received().len()), (calls, calls_of_all));
    let page = format!("/settings/accounts/{}/relay", shop.account.id);
    let owner = shop.hub.owner().await;
    for (destination, words) in
        [(&one, "the filter no longer lets it pass"), (&two, "its sender took it back")]
    {
        let body = owner.get(&format!("{page}/{}/parked", destination["id"].as_str().unwrap())).await.body;
        assert!(body.contains(words), "{body}");
    }
    // Nor what a person wants again of a time and the filter goes over.
    let until = hub::clock::Clock::now(&*shop.hub.clock).to_jiff().to_string();
    let body = json!({ "since": since, "until": until });
    assert_eq!(api.post(&format!("{}/replay", Shop::path(&one)), body).await.expect(202)["count"], 1);
    shop.until(&one, |now| now["retrying"] == 0).await;
    assert_eq!(shop.parked(&one).await.len(), 1);
    shop.hub.close().await;
}
