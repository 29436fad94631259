//! What people get wrong while connecting an account, and what goes wrong afterwards: each mistake is made against the
//! sandbox over HTTP, through the API and on the page, and `docs/CONNECT-ERRORS.md` says what was answered. The test compares;
//! `TRUNKLINE_WRITE_CONNECT_ERRORS=1` writes the page anew.

mod connecting;
mod later;
mod page;
mod scene;

use page::Row;
use scene::Scene;
use testkit::TestHub;

/// The issue asks for so many.
const AT_LEAST: usize = 25;

#[tokio::test]
async fn every_mistake_is_named_with_its_cause_and_its_fix() {
    let Some(hub) = TestHub::new().start().await else { return };
    let mut scene = Scene::new(hub).await;
    connecting::make(&mut scene).await;
    later::make(&mut scene).await;
    let rows: Vec<Row> = scene.close().await;
    assert!(rows.len() >= AT_LEAST, "{} mistakes", rows.len());
    page::compare(&rows);
}
