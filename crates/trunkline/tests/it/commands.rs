//! What the commands say and refuse.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The binary with a data folder of the test's own and no settings from elsewhere.
fn trunkline(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(words).current_dir(folder);
    for name in ["TRUNKLINE_LISTEN", "TRUNKLINE_DATABASE_URL", "TRUNKLINE_MASTER_KEY", "TRUNKLINE_CONFIG"] {
        command.env_remove(name);
    }
    command.env("TRUNKLINE_DATA_DIR", folder.join("data")).env("TRUNKLINE_LOG", "warn");
    command
}

fn run(folder: &Path, words: &[&str], input: &str) -> Output {
    let mut child = trunkline(folder, words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A hub that serves on a port of its own; gives the line it said.
fn serve(folder: &Path) -> (Child, String, BufReader<std::process::ChildStdout>) {
    let mut child =
        trunkline(folder, &["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    (child, line, lines)
}

fn end(mut child: Child) -> Option<i32> {
    let told = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    child.wait().unwrap().code()
}

#[test]
fn an_operator_sets_up_a_hub_while_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (hub, line, mut lines) = serve(at);
    assert!(line.starts_with("Trunkline is ready at http://127.0.0.1:"), "{line}");
    let mut link = String::new();
    lines.read_line(&mut link).unwrap();
    assert!(link.contains("/welcome/"), "{link}");

    let second = run(at, &["serve", "--listen", "127.0.0.1:0"], "");
    assert_eq!(second.status.code(), Some(1));
    assert!(err(&second).contains("another trunkline already serves"), "{}", err(&second));

    let user = ["user", "add", "--email", "owner@shop.example", "--role", "owner"];
    let short = run(at, &user, "short\n");
    assert_eq!(short.status.code(), Some(1));
    assert!(err(&short).contains("password"), "{}", err(&short));
    assert!(run(at, &user, "a long password\n").status.success());
    let again = run(at, &user, "a long password\n");
    assert!(err(&again).contains("email"), "{}", err(&again));

    let key = run(at, &["api-key", "add", "--name", "shop", "--scope", "read"], "");
    assert!(out(&key).starts_with("tlk_"), "{}{}", out(&key), err(&key));
    assert_eq!(out(&key).lines().count(), 1);
    let odd = run(at, &["api-key", "add", "--name", "shop", "--scope", "write"], "");
    assert!(err(&odd).contains("--scope write"), "{}", err(&odd));
    let nowhere = run(at, &["api-key", "add", "--name", "shop", "--tenant", "nobody"], "");
    assert!(err(&nowhere).contains("tenant"), "{}", err(&nowhere));
    assert!(run(at, &["tenant", "add", "--name", "second"], "").status.success());
    let which = run(at, &["api-key", "add", "--name", "shop"], "");
    assert!(err(&which).contains("--tenant"), "{}", err(&which));

    assert_eq!(end(hub), Some(0), "the first signal ends it well");
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for words in [
        &["serve", "--listen", &address][..],
        &["demo", "--listen", &address],
        &["demo", "--listen", "127.0.0.1:0", "--sandbox-listen", &address],
        &["sandbox", "--listen", &address],
    ] {
        let refused = run(folder.path(), words, "");
        assert_eq!(refused.status.code(), Some(1));
        assert!(err(&refused).contains(&format!("{address} is taken")), "{}", err(&refused));
        assert_eq!(err(&refused).lines().count(), 1, "{}", err(&refused));
    }
}

#[test]
fn settings_are_shown_with_their_source_and_odd_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("trunkline.toml"), "session_days = 7\n").unwrap();
    let shown = run(folder.path(), &["config", "show", "--webhook-max", "2048"], "");
    let line =
        |name: &str| out(&shown).lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("session_days").ends_with("file"), "{}", out(&shown));
    assert!(line("webhook_max").ends_with("flag"), "{}", out(&shown));
    assert!(line("data_dir").ends_with("environment"), "{}", out(&shown));
    assert!(line("listen").ends_with("default"), "{}", out(&shown));
    std::fs::write(folder.path().join("trunkline.toml"), "lisen = \"x\"\n").unwrap();
    let refused = run(folder.path(), &["serve"], "");
    assert!(err(&refused).contains("lisen in trunkline.toml is not a setting"), "{}", err(&refused));
}

// The demo seeds through the same doors as everybody; that it starts shows that they work together.
#[test]
fn the_demo_starts_and_starts_again_on_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let mut demo =
            trunkline(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
        let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told: Vec<String> = lines.take_while(|line| !line.starts_with("Write on the phone")).collect();
        let told = told.join("\n");
        assert!(told.contains("/enter/") && told.contains("/phone/"), "{told}");
        assert_eq!(end(demo), Some(0));
    }
}

/// The first address in a text that begins after a word.
fn origin_after<'a>(text: &'a str, word: &str) -> &'a str {
    let rest = text.split_once(word).unwrap().1.trim_start();
    let end = rest.match_indices('/').nth(2).unwrap().0;
    &rest[..end]
}

// CONTRACT "Command line": `doctor` covers the system and every connected account, exit status 1 when a check failed; S3-02.
#[test]
fn the_doctor_tells_how_machine_and_accounts_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut demo = trunkline(at, &["demo", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told: Vec<String> = lines.take_while(|line| !line.starts_with("Write on the phone")).collect();
    let told = told.join("\n");
    let (hub, line) = (origin_after(&told, "Inbox"), origin_after(&told, "Phone"));
    let doctor = |words: &[&str], line: &str| {
        let mut command = trunkline(at, &[&["doctor"], words].concat());
        command.env("TRUNKLINE_PUBLIC_URL", hub);
        for name in ["TRUNKLINE_LINE_API_URL", "TRUNKLINE_LINE_DATA_URL", "TRUNKLINE_LINE_ACCESS_URL"] {
            command.env(name, line);
        }
        command.output().unwrap()
    };
    // Beside a hub that serves.
    let well = doctor(&[], line);
    assert!(out(&well).starts_with("System\n"), "{}{}", out(&well), err(&well));
    for words in ["line_api", "LINE sends to this hub", "data_dir"] {
        assert!(out(&well).contains(words), "{words}: {}", out(&well));
    }
    // The operator, and nobody else, is told where things lie.
    assert!(out(&well).contains(&at.join("data").display().to_string()), "{}", out(&well));
    assert_eq!(well.status.code(), Some(0), "{}", out(&well));
    let json: serde_json::Value = serde_json::from_slice(&doctor(&["--json"], line).stdout).unwrap();
    assert_eq!(json["accounts"][0]["checks"].as_array().unwrap().len(), 18, "{json}");
    assert_eq!(json["system"].as_array().unwrap().len(), 9, "{json}");
    assert_eq!(end(demo), Some(0));
    // Without one, and without LINE.
    let alone = doctor(&[], "http://127.0.0.1:1");
    assert_eq!(alone.status.code(), Some(1), "{}", out(&alone));
    assert!(out(&alone).contains("FAILED   line_api") && out(&alone).contains("-> "), "{}", out(&alone));
}
