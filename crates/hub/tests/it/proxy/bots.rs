//! The guides do what they say: bots on LINE's own SDKs, unchanged but for address and key, are destinations and answer through the
//! proxy; so does what a no-code tool sends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::Engine;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use super::Shop;

/// What `install.sh` answers where its tools or packages cannot be had.
const SKIPPED: i32 = 77;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder with the SDKs; `None` where they cannot be had.
async fn installed() -> Option<PathBuf> {
    let work = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sdk");
    let script = root().join("tests/sdk/install.sh");
    let status = Command::new("sh").arg(script).arg(&work).status().await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration to read it from")]
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    match status.code() {
        Some(0) => Some(work),
        Some(SKIPPED) if !required => {
            eprintln!("skipped: the SDKs cannot be run here");
            None
        }
        code => panic!("the SDKs cannot be installed: {code:?}"),
    }
}

/// A guide's code block by its language.
fn block(guide: &str, language: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs/guides").join(guide)).unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split("```").next().unwrap().to_owned()
}

/// Starts the guide's program as a destination, lets the friend write, and sees the answer on the phone and in the inbox.
async fn answers(guide: &str, language: &str, file: PathBuf, program: &Path) {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/");
    let bot = json!({ "name": language, "url": url, "signing": "own" });
    let path = format!("/accounts/{}/destinations", shop.account.id);
    let made = shop.hub.api().post(&path, bot).await.expect(201);
    let id = made["id"].as_str().unwrap();
    shop.owns_replies(id).await;
    let line = shop.line_of(id, json!({})).await;
    let hub = shop.hub.url.as_str().trim_end_matches('/');
    let code = block(guide, language).replace("https://hub.example", hub).replace("3000", &port.to_string());
    std::fs::write(&file, code).unwrap();
    let mut process = Command::new(program)
        .arg(&file)
        .args([made["secret"].as_str().unwrap(), &line.key])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..600 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            break;
        }
        assert!(process.try_wait().unwrap().is_none(), "{language}: the bot has ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shop.friend.says(&shop.account, "hello").await;
    arrives(&shop, language).await;
    process.kill().await.unwrap();
    shop.hub.close().await;
}

/// Waits for the answer on the phone, free of charge, and finds it in the inbox under the system's name.
async fn arrives(shop: &Shop, name: &str) {
    for _ in 0..600 {
        let shown = shop.friend.timeline(&shop.account).await;
        if let Some(answer) = shown.iter().find(|item| item["from"] == "account") {
            assert_eq!(
                (&answer["message"]["text"], &answer["via"]),
                (&json!("You said: hello"), &json!("reply")),
                "{name}"
            );
            let out = shop.transcript().await;
            assert_eq!((&out[0]["origin"], &out[0]["sender"]["name"]), (&json!("proxy"), &json!(name)));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} does not answer");
}

// S1-33
#[tokio::test(flavor = "multi_thread")]
async fn bots_on_lines_own_sdks_answer_through_the_proxy() {
    let Some(work) = installed().await else { return };
    let python = work.join("venv/bin/python");
    tokio::join!(
        answers("python.md", "python", work.join("relayed.py"), &python),
        answers("node.md", "js", work.join("node/relayed.mjs"), Path::new("node")),
    );
}

#[tokio::test]
async fn a_no_code_tools_request_is_answered() {
    let Some(shop) = Shop::open(Engine::Sqlite).await else { return };
    let line = shop.line(json!({ "scopes": ["reply"] })).await;
    shop.token("hello").await;
    let received = shop.receiver.received().pop().unwrap();
    let webhook = json!({ "body": serde_json::from_slice::<Value>(&received.body).unwrap() });
    let request = block("no-code.md", "http");
    let (head, body) = request.split_once("\n\n").unwrap();
    let mut head = head.lines();
    let hub = shop.hub.url.as_str().trim_end_matches('/');
    let url = head.next().unwrap().strip_prefix("POST ").unwrap().replace("https://hub.example", hub);
    let mut call = reqwest::Client::builder().no_proxy().build().unwrap().post(url);
    for line_of_head in head {
        let (name, value) = line_of_head.split_once(": ").unwrap();
        call = call.header(name, value.replace("KEY", &line.key));
    }
    let answer = call.body(filled(body, &webhook)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    arrives(&shop, "CRM").await;
    shop.hub.close().await;
}

/// `{{ $json.a.b[0].c }}` replaced by what stands there, as the tool does.
fn filled(template: &str, json: &Value) -> String {
    let mut parts = template.split("{{ $json");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (place, rest) = part.split_once(" }}").unwrap();
        let pointer = place.replace(['.', '['], "/").replace(']', "");
        text.push_str(json.pointer(&pointer).and_then(Value::as_str).unwrap());
        text.push_str(rest);
    }
    text
}
