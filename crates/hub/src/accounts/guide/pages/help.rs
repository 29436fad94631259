//! Settings → Help: which console holds what, what costs money, and LINE's own pages.

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::super::service;
use super::{business, country_words};
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::team::company::Country;
use crate::web::{Page, Ui};

#[derive(Template)]
#[template(path = "guide_help.html")]
struct HelpPage {
    ui: Ui,
    market: Country,
    country: &'static str,
    business: &'static str,
}

impl HelpPage {
    /// Which page of LINE's tells the prices of the market (developers.line.biz, "Messaging API pricing").
    const fn prices(&self) -> &'static str {
        match self.market {
            Country::Taiwan => "https://tw.linebiz.com/service/account-solutions/line-official-account/",
            Country::Japan => "https://www.lycbiz.com/jp/service/line-official-account/plan/",
            Country::Thailand | Country::Other => {
                "https://developers.line.biz/en/docs/messaging-api/pricing/#pricing-plans"
            }
        }
    }

    /// A cell of the table of consoles that holds.
    fn yes(&self) -> Safe<String> {
        Safe(format!(
            "{}<span class=\"visually-hidden\">{}</span>",
            self.ui.icon("check"),
            self.ui.t("guide-yes")
        ))
    }

    /// LINE's documents in the reader's language: LINE writes them in English and Japanese.
    fn docs(&self, page: &str) -> String {
        let language = if self.ui.language().tag() == "ja" { "ja" } else { "en" };
        format!("https://developers.line.biz/{language}/docs/{page}")
    }
}

/// The help.
pub(in crate::accounts::guide) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
) -> AppResult<Response> {
    let market = service::company(&hub, &viewer.tenant.id).await?.country.unwrap_or(Country::Other);
    let page = HelpPage { ui, market, country: country_words(market), business: business(market) };
    Ok(Page(page).into_response())
}
