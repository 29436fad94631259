//! The bots that the README shows do what it says: started as they stand there, each answers what a friend writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use line_sandbox::{Config, Sandbox};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::sdk;

/// A code block of the README by its language, with its addresses changed to those of this run.
fn block(language: &str, line: u16, bot: u16) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let fence = format!("```{language}\n");
    let (_, rest) = readme.split_once(&fence).unwrap_or_else(|| panic!("the README has no {language}"));
    let code = rest.split("```").next().unwrap();
    assert!(language == "json" || code.lines().count() == 10, "{language}: the README promises ten lines");
    code.replace("8090", &line.to_string()).replace("3000", &bot.to_string())
}

/// A port that nobody listens on right now.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

async fn answers(language: &str, file: PathBuf, program: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (line, bot) = (listener.local_addr().unwrap().port(), free_port().await);
    let scenario: Value = serde_json::from_str(&block("json", line, bot)).unwrap();
    let sandbox = Sandbox::new(Config::default());
    let made = sandbox.play(&scenario).await.unwrap();
    tokio::spawn(sandbox.serve(listener, std::future::pending()));
    let channel = made.channels.first().unwrap();
    std::fs::write(&file, block(language, line, bot)).unwrap();
    let mut process = Command::new(program)
        .arg(&file)
        .args([&channel.secret, channel.access_token.as_ref().unwrap()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(("127.0.0.1", bot)).await.is_ok() {
            break;
        }
        assert!(process.try_wait().unwrap().is_none(), "{language}: the bot has ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let root = format!("http://127.0.0.1:{line}/sandbox/v1/users/u1");
    let hello = json!({ "channelId": channel.id, "message": { "type": "text", "text": "hello" } });
    let sent = http.post(format!("{root}/messages")).json(&hello).send().await.unwrap();
    assert!(sent.status().is_success());
    for _ in 0..600 {
        let shown = http.get(format!("{root}/timeline?channelId={}", channel.id)).send().await.unwrap();
        let shown: Value = shown.json().await.unwrap();
        let items = shown["items"].as_array().unwrap();
        if let Some(answer) = items.iter().find(|item| item["from"] == "account") {
            assert_eq!(
                (&answer["message"]["text"], &answer["via"]),
                (&json!("You said: hello"), &json!("reply"))
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{language}: the bot does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_bots_answer() {
    let Some(work) = sdk::installed().await else { return };
    let python = work.join("venv/bin/python");
    tokio::join!(
        answers("python", work.join("bot.py"), &python),
        answers("js", work.join("node/bot.mjs"), Path::new("node")),
    );
}
