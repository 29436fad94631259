//! The audit log.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;

use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::team::model::AuditEntry;
use crate::team::{Viewer, service};
use crate::web::{Page, Ui};

const PAGE: usize = 50;

#[derive(Debug, Template)]
#[template(path = "audit_log.html")]
pub(super) struct AuditLog {
    ui: Ui,
    entries: Vec<AuditEntry>,
    /// Names of the people and accounts that entries speak of, by id.
    names: HashMap<String, String>,
    /// The query that leads to older entries.
    older: Option<String>,
    /// Whether this is not the newest page.
    is_older: bool,
}

impl AuditLog {
    /// An action in words where its slice has some (`audit-<action>`), else as it is.
    fn action(&self, entry: &AuditEntry) -> String {
        let key = format!("audit-{}", entry.action.replace(['.', '_'], "-"));
        self.ui.maybe(&key).unwrap_or_else(|| entry.action.clone())
    }

    /// What was changed, by name; ids that have none by their kind, with the page that leads there.
    fn subject(&self, entry: &AuditEntry) -> (String, Option<String>) {
        let id = entry.subject.as_str();
        match (self.names.get(id), id.split_once('_')) {
            (Some(name), Some(("acc", _))) => (name.clone(), Some(format!("/settings/accounts/{id}"))),
            (Some(name), _) => (name.clone(), None),
            (None, Some(("cnv", _))) => (self.ui.t("team-audit-conversation"), Some(format!("/inbox/{id}"))),
            (None, Some(("con", _))) => (self.ui.t("team-audit-contact"), Some(format!("/inbox/with/{id}"))),
            (None, Some(("dst", _))) => (Self::told_name(entry).unwrap_or(id).to_owned(), None),
            (None, Some(("msg", _))) => (self.ui.t("team-audit-message"), None),
            (None, _) => (id.to_owned(), None),
        }
    }

    /// The name that a destination had then: it may be gone by now.
    fn told_name(entry: &AuditEntry) -> Option<&str> {
        entry.detail.get("name").filter(|_| entry.subject.starts_with("dst_"))?.as_str()
    }

    /// A value in words, where there are some.
    fn value(&self, text: &str) -> String {
        let key = format!("audit-value-{}", text.replace('_', "-"));
        self.names.get(text).cloned().or_else(|| self.ui.maybe(&key)).unwrap_or_else(|| text.to_owned())
    }

    /// A value of any kind; of a list's objects, what they say without the names.
    fn text(&self, value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::String(text) => self.value(text),
            serde_json::Value::Array(items) => {
                items.iter().map(|item| self.text(item)).collect::<Vec<_>>().join(", ")
            }
            serde_json::Value::Object(members) => {
                members.values().map(|member| self.text(member)).collect::<Vec<_>>().join(" ")
            }
            other => self.value(&other.to_string()),
        }
    }

    /// The details as `name value`, without the braces, and without the id or the name that the subject says.
    fn details(&self, entry: &AuditEntry) -> String {
        let Some(members) = entry.detail.as_object() else { return String::new() };
        let filled = members.iter().filter(|(name, value)| {
            *name != "id"
                && !(*name == "name" && Self::told_name(entry).is_some())
                && !value.is_null()
                && value.as_array().is_none_or(|v| !v.is_empty())
        });
        let name = |name: &str| {
            let key = format!("audit-detail-{}", name.replace('_', "-"));
            self.ui.maybe(&key).unwrap_or_else(|| name.to_owned())
        };
        filled
            .map(|(member, value)| format!("{}: {}", name(member), self.text(value)))
            .collect::<Vec<_>>()
            .join(" · ")
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Before {
    #[serde(default)]
    before: String,
}

pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Query(query): Query<Before>,
) -> AppResult<Page<AuditLog>> {
    viewer.require_owner()?;
    let below = query.before.split_once('-').and_then(|(at, id)| Some((Timestamp(at.parse().ok()?), id)));
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut entries = service::list_audit(&hub, &viewer.scope(), below, limit).await?;
    let has_older = entries.len() > PAGE;
    entries.truncate(PAGE);
    let older = entries.last().filter(|_| has_older).map(|last| format!("{}-{}", last.at.millis(), last.id));
    let people = service::members(&hub, &viewer.scope()).await?;
    let accounts = service::grantable_accounts(&hub, &viewer.scope()).await?;
    let names =
        people.into_iter().map(|person| (person.id.to_string(), person.name)).chain(accounts).collect();
    Ok(Page(AuditLog { ui, entries, names, older, is_older: below.is_some() }))
}

#[cfg(test)]
pub(super) fn samples(ui: &Ui) -> Vec<AuditLog> {
    let entry = |action: &str, detail| AuditEntry {
        id: "aud_1".to_owned(),
        at: Timestamp(1_767_225_600_000),
        actor_kind: "user".to_owned(),
        actor: "林小美".to_owned(),
        action: action.to_owned(),
        subject: "new@example.tw".to_owned(),
        detail,
    };
    let names = HashMap::from([("acc_1".to_owned(), "山嵐茶行".to_owned())]);
    let entries = vec![
        entry("user.invited", serde_json::json!({ "role": "agent", "accounts": ["acc_1", "acc_2"] })),
        entry("thing.unknown", serde_json::json!({})),
    ];
    vec![
        AuditLog { ui: ui.clone(), entries, names, older: Some("1-aud_1".to_owned()), is_older: true },
        AuditLog { ui: ui.clone(), entries: Vec::new(), names: HashMap::new(), older: None, is_older: false },
    ]
}
