//! One notice: as a letter, or as a signed POST (Standard Webhooks).

use std::time::Duration;

use askama::Template;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::channels::{self};
use super::model::{Alert, Severity};
use super::words::{Said, say};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppError;
use crate::guard::GuardError;
use crate::ids::TenantId;
use crate::mail::{self, Letter, MailError};
use crate::web::i18n::{Language, words};
use crate::web::moment_text;
use crate::webhooks;

/// How long the other side has for its answer.
const POST_LIMIT: Duration = Duration::from_secs(15);
/// A wait that the other side asks for is not longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What a notice tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Opened,
    Closed,
    /// Somebody tries the channel.
    Test,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Test => "test",
        }
    }
}

/// Why a notice did not leave.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("{0}")]
    Mail(#[from] MailError),
    #[error("there is no mail server any more")]
    NoServer,
    #[error("{0}")]
    Guard(#[from] GuardError),
    #[error("the address answered with status {0}")]
    Status(StatusCode, Option<Duration>),
    #[error("the address answered that it is gone (410)")]
    Gone,
    #[error("the secret that signs notices is missing or does not open")]
    Secret,
    #[error("{0}")]
    Hub(String),
}

impl Failed {
    /// The end of the key of its words: `alerts-failed-…`.
    pub(super) const fn key(&self) -> &'static str {
        match self {
            Self::Mail(error) => error.code(),
            Self::NoServer => "no-server",
            Self::Guard(GuardError::Forbidden) => "forbidden",
            Self::Guard(_) => "no-answer",
            Self::Status(..) | Self::Gone => "status",
            Self::Secret | Self::Hub(_) => "hub",
        }
    }

    /// Whether trying again may help without anybody doing something.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Mail(error) => error.is_transient(),
            Self::Guard(error) => error.is_transient(),
            Self::Status(..) | Self::Hub(_) => true,
            Self::NoServer | Self::Gone | Self::Secret => false,
        }
    }

    /// The wait that the other side asked for.
    pub(super) const fn wait(&self) -> Option<Duration> {
        match self {
            Self::Status(_, wait) => *wait,
            _ => None,
        }
    }
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        Self::Hub(error.detail)
    }
}

/// What is told to one recipient.
#[derive(Debug)]
pub(super) struct Told<'a> {
    /// `ntc_…`, the same at each try.
    pub(super) id: &'a str,
    pub(super) tenant: &'a TenantId,
    pub(super) kind: Kind,
    /// None only of a test.
    pub(super) alert: Option<&'a Alert>,
    pub(super) language: Language,
    /// The tenant's time zone.
    pub(super) time_zone: &'a str,
}

/// The letter's HTML: no picture, no script, nothing loaded.
#[derive(Template)]
#[template(path = "alert_letter.html")]
struct LetterPage<'a> {
    language: Language,
    subject: &'a str,
    lines: &'a [String],
    link: &'a str,
    link_text: &'a str,
    why: &'a str,
}

impl Told<'_> {
    /// Where the alert is explained: the account's doctor, or the page of alerts.
    fn link(&self, hub: &Hub) -> String {
        let base = hub.config.public_url.as_str().trim_end_matches('/');
        let page = self.alert.and_then(Alert::page);
        format!("{base}{}", page.as_deref().unwrap_or("/settings/alerts"))
    }

    fn t(&self, key: &str) -> String {
        words(self.language, key, &[])
    }

    fn moment(&self, hub: &Hub, at: Timestamp) -> String {
        moment_text(self.language, Some(self.time_zone), hub.now(), at)
    }

    /// Subject and lines of the letter.
    fn lines(&self, hub: &Hub) -> (String, Vec<String>) {
        let Some(alert) = self.alert else {
            return (self.t("alerts-mail-test-subject"), vec![self.t("alerts-mail-test")]);
        };
        let Said { title, fix } = say(self.language, alert);
        let since = ("since", self.moment(hub, alert.opened_at).into());
        if self.kind == Kind::Closed {
            let until = ("until", self.moment(hub, alert.closed_at.unwrap_or(alert.last_seen_at)).into());
            let subject = words(self.language, "alerts-mail-closed-subject", &[("title", (&title).into())]);
            let over = words(self.language, "alerts-mail-closed", &[since, until]);
            return (subject, vec![title, over]);
        }
        let key = match alert.severity {
            Severity::Failed => "alerts-mail-failed-subject",
            Severity::Warning => "alerts-mail-warning-subject",
        };
        let subject = words(self.language, key, &[("title", (&title).into())]);
        let began = words(self.language, "alerts-mail-opened", &[since]);
        (subject, vec![title, fix, began])
    }

    /// Sends it as a letter.
    pub(super) async fn mail(&self, hub: &Hub, to: &str) -> Result<(), Failed> {
        let server = hub.config.mail.as_ref().ok_or(Failed::NoServer)?;
        let (subject, lines) = self.lines(hub);
        let (link, link_text, why) = (self.link(hub), self.t("alerts-mail-link"), self.t("alerts-mail-why"));
        let page = LetterPage {
            language: self.language,
            subject: &subject,
            lines: &lines,
            link: &link,
            link_text: &link_text,
            why: &why,
        };
        let html = page.render().map_err(|error| Failed::Hub(error.to_string()))?;
        let text = format!("{}\n\n{link_text}\n{link}\n\n-- \n{why}\n", lines.join("\n\n"));
        let letter = Letter { to, subject: &subject, text, html, id: self.id, at: hub.now() };
        Ok(mail::send(server, &letter).await?)
    }

    /// The body that is posted.
    fn body(&self, hub: &Hub) -> Value {
        let data = self.alert.map(|alert| {
            let Said { title, fix } = say(self.language, alert);
            let args: Value = serde_json::from_str(&alert.args).unwrap_or_default();
            let account = alert.account_id.as_ref();
            json!({
                "id": alert.id,
                "code": alert.code,
                "severity": alert.severity,
                "title": title,
                "fix": fix,
                "args": args,
                "account": account.map(|id| json!({ "id": id, "name": alert.account_name })),
                "opened_at": alert.opened_at,
                "closed_at": alert.closed_at,
                "url": self.link(hub),
            })
        });
        let data = data.unwrap_or_else(|| json!({ "message": self.t("alerts-mail-test") }));
        json!({ "type": format!("alert.{}", self.kind.as_str()), "timestamp": hub.now(), "data": data })
    }

    /// Posts it, signed as <https://www.standardwebhooks.com> says.
    pub(super) async fn post(&self, hub: &Hub, address: &str) -> Result<(), Failed> {
        let secret = channels::secret(hub, self.tenant).await?.ok_or(Failed::Secret)?;
        let seconds = hub.now().millis() / 1000;
        let body = self.body(hub).to_string();
        let signature = webhooks::sign(&secret, self.id, seconds, body.as_bytes()).ok_or(Failed::Secret)?;
        let inside = &hub.config.allow_private_destinations;
        let request = hub.guard.request(Method::POST, address, inside)?;
        let sent = request
            .timeout(POST_LIMIT)
            .header("content-type", "application/json")
            .header("webhook-id", self.id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await;
        let answer = sent.map_err(crate::guard::fault)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Failed::Gone),
            status => {
                let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let wait = wait.and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
                Err(Failed::Status(status, wait.map(|wait| wait.min(LONGEST_WAIT))))
            }
        }
    }
}
