//! What people get wrong while connecting an account, and what goes wrong afterwards: each mistake is made against the
//! sandbox over HTTP, through the API and on the page, and `docs/CONNECT-ERRORS.md` says what was answered. The test compares;
//! `TRUNKLINE_WRITE_CONNECT_ERRORS=1` writes the page anew.

mod connecting;
mod later;
mod login;
mod page;
mod scene;

use page::Row;
use scene::Scene;
use testkit::TestHub;

/// So many mistakes are known.
const AT_LEAST: usize = 60;

/// The stack of the test's thread, in bytes: without optimisation, the futures of so many steps need more than 2 MiB.
const STACK: usize = 32 << 20;

#[test]
fn every_mistake_is_named_with_its_cause_and_its_fix() {
    let walk = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(every_mistake());
    };
    std::thread::Builder::new().stack_size(STACK).spawn(walk).unwrap().join().unwrap();
}

async fn every_mistake() {
    let Some(hub) = TestHub::new().start().await else { return };
    let mut scene = Scene::new(hub).await;
    connecting::make(&mut scene).await;
    later::make(&mut scene).await;
    login::make(&mut scene).await;
    // LINE reaches a hub only where its public address leads to it.
    let Some(hub) = TestHub::new().public_url("http://127.0.0.1:1").start().await else { return };
    let mut scene = scene.at(hub).await;
    connecting::refused(&mut scene).await;
    let Some(hub) = TestHub::new().public_url("http://hub.example").start().await else { return };
    let mut scene = scene.at(hub).await;
    connecting::plain(&mut scene).await;
    let rows: Vec<Row> = scene.close().await;
    assert!(rows.len() >= AT_LEAST, "{} mistakes", rows.len());
    page::compare(&rows);
}
