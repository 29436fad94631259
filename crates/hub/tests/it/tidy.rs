//! The house stays in order: who may call whom, where SQL stands, where files live, how long they are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The slices, each before those that may call it.
const SLICES: [&str; 8] = ["team", "alerts", "accounts", "ingress", "contacts", "outbox", "inbox", "relay"];
/// The engines; they know no feature.
const ENGINES: [&str; 10] =
    ["db", "journal", "jobs", "live", "secrets", "web", "webhooks", "blobs", "guard", "mail"];
/// Parts of slices that have a file of words of their own.
const AREAS: [&str; 6] = ["keys", "login", "doctor", "guide", "plan", "proxy"];
/// Engine files that do know a slice: where a person or a program comes in, `team` says who it is.
const ENGINE_EXCEPTIONS: [(&str, &str); 5] = [
    ("web/api.rs", "team"),
    ("jobs/pages.rs", "team"),
    ("live/pages.rs", "team"),
    ("journal/pages.rs", "team"),
    ("journal/parked.rs", "team"),
];
/// Our crates and which of ours each may use (ARCHITECTURE section 2).
const CRATES: [(&str, &[&str]); 7] = [
    ("line-api", &[]),
    ("line-client", &["line-api"]),
    ("line-view", &["line-api"]),
    ("line-sandbox", &["line-api", "line-view"]),
    ("hub", &["line-api", "line-client", "line-view"]),
    ("testkit", &["hub", "line-sandbox"]),
    ("trunkline", &["hub", "line-api", "line-client", "line-sandbox"]),
];
/// A file above this many lines becomes a folder, unless it is listed here with its reason.
const LONGEST: usize = 600;
const LONG: [(&str, &str); 7] = [
    ("crates/hub/src/guard.rs", "one guard, half of it the table of addresses that it is tested with"),
    ("crates/hub/src/accounts/tests.rs", "every way a connection can go wrong"),
    ("crates/hub/src/outbox/model.rs", "the rules of sending and their table of cases"),
    ("crates/hub/src/team/repo.rs", "all statements of one slice"),
    ("crates/hub/src/team/service.rs", "the use cases of one small slice, each a few lines"),
    ("crates/hub/src/team/tests.rs", "every rule of people, sessions, links and keys on both databases"),
    ("crates/line-view/src/flex.rs", "one renderer for one recursive shape"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if path.is_dir() && !["target", "node_modules", ".git"].contains(&name.as_str()) {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn files(under: &str, ending: &str) -> Vec<(String, PathBuf)> {
    let (root, mut found) = (root(), Vec::new());
    walk(&root.join(under), &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    found
        .iter()
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .map(|path| (name(path), path.clone()))
        .collect()
}

/// The hub's source files by their path below `src`, with their text.
pub(crate) fn sources() -> Vec<(String, String)> {
    let prefix = "crates/hub/src/";
    let named = files(prefix, ".rs").into_iter();
    named
        .map(|(name, path)| (name[prefix.len()..].to_owned(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The code of a file: without its comments and without the tests at its end.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.ends_with("testing.rs") || name.contains("/tests/")
}

/// The modules of the hub that a file names: `crate::x`, and those in `use crate::{x, y::z}`.
fn used(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let Some(group) = part.strip_prefix('{') else {
            names.insert(word(part));
            continue;
        };
        let (mut depth, mut at_name) = (0, true);
        for (place, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_name = true,
                c if at_name && c.is_alphabetic() => {
                    names.insert(word(&group[place..]));
                    at_name = false;
                }
                _ => {}
            }
        }
    }
    names
}

#[test]
fn names_in_use_lines_are_found() {
    let found =
        used("use crate::app::Hub;\nuse crate::{args, db::{Db, Tx}, team};\nlet x = crate::web::page();");
    let names = ["app", "args", "db", "team", "web"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(names));
}

#[test]
fn a_slice_calls_only_earlier_ones_and_an_engine_none() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let home = name.split(['/', '.']).next().unwrap();
        let place = SLICES.iter().position(|slice| *slice == home);
        if is_test(&name) || (place.is_none() && !ENGINES.contains(&home)) {
            continue;
        }
        for other in used(&code(&text)) {
            let Some(theirs) = SLICES.iter().position(|slice| **slice == other) else { continue };
            let excepted = ENGINE_EXCEPTIONS.iter().any(|(file, slice)| *file == name && *slice == other);
            if place.is_none_or(|ours| theirs > ours) && !excepted {
                wrong.push(format!("{name} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn another_slices_repo_is_out_of_reach() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let home = name.split(['/', '.']).next().unwrap();
        for slice in SLICES.iter().filter(|slice| **slice != home) {
            if code(&text).contains(&format!("{slice}::repo")) {
                wrong.push(format!("{name} uses {slice}::repo"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_stands_in_repos_only() {
    let verbs =
        ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM ", "sqlx::query", "statements! {"];
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let is_repo = name.ends_with("/repo.rs") || name.contains("/repo/") || name.starts_with("db/");
        if is_repo || is_test(&name) {
            continue;
        }
        let code = code(&text);
        wrong.extend(verbs.iter().filter(|verb| code.contains(**verb)).map(|verb| format!("{name}: {verb}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pages_and_calls_do_not_touch_the_database() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let in_slice = SLICES.iter().any(|slice| name.starts_with(&format!("{slice}/")));
        let is_edge = name.ends_with("/pages.rs") || name.ends_with("/api.rs") || name.contains("/pages/");
        if !in_slice || !is_edge || is_test(&name) {
            continue;
        }
        let code = code(&text);
        for word in ["sqlx", "repo::", "args!["] {
            if code.contains(word) {
                wrong.push(format!("{name}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What leads out of the process, as it is written in the hub.
const WAYS_OUT: [&str; 9] = [
    "mail::send(",
    "hub.line",
    "service::line(",
    "lines.line(",
    "hub.guard",
    "reqwest::",
    ".bot_info(",
    ".members(",
    ".exchange(",
];

/// The pieces of a file that run while a transaction is open: bodies of functions that are given one, and what stands
/// between its beginning and its commit.
fn in_transactions(code: &str) -> Vec<&str> {
    let given = code.match_indices("tx: &mut Tx").filter_map(|(at, _)| {
        let rest = &code[at..];
        let open = rest.find('{').filter(|open| rest.find(';').is_none_or(|end| *open < end))?;
        let mut depth = 0;
        let close = rest[open..].char_indices().find_map(|(place, c)| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            (depth == 0).then_some(place)
        })?;
        Some(&rest[open..open + close])
    });
    let begun = code.match_indices(".begin().await").map(|(at, _)| {
        let rest = &code[at..];
        &rest[..rest.find(".commit()").unwrap_or(rest.len())]
    });
    given.chain(begun).collect()
}

#[test]
fn no_network_call_is_made_while_a_transaction_is_open() {
    let sample = "async fn f(tx: &mut Tx) { if a { hub.line.x() } }\nlet tx = db.begin().await?; reqwest::get(); tx.commit()";
    assert_eq!(
        in_transactions(sample).iter().filter(|piece| WAYS_OUT.iter().any(|way| piece.contains(way))).count(),
        2
    );
    let mut wrong = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !is_test(name)) {
        let code = code(text);
        for piece in in_transactions(&code) {
            wrong.extend(
                WAYS_OUT.iter().filter(|way| piece.contains(*way)).map(|way| format!("{name}: {way}")),
            );
        }
    }
    assert!(wrong.is_empty(), "called while a transaction is open:\n{}", wrong.join("\n"));
}

#[test]
fn no_client_takes_a_proxy_from_the_environment() {
    let mut clients = 0;
    for (name, path) in files("crates", ".rs") {
        let text = std::fs::read_to_string(path).unwrap();
        for (at, _) in text.match_indices("reqwest::Client::builder()") {
            let made = text[at..].split(".build()").next().unwrap();
            assert!(
                name.ends_with("tidy.rs") || made.contains(".no_proxy()"),
                "{name} makes a client without `no_proxy`"
            );
            clients += 1;
        }
    }
    assert!(clients > 5, "the clients were not found");
}

#[test]
fn crates_depend_in_one_direction() {
    let mut wrong = Vec::new();
    for (name, may) in CRATES {
        let text = std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let dependencies = text.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for (other, _) in CRATES {
            let named = dependencies
                .lines()
                .any(|line| line.strip_prefix(other).is_some_and(|rest| rest.starts_with([' ', '.', '='])));
            if named && !may.contains(&other) {
                wrong.push(format!("{name} depends on {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_at_home() {
    let mut wrong = Vec::new();
    for (name, path) in files("crates", ".rs") {
        let text = std::fs::read_to_string(path).unwrap();
        if !text.trim_start_matches("#![").starts_with("//!") && !text.starts_with("//!") {
            wrong.push(format!("{name} does not say what it is (`//!`)"));
        }
        let lines = text.lines().count();
        if lines > LONGEST && !LONG.iter().any(|(file, _)| *file == name) {
            wrong.push(format!("{name} has {lines} lines"));
        }
    }
    for (name, _) in files("crates/hub", ".html") {
        let home = name.split('/').nth(3).unwrap_or_default();
        if !name.contains("/templates/") || !(SLICES.contains(&home) || ENGINES.contains(&home)) {
            wrong.push(format!("{name} is not in the templates of a part"));
        }
    }
    for (name, _) in files("crates/hub", ".sql") {
        let twin = if name.contains("/sqlite/") {
            name.replace("/sqlite/", "/postgres/")
        } else {
            name.replace("/postgres/", "/sqlite/")
        };
        if !root().join(&twin).is_file() {
            wrong.push(format!("{name} has no {twin}"));
        }
    }
    for (name, _) in files("crates/hub/locales", ".ftl") {
        let part = name.rsplit('/').next().unwrap().trim_end_matches(".ftl");
        // The renderer of messages gets its words from whoever shows it.
        let is_known = SLICES.contains(&part) || ENGINES.contains(&part) || AREAS.contains(&part);
        if !is_known && part != "line-view" {
            wrong.push(format!("{name} belongs to no part"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_excepted_still_exists() {
    for (file, _) in LONG {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(text.lines().count() > LONGEST, "{file} is short enough by now; take it off the list");
    }
    for (file, _) in ENGINE_EXCEPTIONS {
        assert!(root().join("crates/hub/src").join(file).is_file(), "{file}");
    }
}

/// What stands between a `(` that ends at a place and its `)`, cut at the commas of that depth.
fn arguments(text: &str, from: usize) -> Vec<&str> {
    let (mut depth, mut in_text, mut begins, mut found) = (0, false, from, Vec::new());
    for (place, c) in text[from..].char_indices().map(|(place, c)| (from + place, c)) {
        match c {
            '"' => in_text = !in_text,
            _ if in_text => {}
            '(' | '[' => depth += 1,
            ')' | ']' if depth > 0 => depth -= 1,
            ')' => {
                found.push(text[begins..place].trim());
                return found;
            }
            ',' if depth == 0 => {
                found.push(text[begins..place].trim());
                begins = place + 1;
            }
            _ => {}
        }
    }
    found
}

/// The template engine binds a macro's arguments one after the other, and what is bound hides the caller's variable of that
/// name: `tick("events", word, name)` with a first parameter called `name` would print "events".
#[test]
fn no_argument_of_a_templates_macro_hides_a_later_one() {
    let pages: Vec<_> = files("crates", ".html")
        .into_iter()
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect();
    let mut macros = Vec::new();
    for (_, text) in &pages {
        for (at, _) in text.match_indices("{%- macro ") {
            let (name, _) = text[at + 10..].split_once('(').unwrap();
            let from = at + 10 + name.len() + 1;
            let parameter = |one: &&str| one.split('=').next().unwrap().trim().to_owned();
            macros.push((name.to_owned(), arguments(text, from).iter().map(parameter).collect::<Vec<_>>()));
        }
    }
    assert!(macros.iter().any(|(name, parameters)| name == "tick" && parameters.len() > 3));
    let mut wrong = Vec::new();
    for ((page, text), (name, parameters)) in
        pages.iter().flat_map(|page| macros.iter().map(move |one| (page, one)))
    {
        for (at, call) in text.match_indices(&format!("::{name}(")) {
            let given = arguments(text, at + call.len());
            for (place, value) in given.iter().enumerate() {
                let value = value.trim_start_matches(['&', '*']);
                let hidden = parameters.iter().take(place).position(|parameter| parameter == value);
                if hidden.is_some_and(|hidden| given.get(hidden) != given.get(place)) {
                    wrong.push(format!("{page}: {name}(… {value} …)"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// LINE allows a channel so many tests of its webhook an hour (PLATFORM 6): one place asks for them, and counts.
#[test]
fn lines_test_is_asked_for_in_one_place() {
    let asks = |(name, text): (String, String)| text.contains(".test_webhook(Some(").then_some(name);
    let callers: Vec<_> = sources().into_iter().filter_map(asks).collect();
    assert_eq!(callers, ["accounts/doctor/service.rs"]);
}
