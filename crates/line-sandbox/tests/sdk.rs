//! LINE's official SDKs, in Python and Node, as clients nobody here wrote (`tests/sdk`, PLATFORM 27).

#![cfg(test)]

use std::path::Path;

use line_sandbox::{Config, Sandbox};
use tokio::net::TcpListener;
use tokio::process::Command;

/// What the script answers where its tools or packages cannot be had.
const SKIPPED: i32 = 77;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_sdks_are_content() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(Sandbox::new(Config::default()).serve(listener, std::future::pending()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sdk/run.sh");
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk");
    let status = Command::new("sh").arg(script).arg(url).arg(work).status().await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration to read it from")]
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    match status.code() {
        Some(0) => {}
        Some(SKIPPED) if !required => eprintln!("skipped: the SDKs cannot be run here"),
        code => panic!("the SDKs are not content: {code:?}"),
    }
}
