//! `docs/SANDBOX-CONFORMANCE.md`.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::REWRITE;
use crate::table::{Client, NO_FILE, Row, Table};

const INTRO: &str = "\
# How far the sandbox is LINE

Each operation of LINE's OpenAPI files, and those that LINE documents elsewhere, with what was seen of it. A test writes this page and
fails when it no longer holds: `cargo test -p line-sandbox --test conformance` (rewrite with `TRUNKLINE_WRITE_CONFORMANCE=1`).

- **Status**: what raw HTTP requests were answered in that run. Each answer had `x-line-request-id` and a JSON or media body that fits LINE's
  schema; LINE's texts are asserted where LINE documents them. 401 is tried without and with a false token on each operation that takes one, 415
  and unreadable JSON on each that takes JSON, 429 on each with a limit by the minute or hour.
- **LINE's file**: the statuses that the OpenAPI file lists, in *italics* those that this run did not provoke. The file lists few of those that
  LINE gives; its documentation counts where they differ.
- **Python**, **Node**: LINE's own SDKs (`tests/sdk`) made the call, took the answer and the script was content with what they read in it.

What no test here can say: whether LINE itself still answers so today. Figures that LINE does not publish (times until a job is done, burst sizes,
some texts) are the sandbox's own choice. The SDKs in Ruby, PHP, Go and Java are not run; `tests/it/clients.rs` sends what they send, byte by byte.
Requests made at random from LINE's files are sent too (`tests/conformance/made.rs`); they find crashes and loose shapes and have no column.
";

/// Compares the page with the committed one, or rewrites that. Where the SDKs could not be run, their columns are not compared.
pub(crate) fn compare(table: &Table, with_sdks: bool) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/SANDBOX-CONFORMANCE.md");
    let page = render(table);
    let rewrite = std::env::var_os(REWRITE).is_some();
    if rewrite {
        assert!(with_sdks, "the page cannot be written without the SDKs");
        std::fs::write(&path, page).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = |text: &str| -> Vec<String> {
        let kept = text.lines().filter(|line| with_sdks || !line.starts_with("**"));
        kept.map(|line| if with_sdks { line.to_owned() } else { without_sdks(line) }).collect()
    };
    let (wanted, found) = (lines(&page), lines(&committed));
    let differing: Vec<_> = wanted.iter().filter(|line| !found.contains(line)).collect();
    assert!(
        wanted == found,
        "docs/SANDBOX-CONFORMANCE.md does not say what was seen; run this test again with {REWRITE}=1. Seen:\n{differing:#?}"
    );
}

/// A row of the table without its last two cells.
fn without_sdks(line: &str) -> String {
    let cells: Vec<_> = line.split(" | ").collect();
    if line.starts_with("| ") { cells[..cells.len().saturating_sub(2)].join(" | ") } else { line.to_owned() }
}

fn render(table: &Table) -> String {
    let mut page = INTRO.to_owned();
    let (all, done) = (table.rows.len(), table.rows.iter().filter(|row| row.succeeded(Client::Raw)).count());
    let by = |client| table.rows.iter().filter(|row| row.succeeded(client)).count();
    let (python, node) = (by(Client::Python), by(Client::Node));
    writeln!(
        page,
        "\n**{done} of {all} operations are served; Python's SDK has and walked {python}, Node's {node}.**"
    )
    .unwrap();
    let mut file = "";
    for row in &table.rows {
        if row.file != file {
            file = &row.file;
            let title = if file == NO_FILE { file.to_owned() } else { format!("{file}.yml") };
            writeln!(
                page,
                "\n## {title}\n\n| Operation | Method and path | Status | LINE's file | Python | Node |"
            )
            .unwrap();
            writeln!(page, "| --- | --- | --- | --- | --- | --- |").unwrap();
        }
        writeln!(page, "{}", line(row)).unwrap();
    }
    page
}

fn line(row: &Row) -> String {
    let list = |texts: Vec<String>| if texts.is_empty() { "–".to_owned() } else { texts.join(", ") };
    let seen: Vec<u16> = row.of(Client::Raw).collect();
    let listed = row
        .listed
        .iter()
        .map(|status| if seen.contains(status) { status.to_string() } else { format!("*{status}*") });
    let mark = |client| if row.succeeded(client) { "yes" } else { "–" };
    format!(
        "| {} | `{} {}` | {} | {} | {} | {} |",
        row.name,
        row.method,
        row.path,
        if row.succeeded(Client::Raw) {
            list(seen.iter().map(u16::to_string).collect())
        } else {
            "not served".to_owned()
        },
        list(listed.collect()),
        mark(Client::Python),
        mark(Client::Node)
    )
}
