//! LINE's official SDKs, in Python and Node, as clients nobody here wrote (`tests/sdk`, PLATFORM 27).

use std::path::PathBuf;
use std::process::ExitStatus;

use line_sandbox::{Config, Sandbox};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::table::Client;

/// What `install.sh` answers where its tools or packages cannot be had.
const SKIPPED: i32 = 77;

/// The folder of the scripts.
pub(crate) fn scripts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/sdk")
}

/// The folder with the SDKs, installed once; `None` where they cannot be had.
pub(crate) async fn installed() -> Option<PathBuf> {
    static INSTALLED: OnceCell<Option<PathBuf>> = OnceCell::const_new();
    INSTALLED.get_or_init(install).await.clone()
}

async fn install() -> Option<PathBuf> {
    let work = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sdk");
    let status = Command::new("sh").arg(scripts().join("install.sh")).arg(&work).status().await.unwrap();
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

/// A sandbox of its own, and its address.
pub(crate) async fn sandbox() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(Sandbox::new(Config::default()).serve(listener, std::future::pending()));
    url
}

/// Lets each SDK walk, and gives the calls each made; `None` where they cannot be run.
pub(crate) async fn walk() -> Option<[(Client, Vec<Value>); 2]> {
    let work = installed().await?;
    let (python, node) = (sandbox().await, sandbox().await);
    // Node looks for packages beside the script.
    for file in std::fs::read_dir(scripts().join("node")).unwrap() {
        let file = file.unwrap();
        if file.path().extension().is_some_and(|ending| ending == "mjs") {
            std::fs::copy(file.path(), work.join("node").join(file.file_name())).unwrap();
        }
    }
    let mut in_python = Command::new(work.join("venv/bin/python"));
    in_python.env("PYTHONDONTWRITEBYTECODE", "1");
    let mut in_node = Command::new("node");
    let (first, second) = tokio::join!(
        in_python.arg(scripts().join("python/check.py")).arg(&python).status(),
        in_node.arg(work.join("node/check.mjs")).arg(&node).status(),
    );
    let content = |status: std::io::Result<ExitStatus>| status.unwrap().success();
    assert!(content(first), "Python's SDK is not content");
    assert!(content(second), "Node's SDK is not content");
    Some([
        (Client::Python, calls(&python, "line-bot-sdk-python/").await),
        (Client::Node, calls(&node, "@line/bot-sdk/").await),
    ])
}

/// The calls that a client with such a name made.
async fn calls(url: &str, agent: &str) -> Vec<Value> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(format!("{url}/sandbox/v1/requests")).send().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let calls = answer["items"].as_array().unwrap().iter();
    calls
        .filter(|call| call["headers"]["user-agent"].as_str().unwrap_or_default().starts_with(agent))
        .cloned()
        .collect()
}
