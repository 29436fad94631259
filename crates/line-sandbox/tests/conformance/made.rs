//! Requests that schemathesis makes of LINE's own files, right ones and wrong ones (`tests/sdk/made.py`).

use line_api::schema::Schema;
use tokio::process::Command;

use crate::sdk;

#[tokio::test(flavor = "multi_thread")]
async fn requests_made_of_the_schema_are_answered_within_it() {
    let Some(work) = sdk::installed().await else { return };
    if Schema::load().is_none() {
        return;
    }
    let url = sdk::sandbox().await;
    let mut program = Command::new(work.join("venv/bin/python"));
    program
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(sdk::scripts().join("made.py"))
        .arg(url)
        .arg(Schema::folder());
    // Its failed examples stay here.
    let status = program.current_dir(&work).status().await.unwrap();
    assert!(status.success(), "answers outside LINE's schema");
}
