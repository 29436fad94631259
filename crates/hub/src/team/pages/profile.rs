//! One's own name, language, password and browsers.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::Hub;
use crate::error::AppResult;
use crate::team::model::PASSWORD_MIN;
use crate::team::{Viewer, service};
use crate::web::i18n::Language;
use crate::web::{Fields, FormState, Page, Ui, cookies, redirect_with_toast};

const ADDRESS: &str = "/settings/profile";

#[derive(Debug, Template)]
#[template(path = "profile.html")]
pub(super) struct Profile {
    ui: Ui,
    email: String,
    language: Option<Language>,
    profile: FormState,
    password: FormState,
    password_min: usize,
}

impl Profile {
    fn new(ui: Ui, viewer: &Viewer) -> Self {
        Self {
            ui,
            email: viewer.email.clone(),
            language: viewer.language,
            profile: FormState::new().with("name", viewer.name.clone()),
            password: FormState::new(),
            password_min: PASSWORD_MIN,
        }
    }

    fn is_chosen(&self, language: &Language) -> bool {
        self.language.as_ref() == Some(language)
    }
}

pub(super) async fn show(ui: Ui, viewer: Viewer) -> Page<Profile> {
    Page(Profile::new(ui, &viewer))
}

pub(super) async fn save(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    fields: Fields,
) -> AppResult<Response> {
    let (name, language) = (fields.text("name"), Language::parse(fields.text("language")));
    match service::change_profile(&hub, &viewer, name, language).await {
        Ok(()) => Ok(redirect_with_toast(&hub.config, ADDRESS, "team-toast-saved")),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let profile = FormState::new().with("name", name).refused("team-error", &error.fields);
            let page = Profile { profile, language, ..Profile::new(ui, &viewer) };
            Ok((error.status, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

pub(super) async fn change_password(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    fields: Fields,
) -> AppResult<Response> {
    let (present, new) = (fields.text("present_password"), fields.text("password"));
    match service::change_password(&hub, &viewer, present, new).await {
        Ok(()) => Ok(redirect_with_toast(&hub.config, ADDRESS, "team-toast-password-changed")),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let password = FormState::new().refused("team-error", &error.fields);
            Ok((error.status, Page(Profile { password, ..Profile::new(ui, &viewer) })).into_response())
        }
        Err(error) => Err(error),
    }
}

pub(super) async fn sign_out_everywhere(State(hub): State<Hub>, viewer: Viewer) -> AppResult<Response> {
    service::close_sessions(&hub, &viewer, true).await?;
    let cookie = cookies::remove_session(&hub.config);
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response())
}

/// The language menu of every page: kept in the profile, and in a cookie for the time before signing in.
pub(super) async fn set_language(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Option<Viewer>,
    fields: Fields,
) -> AppResult<Response> {
    let back = Redirect::to(ui.return_address().unwrap_or("/"));
    let Some(language) = Language::parse(fields.text("language")) else { return Ok(back.into_response()) };
    if let Some(viewer) = viewer {
        service::change_profile(&hub, &viewer, &viewer.name, Some(language)).await?;
    }
    Ok(([(SET_COOKIE, cookies::set_language(&hub.config, language))], back).into_response())
}

#[cfg(test)]
pub(super) fn samples(ui: &Ui) -> Vec<Profile> {
    let page = |profile, password| Profile {
        ui: ui.clone(),
        email: "mei@example.tw".to_owned(),
        language: Some(Language::ZhHant),
        profile,
        password,
        password_min: PASSWORD_MIN,
    };
    let wrong = FormState::new().wrong("present_password", "team-error-present-password-wrong");
    vec![
        page(FormState::new().with("name", "Mei"), FormState::new()),
        page(FormState::new().wrong("name", "team-error-name-required"), wrong),
    ]
}
