//! The page of a one-time link: the first owner, or an invited person, chooses a name and a password.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::sign_in::go_in;
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::model::{Link, LinkKind, PASSWORD_MIN};
use crate::team::service;
use crate::web::{Fields, FormState, Page, Ui};

#[derive(Debug, Template)]
#[template(path = "welcome.html")]
pub(super) struct Welcome {
    ui: Ui,
    form: FormState,
    /// Whether this is the first owner, who also names the tenant.
    is_first: bool,
    /// The address of an invitation.
    invited: String,
    password_min: usize,
}

impl Welcome {
    fn new(ui: Ui, link: &Link, form: FormState) -> Self {
        let invited = link.email.clone().unwrap_or_default();
        Self { ui, form, is_first: link.kind == LinkKind::Owner, invited, password_min: PASSWORD_MIN }
    }
}

pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    Path(token): Path<String>,
) -> AppResult<Page<Welcome>> {
    let link = service::look_at_link(&hub, &token).await?;
    Ok(Page(Welcome::new(ui, &link, FormState::new())))
}

pub(super) async fn submit(
    State(hub): State<Hub>,
    ui: Ui,
    Path(token): Path<String>,
    fields: Fields,
) -> AppResult<Response> {
    let chosen = service::Welcome {
        tenant: fields.text("tenant"),
        name: fields.text("name"),
        email: fields.text("email"),
        password: fields.text("password"),
    };
    match service::welcome(&hub, &token, &chosen).await {
        Ok(session) => Ok(go_in(&hub, &session, "/")),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let link = service::look_at_link(&hub, &token).await?;
            let form = FormState::new()
                .with("tenant", chosen.tenant)
                .with("name", chosen.name)
                .with("email", chosen.email)
                .refused("team-error", &error.fields);
            Ok((error.status, Page(Welcome::new(ui, &link, form))).into_response())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(super) fn samples(ui: &Ui) -> Vec<Welcome> {
    let page = |is_first, invited: &str, form| Welcome {
        ui: ui.clone(),
        form,
        is_first,
        invited: invited.to_owned(),
        password_min: PASSWORD_MIN,
    };
    let wrong = FormState::new().with("name", "<b>").wrong("password", "team-error-password-too-short");
    vec![page(true, "", FormState::new()), page(false, "mei@example.tw", wrong)]
}
