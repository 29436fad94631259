//! The team's pages.

mod audit;
mod keys;
mod people;
mod profile;
mod sign_in;
mod system;
mod welcome;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};

use crate::app::Hub;

/// All pages of the team.
pub(super) fn routes() -> Router<Hub> {
    Router::new()
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/enter/{token}", get(sign_in::enter))
        .route("/welcome/{token}", get(welcome::show).post(welcome::submit))
        .route("/language", post(profile::set_language))
        .route("/settings", get(|| async { Redirect::to("/settings/profile") }))
        .route("/settings/profile", get(profile::show).post(profile::save))
        .route("/settings/profile/password", post(profile::change_password))
        .route("/settings/profile/sign-out-everywhere", post(profile::sign_out_everywhere))
        .route("/settings/people", get(people::show))
        .route("/settings/people/invite", post(people::invite))
        .route("/settings/people/withdraw", post(people::withdraw))
        .route("/settings/people/{id}", post(people::change))
        .route("/settings/people/{id}/disable", post(people::disable))
        .route("/settings/people/{id}/enable", post(people::enable))
        .route("/settings/api-keys", get(keys::show).post(keys::create))
        .route("/settings/api-keys/{id}/revoke", post(keys::revoke))
        .route("/settings/audit-log", get(audit::show))
        .route("/settings/system", get(system::show))
        .merge(super::company::pages::routes())
}

/// Every template of the team with typical and extreme values, drawn in one language.
#[cfg(test)]
pub(super) fn samples(ui: &crate::web::Ui) -> Vec<(&'static str, askama::Result<String>)> {
    use askama::Template as _;
    let mut drawn = Vec::new();
    drawn.extend(sign_in::samples(ui).iter().map(|page| ("sign_in.html", page.render())));
    drawn.extend(welcome::samples(ui).iter().map(|page| ("welcome.html", page.render())));
    drawn.extend(profile::samples(ui).iter().map(|page| ("profile.html", page.render())));
    drawn.extend(people::samples(ui).iter().map(|page| ("people.html", page.render())));
    drawn.extend(keys::samples(ui).iter().map(|page| ("api_keys.html", page.render())));
    drawn.extend(audit::samples(ui).iter().map(|page| ("audit_log.html", page.render())));
    drawn.extend(system::samples(ui).iter().map(|page| ("system.html", page.render())));
    drawn
}
