//! What the operator has set, as far as it matters to an owner; to be read only. No secret has a place here.

use askama::Template;
use axum::extract::State;

use crate::app::Hub;
use crate::config::Config;
use crate::error::AppResult;
use crate::guard::Inside;
use crate::team::Viewer;
use crate::web::{Figure, Page, Ui};

#[derive(Debug, Template)]
#[template(path = "system.html")]
pub(super) struct System {
    ui: Ui,
    public_url: String,
    /// Whether LINE can reach the hub at that address.
    is_reachable: bool,
    is_postgres: bool,
    inside: Inside,
    /// Empty: none is believed.
    proxies: String,
    session: Figure,
    webhook: Figure,
}

impl System {
    fn new(ui: Ui, config: &Config) -> Self {
        Self {
            ui,
            public_url: config.public_url.as_str().trim_end_matches('/').to_owned(),
            is_reachable: config.is_reachable_by_line(),
            is_postgres: matches!(config.database, crate::db::Url::Postgres(_)),
            inside: config.allow_private_destinations.clone(),
            proxies: config.trusted_proxies.to_string(),
            session: Figure::For(config.session_life),
            webhook: Figure::Bytes(u64::try_from(config.webhook_max).unwrap_or(u64::MAX)),
        }
    }
}

pub(super) async fn show(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Page<System>> {
    viewer.require_owner()?;
    Ok(Page(System::new(ui, &hub.config)))
}

#[cfg(test)]
pub(super) fn samples(ui: &Ui) -> Vec<System> {
    let page = |public_url: &str, is_on, proxies: &str| System {
        ui: ui.clone(),
        public_url: public_url.to_owned(),
        is_reachable: is_on,
        is_postgres: is_on,
        inside: if is_on { "10.0.0.0/8, fd00::/8".parse().unwrap_or_default() } else { Inside::None },
        proxies: proxies.to_owned(),
        session: Figure::For(std::time::Duration::from_secs(30 * 24 * 3600)),
        webhook: Figure::Bytes(1 << 20),
    };
    vec![page("https://hub.example.tw", true, "10.0.0.0/8, ::1"), page("http://192.168.0.7:8080", false, "")]
}
