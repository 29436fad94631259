//! `trunkline doctor`: the machine and every connected account, as a table or as JSON.

use std::process::ExitCode;

use hub::accounts::doctor::{self, Finding, Reader, State};
use hub::start;
use serde_json::{Value, json};

use crate::admin::{close, open, told};
use crate::say;
use crate::settings::Settings;

/// What was found about one thing.
struct Part {
    /// `None` for the machine, else the account's id and name.
    account: Option<(String, String)>,
    findings: Vec<Finding>,
    /// Why nothing was found.
    trouble: Option<String>,
}

/// Runs every check. Works beside a hub that serves the same data. The exit status is 1 when a check failed.
///
/// # Errors
/// The data folder, the databases or the master key cannot be used.
pub(crate) async fn run(settings: Settings, as_json: bool) -> anyhow::Result<ExitCode> {
    let hub = open(&settings).await?;
    start::load(&hub).await?;
    let mut parts =
        vec![Part { account: None, findings: doctor::service::system(&hub).await, trouble: None }];
    for account in doctor::service::all(&hub).await.map_err(told)? {
        let examined = doctor::service::look(&hub, &account.id).await.map_err(told);
        let (findings, trouble) = match examined {
            Ok(findings) => (findings, None),
            Err(error) => (Vec::new(), Some(format!("{error:#}"))),
        };
        let name = format!("{} ({})", account.name(), account.line_id());
        parts.push(Part { account: Some((account.id.to_string(), name)), findings, trouble });
    }
    let reader = Reader::program(hub.now());
    say(if as_json { json_of(&parts, reader) } else { table(&parts, reader) });
    let has_failed = parts.iter().any(|part| {
        part.trouble.is_some() || part.findings.iter().any(|finding| finding.state == State::Failed)
    });
    close(hub).await;
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn mark(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Failed => "FAILED",
        State::Unknown => "unknown",
    }
}

fn table(parts: &[Part], reader: Reader<'_>) -> String {
    let mut lines = Vec::new();
    for part in parts {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(
            part.account.as_ref().map_or_else(|| "System".to_owned(), |(id, name)| format!("{name}  {id}")),
        );
        if let Some(trouble) = &part.trouble {
            lines.push(format!("  FAILED   not examined: {trouble}"));
        }
        for finding in &part.findings {
            let (code, title) = (finding.code.as_str(), finding.title(reader));
            lines.push(format!("  {:<8} {code:<15} {title}", mark(finding.state)));
            // Only the operator sees where things lie.
            lines.extend(finding.text("path").map(|path| format!("           {:<15} {path}", "")));
            if matches!(finding.state, State::Failed | State::Warning) {
                lines.push(format!("           {:<15} {}", "", finding.detail(reader)));
                lines.extend(finding.fix(reader).map(|fix| format!("           {:<15} -> {fix}", "")));
            }
        }
    }
    lines.join("\n")
}

fn json_of(parts: &[Part], reader: Reader<'_>) -> String {
    let check = |finding: &Finding| {
        json!({
            "code": finding.code.as_str(),
            "status": finding.state.as_str(),
            "title": finding.title(reader),
            "detail": finding.detail(reader),
            "fix": finding.fix(reader),
            "path": finding.text("path"),
            "checked_at": finding.checked_at,
        })
    };
    let checks = |part: &Part| part.findings.iter().map(check).collect::<Vec<_>>();
    let accounts = parts.iter().filter_map(|part| {
        let (id, name) = part.account.as_ref()?;
        Some(json!({ "id": id, "name": name, "checks": checks(part), "error": part.trouble }))
    });
    let system = parts.iter().find(|part| part.account.is_none()).map(checks).unwrap_or_default();
    let accounts: Vec<Value> = accounts.collect();
    serde_json::to_string_pretty(&json!({ "system": system, "accounts": accounts })).unwrap_or_default()
}
