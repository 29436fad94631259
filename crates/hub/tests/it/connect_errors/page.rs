//! `docs/CONNECT-ERRORS.md`.

use std::fmt::Write as _;
use std::path::PathBuf;

/// Set to write the page anew.
const REWRITE: &str = "TRUNKLINE_WRITE_CONNECT_ERRORS";

const HEAD: &str = "# What goes wrong while connecting, and what is said

Every row was made against the sandbox, through the API and on the page, and shows what was answered. The page is made by a test
that fails when it no longer holds: `cargo test -p hub --test it connect_errors` (rewrite with `TRUNKLINE_WRITE_CONNECT_ERRORS=1`).

\"Field\" is the field of the API and of the form, at which the message stands; a code without a field stands on top of the page.
What follows the last semicolon of the English message, or the second sentence where there is none, is the fix.

";

/// A mistake and what was answered.
pub(super) struct Row {
    /// What a person did, or what happened.
    pub(super) mistake: &'static str,
    /// The field or check, and the code.
    pub(super) place: String,
    /// What is said, in English.
    pub(super) english: String,
    /// What the page says in Traditional Chinese.
    pub(super) chinese: String,
    /// What to do, in English.
    pub(super) fix: String,
}

fn text(rows: &[Row]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = HEAD.to_owned();
    text.push_str("| | Mistake | Where | Message | 訊息 | Fix |\n| --- | --- | --- | --- | --- | --- |\n");
    for (number, row) in rows.iter().enumerate() {
        let Row { mistake, place, english, chinese, fix } = row;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            number + 1,
            cell(mistake),
            cell(place),
            cell(english),
            cell(chinese),
            cell(fix)
        );
    }
    text
}

/// Compares what was answered with the page.
pub(super) fn compare(rows: &[Row]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONNECT-ERRORS.md");
    let seen = text(rows);
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&path, seen).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differing: Vec<&str> =
        seen.lines().filter(|line| !written.lines().any(|other| other == *line)).collect();
    assert!(
        seen == written,
        "docs/CONNECT-ERRORS.md does not say what was seen; run this test again with {REWRITE}=1. Seen:\n{differing:#?}"
    );
}
