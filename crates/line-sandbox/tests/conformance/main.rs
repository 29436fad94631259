//! The proof that the sandbox answers as LINE does: every operation of LINE's schema is called by raw requests (`cases/`) and by
//! LINE's own SDKs (`tests/sdk`), and `docs/SANDBOX-CONFORMANCE.md` says what was seen. `made` sends what a generator makes
//! of LINE's schema.

#![cfg(test)]

mod bots;
mod cases;
#[expect(dead_code, reason = "shared with the tests in `it`, which use all of it")]
#[path = "../it/crowd.rs"]
mod crowd;
mod made;
mod page;
mod sdk;
#[expect(dead_code, reason = "shared with the tests in `it`, which use all of it")]
#[path = "../it/stage.rs"]
mod stage;
mod table;

use line_api::schema::Schema;

use crate::table::{Client, Table};

/// Set to rewrite the page instead of comparing it.
const REWRITE: &str = "TRUNKLINE_WRITE_CONFORMANCE";

/// No row of the page is made up: a status stands there because an answer with it came in this run, and its shape was checked.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_served_and_the_page_says_so() {
    let Some(schema) = Schema::load() else { return };
    let mut table = Table::new(&schema);
    let raw = cases::start();
    let walked = sdk::walk().await;
    raw.collect(&mut table);
    let complete = walked.is_some();
    for (client, calls) in walked.into_iter().flatten() {
        table.collect(client, &calls, false);
    }
    assert_eq!(table.missing(Client::Raw), Vec::<String>::new(), "no raw request succeeded");
    page::compare(&table, complete);
}
