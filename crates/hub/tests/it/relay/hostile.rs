//! Addresses that lead to where no destination is: refused when they are typed, and again at each call.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::{Engine, Receiver, TestHub};

use super::{Shop, come};

const GOOD: &str = "https://bot.example.com/hook";

/// What nobody may give while private destinations are not allowed, with the code that it is refused by.
const HOSTILE: &[(&str, &str)] = &[
    // Private networks.
    ("https://10.0.0.1/", "private"),
    ("https://10.255.255.254:8443/", "private"),
    ("https://172.16.0.1/", "private"),
    ("https://172.31.255.255/", "private"),
    ("https://192.168.1.1/hook", "private"),
    ("https://100.64.0.1/", "private"),
    ("https://[fc00::1]/", "private"),
    ("https://[fd12:3456:789a::1]/", "private"),
    // This machine, in every spelling.
    ("https://127.0.0.1/", "private"),
    ("https://127.0.0.1./", "private"),
    ("https://127.1/", "private"),
    ("https://127.255.255.254/", "private"),
    ("https://2130706433/", "private"),
    ("https://0x7f000001/", "private"),
    ("https://0x7f.1/", "private"),
    ("https://017700000001/", "private"),
    ("https://0177.0.0.1/", "private"),
    ("https://%31%32%37.0.0.1/", "private"),
    ("https://１２７.0.0.1/", "private"),
    ("https://127。0。0。1/", "private"),
    ("https://127．0．0．1/", "private"),
    ("https://127｡0｡0｡1/", "private"),
    ("https://[::1]/", "private"),
    ("https://[0:0:0:0:0:0:0:1]/", "private"),
    ("https://localhost/", "private"),
    ("https://LocalHost./", "private"),
    ("https://bot.localhost/", "private"),
    ("https://ⓛocalhost/", "private"),
    ("https://0.0.0.0/", "private"),
    ("https://0/", "private"),
    ("https://[::]/", "private"),
    // Link-local, and the services that tell a machine's credentials.
    ("https://169.254.0.1/", "private"),
    ("https://169.254.169.254/latest/meta-data/", "private"),
    ("https://2852039166/", "private"),
    ("https://0xa9fea9fe/", "private"),
    ("https://0251.0376.0251.0376/", "private"),
    ("https://169.254.170.2/v2/credentials", "private"),
    ("https://100.100.100.200/", "private"),
    ("https://168.63.129.16/", "private"),
    ("https://192.0.0.192/", "private"),
    ("https://[fe80::1]/", "private"),
    ("https://[fd00:ec2::254]/", "private"),
    ("https://[fd20:ce::254]/", "private"),
    ("https://metadata.google.internal/computeMetadata/v1/", "private"),
    ("https://metadata.goog/", "private"),
    ("https://instance-data/", "private"),
    // Names that only mean something inside.
    ("https://printer.local/", "private"),
    ("https://db.internal/", "private"),
    ("https://nas.home.arpa/", "private"),
    ("https://postgres/", "private"),
    // IPv6 that stands for an IPv4 address: mapped, compatible, translated, NAT64, 6to4, Teredo.
    ("https://[::ffff:127.0.0.1]/", "private"),
    ("https://[::ffff:a9fe:a9fe]/", "private"),
    ("https://[::127.0.0.1]/", "private"),
    ("https://[::ffff:0:10.0.0.1]/", "private"),
    ("https://[64:ff9b::10.0.0.1]/", "private"),
    ("https://[64:ff9b::a9fe:a9fe]/", "private"),
    ("https://[64:ff9b:1::a00:1]/", "private"),
    ("https://[2002:7f00:1::]/", "private"),
    ("https://[2002:a9fe:a9fe::1]/", "private"),
    ("https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "private"),
    // Nobody's: documentation, benchmarks, multicast, reserved, unassigned.
    ("https://192.0.2.1/", "private"),
    ("https://198.51.100.7/", "private"),
    ("https://198.18.0.1/", "private"),
    ("https://224.0.0.1/", "private"),
    ("https://240.0.0.1/", "private"),
    ("https://255.255.255.255/", "private"),
    ("https://[2001:db8::1]/", "private"),
    ("https://[fec0::1]/", "private"),
    ("https://[ff02::1]/", "private"),
    ("https://[4000::1]/", "private"),
    // Not an address of a web server on the Internet.
    ("http://bot.example.com/hook", "scheme"),
    ("ftp://bot.example.com/", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://bot.example.com/", "scheme"),
    ("javascript:alert(1)", "no_scheme"),
    ("data:text/plain,x", "no_scheme"),
    ("unix:/run/docker.sock", "no_scheme"),
    ("//bot.example.com/", "no_scheme"),
    ("bot.example.com/hook", "no_scheme"),
    ("", "required"),
    ("https://", "not_usable"),
    ("https://1.2.3.4.5/", "not_usable"),
    ("https://[::1/", "not_usable"),
    ("https://[fe80::1%25eth0]/", "not_usable"),
    ("https://bot.example.com:99999/", "not_usable"),
    // Credentials.
    ("https://user@bot.example.com/", "credentials"),
    ("https://user:word@bot.example.com/", "credentials"),
    ("https://:word@bot.example.com/", "credentials"),
    ("https://bot.example.com\\@127.0.0.1/", "blank"),
    ("https://bot.example.com@127.0.0.1/", "credentials"),
    // Control characters and white space.
    ("https://bot.example.com/\r\nx-evil: 1", "blank"),
    ("https://bot.exa\tmple.com/", "blank"),
    ("https://bot.example.com/\u{0}", "blank"),
    ("https://bot.example.com/\u{7f}", "blank"),
    ("https://bot.example.com/\u{85}", "blank"),
    ("https://bot .example.com/", "blank"),
    ("\nhttps://bot.example.com/", "blank"),
    // Ports of other services.
    ("https://bot.example.com:0/", "port"),
    ("https://bot.example.com:22/", "port"),
    ("https://bot.example.com:25/", "port"),
    ("https://bot.example.com:80/", "port"),
    ("https://bot.example.com:1023/", "port"),
    // What is never sent, and this hub.
    ("https://bot.example.com/#part", "fragment"),
    ("https://hub.example.com/webhooks/line/x", "loop"),
    ("https://HUB.example.com.:443/", "loop"),
];

/// The path of a connected account's destinations; LINE cannot reach the public address of these hubs.
async fn destinations(hub: &TestHub) -> String {
    let channel = hub.channel("Test OA").await;
    let body = json!({ "messenger": "line", "channel_id": channel["channelId"],
        "channel_secret": channel["channelSecret"], "set_webhook": false });
    let account = hub.api().post("/accounts", body).await.expect(201);
    format!("/accounts/{}/destinations", account["id"].as_str().unwrap())
}

/// The one field that was refused, and why.
fn refused(answer: &Value) -> (&str, &str) {
    let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("no errors: {answer}"));
    assert_eq!(errors.len(), 1, "{answer}");
    (errors[0]["field"].as_str().unwrap(), errors[0]["code"].as_str().unwrap())
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_hostile_address_is_refused_and_changes_nothing(#[case] engine: Engine) {
    let hub = TestHub::new().engine(engine).public_url("https://hub.example.com/").public_destinations_only();
    let Some(hub) = hub.start().await else { return };
    let list = destinations(&hub).await;
    let one = hub.api().post(&list, json!({ "name": "good", "url": GOOD })).await.expect(201);
    let path = format!("/destinations/{}", one["id"].as_str().unwrap());
    assert!(HOSTILE.len() >= 60);
    let long = format!("https://bot.example.com/{}", "x".repeat(2_000));
    for (address, code) in HOSTILE.iter().copied().chain([(long.as_str(), "too_long")]) {
        let post = hub.api().post(&list, json!({ "name": "bad", "url": address })).await;
        assert_eq!(post.status.as_u16(), 422, "POST {address:?}: {}", post.body);
        assert_eq!(refused(&post.json()), ("url", code), "POST {address:?}");
        let patch = hub.api().patch(&path, json!({ "name": "changed", "url": address })).await;
        assert_eq!(patch.status.as_u16(), 422, "PATCH {address:?}: {}", patch.body);
        assert_eq!(refused(&patch.json()), ("url", code), "PATCH {address:?}");
    }
    let after = hub.api().get(&list).await.expect(200);
    assert_eq!(after["items"], json!([one]), "nothing has changed");
    hub.close().await;
}

#[tokio::test]
async fn some_addresses_are_refused_also_where_private_ones_are_allowed() {
    let hub = TestHub::new().public_url("https://hub.example.com/").start().await.unwrap();
    let list = destinations(&hub).await;
    // As `serve` does.
    let own = hub.url.socket_addrs(|| None).unwrap()[0];
    hub.hub().guard.refuse_listener(own);
    let own = own.port();
    let addresses = [
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "private"),
        ("http://2852039166/".to_owned(), "private"),
        ("http://[fe80::1]/".to_owned(), "private"),
        ("http://[fd00:ec2::254]/".to_owned(), "private"),
        ("http://metadata.google.internal/".to_owned(), "private"),
        ("http://[::ffff:10.0.0.1]/".to_owned(), "private"),
        ("http://0.0.0.0/".to_owned(), "private"),
        ("http://224.0.0.1/".to_owned(), "private"),
        (format!("http://127.0.0.1:{own}/"), "loop"),
        (format!("http://127.1:{own}/"), "loop"),
        (format!("http://localhost:{own}/webhooks/line/x"), "loop"),
        ("https://hub.example.com/".to_owned(), "loop"),
        ("http://10.0.0.1:25/".to_owned(), "port"),
        // Plain http to the Internet.
        ("http://8.8.8.8/".to_owned(), "scheme"),
        ("http://134744072:8080/".to_owned(), "scheme"),
        ("http://[2606:4700:4700::1111]:8080/".to_owned(), "scheme"),
        ("http://172.32.0.1/".to_owned(), "scheme"),
        ("http://100.128.0.1/".to_owned(), "scheme"),
        ("https://8.8.8.8/".to_owned(), ""),
        ("http://10.0.0.1:443/".to_owned(), ""),
        ("http://10.0.0.1/".to_owned(), ""),
        ("http://db.internal:8080/".to_owned(), ""),
    ];
    for (address, code) in addresses {
        let answer = hub.api().post(&list, json!({ "name": "x", "url": address })).await;
        if code.is_empty() {
            answer.expect(201);
        } else {
            assert_eq!(answer.status.as_u16(), 422, "{address}: {}", answer.body);
            assert_eq!(refused(&answer.json()), ("url", code), "{address}");
        }
    }
    hub.close().await;
}

// CONTRACT "Destinations": of a list of networks nothing beside them.
#[tokio::test]
async fn a_list_of_networks_allows_those_alone() {
    let hub = TestHub::new().public_url("https://hub.example.com/");
    let hub = hub.private_destinations("10.1.0.0/16, fd00:1::/32").start().await.unwrap();
    let list = destinations(&hub).await;
    for (address, code) in [
        ("http://10.1.2.3/", ""),
        ("https://[fd00:1::7]:8443/", ""),
        ("http://10.2.0.1/", "private"),
        ("https://192.168.1.1/", "private"),
        ("https://[fd00:2::7]/", "private"),
        ("https://[fc00::1]/", "private"),
        ("https://127.0.0.1/", "private"),
        ("https://[::1]/", "private"),
        ("http://localhost:8080/", "private"),
        ("https://[::ffff:10.1.2.3]/", "private"),
        ("https://[64:ff9b::a01:203]/", "private"),
        ("https://169.254.169.254/", "private"),
        ("http://8.8.8.8/", "scheme"),
    ] {
        let answer = hub.api().post(&list, json!({ "name": "x", "url": address })).await;
        if code.is_empty() {
            answer.expect(201);
        } else {
            assert_eq!(answer.status.as_u16(), 422, "{address}: {}", answer.body);
            assert_eq!(refused(&answer.json()), ("url", code), "{address}");
        }
    }
    hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_plain_address_whose_name_leads_outside_gets_nothing(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let count = Arc::new(AtomicUsize::new(0));
    let address = forgetful(Arc::clone(&count)).await;
    let leads: Arc<std::sync::Mutex<IpAddr>> = Arc::new(std::sync::Mutex::new("8.8.8.8".parse().unwrap()));
    let said = Arc::clone(&leads);
    shop.hub.hub().guard.resolve_by(move |_| vec![*said.lock().unwrap()]);
    let receiver = Receiver::start().await;
    let url = format!("http://plain.example:{}/", address.port());
    let one = shop.destination("plain", &receiver, json!({ "url": url })).await;
    shop.friend.says(&shop.account, "1").await;
    let failed = shop.until(&one, |now| now["last_delivery"]["error"].is_string()).await;
    let words = failed["last_delivery"]["error"].as_str().unwrap();
    assert!(words.starts_with("address is not usable: http:// is for addresses inside"), "{words}");
    assert_eq!(count.load(Ordering::SeqCst), 0);
    *leads.lock().unwrap() = address.ip();
    shop.hub.advance(Duration::from_secs(60));
    shop.until(&one, |now| now["retrying"] == 0 && now["last_delivery"]["status"] == 200).await;
    shop.hub.close().await;
}

/// A server that closes each connection after its answer, so that each call resolves the name again.
async fn forgetful(count: Arc<AtomicUsize>) -> SocketAddr {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 8192];
            let _ = stream.read(&mut request).await;
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    address
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_name_that_is_led_elsewhere_afterwards_is_not_followed(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let count = Arc::new(AtomicUsize::new(0));
    let address = forgetful(Arc::clone(&count)).await;
    let leads: Arc<std::sync::Mutex<IpAddr>> = Arc::new(std::sync::Mutex::new(address.ip()));
    let said = Arc::clone(&leads);
    shop.hub.hub().guard.resolve_by(move |_| vec![*said.lock().unwrap()]);
    let receiver = Receiver::start().await;
    let mut url = receiver.url.clone();
    url.set_host(Some("rebind.example")).unwrap();
    url.set_port(Some(address.port())).unwrap();
    let one = shop.destination("rebind", &receiver, json!({ "url": url })).await;
    shop.friend.says(&shop.account, "1").await;
    shop.until(&one, |now| now["last_delivery"]["status"] == 200).await;
    for inside in ["169.254.169.254", "::ffff:127.0.0.1", "fe80::1"] {
        *leads.lock().unwrap() = inside.parse().unwrap();
        shop.friend.says(&shop.account, inside).await;
        let failed = shop.until(&one, |now| now["last_delivery"]["error"].is_string()).await;
        let words = failed["last_delivery"]["error"].as_str().unwrap();
        assert_eq!(words, "address leads into a network that is not public", "{inside}");
        // It was the name's fault, not the event's: led back, the destination gets it.
        *leads.lock().unwrap() = address.ip();
        shop.hub.advance(Duration::from_secs(60));
        shop.until(&one, |now| now["retrying"] == 0 && now["last_delivery"]["status"] == 200).await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 4, "nothing but what was led to it");
    shop.hub.close().await;
}

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn a_redirect_is_not_followed_but_put_aside_in_words(#[case] engine: Engine) {
    let Some(shop) = Shop::open(engine).await else { return };
    let (outer, inner) = (Receiver::start().await, Receiver::start().await);
    outer.answers_with(StatusCode::FOUND, &[("location", inner.url.as_str())], "");
    let one = shop.destination("moved", &outer, json!({})).await;
    shop.friend.says(&shop.account, "1").await;
    let parked = shop.until(&one, |now| now["parked"] == 1).await;
    let words = "answered 302, a redirect; redirects are not followed";
    assert_eq!(parked["last_delivery"]["error"], words);
    assert_eq!((come(&outer, 1).await.len(), inner.received().len()), (1, 0));
    shop.hub.close().await;
}
