//! The page of the company, and the policies that the hub shows for it.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

#[cfg(test)]
use super::model::STAGES;
use super::model::{Changes, Company, Country, Document};
use super::service;
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::team::Viewer;
use crate::web::{Fields, FormState, Page, SettingsEntry, Ui, redirect_with_toast};

const ADDRESS: &str = "/settings/company";

/// The page of the settings.
pub(in crate::team) const SETTINGS: SettingsEntry =
    SettingsEntry { href: ADDRESS, icon: "building-2", label_key: "team-company-title", owners_only: true };

/// The company's page and its hosted policies.
pub(in crate::team) fn routes() -> Router<Hub> {
    Router::new().route(ADDRESS, get(show).post(save)).route("/legal/{key}/{document}", get(legal))
}

/// A field of the form that holds the address of a stage's video.
struct Video {
    field: &'static str,
    stage: &'static str,
}

/// The fields of [`STAGES`], in their order.
const VIDEOS: [Video; 4] = [
    Video { field: "video_account", stage: "account" },
    Video { field: "video_messaging", stage: "messaging" },
    Video { field: "video_login", stage: "login" },
    Video { field: "video_done", stage: "done" },
];

#[derive(Template)]
#[template(path = "company.html")]
struct CompanyPage {
    ui: Ui,
    company: Company,
    form: FormState,
    country: String,
    time_zone: String,
    /// Where LINE's forms find the policies.
    privacy: Option<String>,
    terms: Option<String>,
}

#[derive(Template)]
#[template(path = "company_legal.html")]
struct LegalPage {
    ui: Ui,
    company: String,
    title: String,
    text: String,
}

impl CompanyPage {
    async fn load(hub: &Hub, ui: Ui, viewer: &Viewer) -> AppResult<Self> {
        let company = service::company(hub, &viewer.tenant.id).await?;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut form = FormState::new()
            .with("name", if company.is_named { company.name.as_str() } else { "" })
            .with("site_url", text(&company.site_url))
            .with("privacy_url", text(&company.privacy_url))
            .with("terms_url", text(&company.terms_url))
            .with("privacy_text", text(&company.privacy_text))
            .with("terms_text", text(&company.terms_text))
            .with("support_url", text(&company.support_url));
        for video in VIDEOS {
            form = form.with(video.field, company.video(video.stage).unwrap_or_default());
        }
        Ok(Self {
            privacy: company.address(&hub.config, Document::Privacy),
            terms: company.address(&hub.config, Document::Terms),
            time_zone: company.time_zone.clone(),
            country: company.country.map_or_else(String::new, |country| country.code().to_owned()),
            company,
            form,
            ui,
        })
    }

    /// All zones by their names; of the places, as nobody looks for `EST5EDT`.
    fn zones(&self) -> Vec<String> {
        let all = jiff::tz::db().available().map(|zone| zone.as_str().to_owned());
        let mut zones: Vec<_> = all.filter(|zone| zone.contains('/') && !zone.starts_with("Etc/")).collect();
        zones.extend(["UTC".to_owned(), self.time_zone.clone()]);
        zones.sort();
        zones.dedup();
        zones
    }

    fn countries(&self) -> [Country; 4] {
        Country::ALL
    }

    fn country_name(&self, country: &Country) -> String {
        self.ui.t(match country {
            Country::Taiwan => "team-company-country-tw",
            Country::Japan => "team-company-country-jp",
            Country::Thailand => "team-company-country-th",
            Country::Other => "team-company-country-other",
        })
    }

    fn videos(&self) -> [Video; 4] {
        VIDEOS
    }

    fn stage_name(&self, stage: &str) -> String {
        self.ui.t(&format!("team-company-stage-{stage}"))
    }
}

async fn show(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Page<CompanyPage>> {
    viewer.require_owner()?;
    CompanyPage::load(&hub, ui, &viewer).await.map(Page)
}

/// The key of what is wrong with a value.
const fn words(code: &str) -> &'static str {
    match code.as_bytes() {
        b"too_long" => "team-company-too-long",
        b"not_https" => "team-company-not-https",
        _ => "team-company-wrong",
    }
}

async fn save(State(hub): State<Hub>, ui: Ui, viewer: Viewer, fields: Fields) -> AppResult<Response> {
    viewer.require_owner()?;
    let text = |name: &str| Some(fields.text(name).to_owned());
    let videos = VIDEOS.map(|video| (video.stage.to_owned(), fields.text(video.field).to_owned()));
    let changes = Changes {
        name: text("name"),
        country: text("country"),
        time_zone: text("time_zone").filter(|zone| !zone.is_empty()),
        site_url: text("site_url"),
        privacy_url: text("privacy_url"),
        terms_url: text("terms_url"),
        privacy_text: text("privacy_text"),
        terms_text: text("terms_text"),
        support_url: text("support_url"),
        videos: Some(BTreeMap::from(videos)),
    };
    match service::change(&hub, &viewer.tenant.id, changes, &viewer.actor()).await {
        Ok(_) => Ok(redirect_with_toast(&hub.config, ADDRESS, "team-toast-company-saved")),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            const TYPED: [&str; 7] =
                ["name", "site_url", "privacy_url", "terms_url", "privacy_text", "terms_text", "support_url"];
            let videos = VIDEOS.map(|video| video.field);
            let mut form = FormState::new();
            for field in TYPED.into_iter().chain(videos) {
                form = form.with(field, fields.text(field));
            }
            for wrong in &error.fields {
                form = form.wrong(&wrong.field.replace("videos.", "video_"), words(wrong.code));
            }
            let country = fields.text("country").to_owned();
            let time_zone = fields.text("time_zone").to_owned();
            let page =
                CompanyPage { form, country, time_zone, ..CompanyPage::load(&hub, ui, &viewer).await? };
            Ok((error.status, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

/// A policy, for everybody.
async fn legal(
    State(hub): State<Hub>,
    ui: Ui,
    Path((key, document)): Path<(String, String)>,
) -> AppResult<Page<LegalPage>> {
    let document = Document::parse(&document).ok_or_else(|| AppError::not_found("page"))?;
    let (company, text) = service::hosted(&hub, &key, document).await?;
    let title = ui.t(match document {
        Document::Privacy => "team-company-privacy",
        Document::Terms => "team-company-terms",
    });
    Ok(Page(LegalPage { ui, company, title, text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_its_field() {
        assert_eq!(VIDEOS.map(|video| video.stage), STAGES);
        assert!(VIDEOS.iter().all(|video| video.field.strip_prefix("video_") == Some(video.stage)));
    }
}
