//! Choices of look and language, and what machines ask: is the process up, is it ready, how is it doing.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};

use super::shell::{Theme, Ui};
use super::{Fields, cookies};
use crate::app::Hub;
use crate::db::LogAndIgnore as _;

/// The first place of the rail.
pub(super) async fn home(ui: Ui) -> Redirect {
    Redirect::to(ui.shell().nav.first().map_or("/settings", |entry| entry.href))
}

/// Keeps the colours in a cookie and shows the page again.
pub(super) async fn set_theme(State(hub): State<Hub>, ui: Ui, form: Fields) -> Response {
    let cookie = match Theme::parse(form.text("theme")) {
        Theme::System => cookies::remove(&hub.config, cookies::THEME),
        theme => cookies::set(&hub.config, cookies::THEME, theme.name(), cookies::YEAR),
    };
    ([(SET_COOKIE, cookie)], Redirect::to(ui.return_address().unwrap_or("/"))).into_response()
}

/// The process is up.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The database and the journal answer.
pub(super) async fn readyz(State(hub): State<Hub>) -> Response {
    let answers = async {
        hub.db.check().await?;
        hub.journal.check().await
    };
    let answers = answers.await;
    let is_ready = answers.is_ok();
    answers.log_and_ignore("asking the databases whether they answer");
    if is_ready {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

/// Figures for Prometheus.
pub(super) async fn metrics() -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], super::metrics::render()).into_response()
}
