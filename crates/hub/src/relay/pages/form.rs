//! Adding and changing a destination.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::words::kind;
use super::{address, find, find_as_owner, leading, list_address, parse_account, show};
use crate::accounts;
use crate::accounts::Account;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult, FieldError};
use crate::relay::model::{CONCURRENCY, RATE_MAX, TIMEOUT, TIMEOUT_BOUNDS};
use crate::relay::wishes::Wishes;
use crate::relay::{Destination, Filter, Signing, service};
use crate::team::Viewer;
use crate::web::{Fields, FormState, Page, Ui};

/// The types of events that the form names; others that a destination has by the API are shown too.
const KINDS: [&str; 15] = [
    "message",
    "messageEdited",
    "postback",
    "follow",
    "unfollow",
    "unsend",
    "join",
    "leave",
    "memberJoined",
    "memberLeft",
    "accountLink",
    "beacon",
    "videoPlayComplete",
    "membership",
    "delivery",
];
/// The kinds of chats.
const SOURCES: [&str; 3] = ["user", "group", "room"];

#[derive(Template)]
#[template(path = "relay_form.html")]
struct FormPage {
    ui: Ui,
    account: Account,
    /// The destination that is changed; none while one is added.
    existing: Option<Destination>,
    form: FormState,
    typed: Typed,
    /// The most that may be, where there are as many already.
    full: Option<usize>,
    /// Whether somebody else changed it meanwhile.
    is_stale: bool,
    /// Whether this hub may reach private networks.
    reaches_inside: bool,
}

/// What a form holds besides its fields of text.
#[derive(Debug, Clone, Default)]
struct Typed {
    active: bool,
    is_own: bool,
    events: Vec<String>,
    sources: Vec<String>,
}

impl FormPage {
    fn new(
        hub: &Hub,
        ui: Ui,
        (account, existing): (Account, Option<Destination>),
        form: FormState,
        typed: Typed,
    ) -> Self {
        let reaches_inside = hub.config.allow_private_destinations.is_any();
        Self { ui, account, existing, form, typed, full: None, is_stale: false, reaches_inside }
    }

    fn action(&self) -> String {
        self.existing
            .as_ref()
            .map_or_else(|| list_address(&self.account.id), |existing| format!("{}/edit", address(existing)))
    }

    fn back(&self) -> String {
        self.existing.as_ref().map_or_else(|| list_address(&self.account.id), address)
    }

    fn url_hint(&self) -> String {
        self.ui.t(if self.reaches_inside { "relay-url-hint-inside" } else { "relay-url-hint" })
    }

    /// Whether there is no place for another one and nothing was typed that would be lost.
    fn is_empty_and_full(&self) -> bool {
        self.full.is_some() && self.form.value("name").is_empty()
    }

    /// The types of events to be ticked: LINE's word, its name, whether it is ticked.
    fn kinds(&self) -> Vec<(String, String, bool)> {
        let other = self.typed.events.iter().map(String::as_str).filter(|one| !KINDS.contains(one));
        let tick = |word: &str| {
            (word.to_owned(), kind(&self.ui, word), self.typed.events.iter().any(|event| event == word))
        };
        KINDS.into_iter().chain(other).map(tick).collect()
    }

    fn sources(&self) -> Vec<(&'static str, String, bool)> {
        let tick = |word: &'static str| {
            let name = super::words::source_key(word).map_or_else(String::new, |key| self.ui.t(key));
            (word, name, self.typed.sources.iter().any(|source| source == word))
        };
        SOURCES.into_iter().map(tick).collect()
    }

    /// Whether the part about the filter is open.
    fn filters(&self) -> bool {
        let has = |field| !self.form.value(field).is_empty() || !self.form.error(&self.ui, field).is_empty();
        !self.typed.events.is_empty() || !self.typed.sources.is_empty() || has("tags") || has("share")
    }

    /// Whether the part about limits is open.
    fn limits(&self) -> bool {
        ["concurrency", "rate", "timeout_ms"].iter().any(|field| !self.form.error(&self.ui, field).is_empty())
    }

    fn concurrency_hint(&self) -> String {
        self.ui.t2("relay-concurrency-hint", ("usual", CONCURRENCY.0), ("most", CONCURRENCY.1))
    }

    fn rate_hint(&self) -> String {
        self.ui.t1("relay-limit-rate-hint", "most", RATE_MAX)
    }

    fn timeout_hint(&self) -> String {
        let usual = i64::try_from(TIMEOUT.as_millis()).unwrap_or_default();
        let bounds = format!("{}–{}", self.ui.number(TIMEOUT_BOUNDS.0), self.ui.number(TIMEOUT_BOUNDS.1));
        self.ui.t2("relay-timeout-hint", ("usual", usual), ("bounds", bounds))
    }

    /// Where the destination is otherwise now than what was typed: the name of the setting, and how it is.
    fn otherwise(&self) -> Vec<(String, String)> {
        let (Some(now), ui) = (&self.existing, &self.ui) else { return Vec::new() };
        let (form, typed) = read_back(now);
        let or_none = |text: String| if text.is_empty() { "–".to_owned() } else { text };
        let words = |list: &[String], name: &dyn Fn(&String) -> String| {
            or_none(list.iter().map(name).collect::<Vec<_>>().join(&ui.t("relay-list-comma")))
        };
        let source =
            |word: &String| super::words::source_key(word).map_or_else(|| word.clone(), |key| ui.t(key));
        let texts = [
            ("name", "relay-name"),
            ("url", "relay-url"),
            ("tags", "relay-filter-tags"),
            ("share", "relay-filter-share"),
            ("concurrency", "relay-concurrency"),
            ("rate", "relay-limit-rate"),
            ("timeout_ms", "relay-timeout"),
        ];
        let mut found: Vec<(String, String)> = texts
            .into_iter()
            .filter(|(field, _)| form.value(field) != self.form.value(field).trim())
            .map(|(field, key)| (ui.t(key), or_none(form.value(field).to_owned())))
            .collect();
        if typed.active != self.typed.active {
            let now = ui.t(if typed.active { "relay-is-on" } else { "relay-is-off" });
            found.push((ui.t("relay-active"), now));
        }
        if typed.is_own != self.typed.is_own {
            let now = ui.t(if typed.is_own { "relay-signing-own" } else { "relay-signing-line" });
            found.push((ui.t("relay-signing"), now));
        }
        if typed.events != self.typed.events {
            found.push((ui.t("relay-filter-events"), words(&typed.events, &|word| kind(ui, word))));
        }
        if typed.sources != self.typed.sources {
            found.push((ui.t("relay-filter-sources"), words(&typed.sources, &source)));
        }
        found
    }

    fn respond(self, status: StatusCode) -> Response {
        (status, Page(self)).into_response()
    }
}

/// What a link to the empty form may bring.
#[derive(Deserialize)]
pub(super) struct Start {
    #[serde(default)]
    url: String,
}

/// The empty form. With an address from before the hub it takes LINE's signature: that system has the channel secret.
pub(super) async fn blank(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(account): Path<String>,
    Query(start): Query<Start>,
) -> AppResult<Response> {
    let account = accounts::service::get(&hub, &viewer.scope(), &parse_account(&account)?).await?;
    leading(viewer.require_owner(), || list_address(&account.id))?;
    let most = hub.config.destinations_max;
    let full = (service::list(&hub, &viewer.scope(), &account.id).await?.len() >= most).then_some(most);
    let typed = Typed { active: true, is_own: start.url.is_empty(), ..Typed::default() };
    let form = FormState::new()
        .with("url", start.url)
        .with("concurrency", CONCURRENCY.0.to_string())
        .with("timeout_ms", TIMEOUT.as_millis().to_string());
    let page = FormPage::new(&hub, ui, (account, None), form, typed);
    Ok(FormPage { full, ..page }.respond(StatusCode::OK))
}

/// The form of an existing destination.
pub(super) async fn edit(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    let existing = find_as_owner(&hub, &viewer, &names).await?;
    let account = accounts::service::get(&hub, &viewer.scope(), &existing.account).await?;
    let (form, typed) = read_back(&existing);
    let page = FormPage::new(&hub, ui, (account, Some(existing)), form, typed);
    Ok(page.respond(StatusCode::OK))
}

/// A destination as its form shows it.
fn read_back(existing: &Destination) -> (FormState, Typed) {
    let filter = &existing.filter;
    let form = FormState::new()
        .with("of", existing.updated_at.millis().to_string())
        .with("name", &existing.name)
        .with("url", &existing.url)
        .with("tags", filter.tags.clone().unwrap_or_default().join(", "))
        .with("share", filter.share.map_or_else(String::new, |share| share.to_string()))
        .with("concurrency", existing.concurrency.to_string())
        .with("rate", existing.rate.map_or_else(String::new, |rate| rate.to_string()))
        .with("timeout_ms", existing.timeout_ms.to_string());
    let typed = Typed {
        active: existing.active,
        is_own: existing.signing == Signing::Own,
        events: filter.events.clone().unwrap_or_default(),
        sources: filter.sources.clone().unwrap_or_default(),
    };
    (form, typed)
}

/// A form that was sent: what it asks for, and what is shown again when it is refused.
fn read(fields: &Fields) -> (Result<Wishes, Vec<FieldError>>, FormState, Typed) {
    let mut form = FormState::new();
    for field in ["of", "name", "url", "tags", "share", "concurrency", "rate", "timeout_ms"] {
        form = form.with(field, fields.text(field));
    }
    let typed = Typed {
        active: !fields.text("active").is_empty(),
        is_own: fields.text("signing") == Signing::Own.as_str(),
        events: fields.all("events"),
        sources: fields.all("sources"),
    };
    let mut errors = Vec::new();
    let mut number = |field: &str| match fields.text(field).trim() {
        "" => None,
        text => text.parse::<i64>().ok().or_else(|| {
            errors.push(FieldError::new(field, "out_of_range", "not a whole number"));
            None
        }),
    };
    let (concurrency, rate, timeout_ms) = (number("concurrency"), number("rate"), number("timeout_ms"));
    let share = number("share");
    let share = share.map(|share| u8::try_from(share).unwrap_or(0));
    let some = |words: Vec<String>| Some(words).filter(|words| !words.is_empty());
    let tags = fields.text("tags").split([',', '、', '，', '\n']).map(str::trim);
    let filter = Filter {
        events: some(typed.events.clone()),
        sources: some(typed.sources.clone()),
        tags: some(tags.filter(|tag| !tag.is_empty()).map(str::to_owned).collect()),
        share,
    };
    let wishes = Wishes {
        name: Some(fields.text("name").to_owned()),
        url: Some(fields.text("url").to_owned()),
        filter: Some(filter),
        signing: Some(if typed.is_own { Signing::Own } else { Signing::Line }),
        active: Some(typed.active),
        concurrency: concurrency.or(Some(CONCURRENCY.0)),
        rate: Some(rate),
        timeout_ms: timeout_ms.or_else(|| i64::try_from(TIMEOUT.as_millis()).ok()),
        ..Wishes::default()
    };
    (if errors.is_empty() { Ok(wishes) } else { Err(errors) }, form, typed)
}

/// Marks what is wrong at its field, in words for a hub that may reach private networks or for one that may not.
fn marked(form: FormState, errors: &[FieldError], reaches_inside: bool) -> FormState {
    let at = |error: &FieldError| FieldError {
        field: error.field.trim_start_matches("filter.").to_owned(),
        code: match error.code {
            "private" if reaches_inside => "private_other",
            "scheme" if reaches_inside => "scheme_inside",
            other => other,
        },
        ..error.clone()
    };
    let errors: Vec<_> = errors.iter().map(at).collect();
    form.refused("relay-error", &errors)
}

/// Adds a destination. One with a secret of its own shows it on the page that follows, this once.
pub(super) async fn create(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(account): Path<String>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let account = accounts::service::get(&hub, &viewer.scope(), &parse_account(&account)?).await?;
    let (wishes, form, typed) = read(&fields);
    let who = (&viewer.scope(), &viewer.actor());
    let made = match wishes {
        Ok(wishes) => service::create(&hub, who, &account.id, wishes).await,
        Err(errors) => Err(AppError::invalid(errors)),
    };
    match made {
        Ok((new, secrets)) => Ok(show::lead(&hub, &viewer, &new, &secrets, "relay-toast-added")),
        Err(error) => {
            let page = FormPage::new(&hub, ui, (account, None), form, typed);
            again(&hub, page, error)
        }
    }
}

/// Changes a destination.
pub(super) async fn change(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let existing = find(&hub, &viewer, &names).await?;
    let (wishes, form, typed) = read(&fields);
    let who = (&viewer.scope(), &viewer.actor());
    let changed = match wishes {
        Ok(mut wishes) => {
            // What stays is not wished for: an address that stays resumes nothing.
            wishes.url = wishes.url.filter(|url| url.trim_matches(' ') != existing.url);
            wishes.active = wishes.active.filter(|active| *active != existing.active);
            wishes.of = Some(Timestamp(fields.text("of").parse().unwrap_or(0)));
            service::change(&hub, who, &existing.id, wishes).await
        }
        Err(errors) => Err(AppError::invalid(errors)),
    };
    match changed {
        Ok((now, secrets)) => Ok(show::lead(&hub, &viewer, &now, &secrets, "relay-toast-saved")),
        Err(error) => {
            let account = accounts::service::get(&hub, &viewer.scope(), &existing.account).await?;
            let existing = Some(find(&hub, &viewer, &names).await?);
            again(&hub, FormPage::new(&hub, ui, (account, existing), form, typed), error)
        }
    }
}

/// The form again, with what was typed and what is wrong.
fn again(hub: &Hub, page: FormPage, error: AppError) -> AppResult<Response> {
    match (error.status, error.code) {
        (StatusCode::UNPROCESSABLE_ENTITY, _) => {
            let form = marked(page.form, &error.fields, page.reaches_inside);
            Ok(FormPage { form, ..page }.respond(error.status))
        }
        (_, "destination_limit") => {
            Ok(FormPage { full: Some(hub.config.destinations_max), ..page }.respond(error.status))
        }
        (_, "changed_meanwhile") => {
            // Saving once more overwrites what is shown beside it now.
            let now = page.existing.as_ref().map_or(0, |existing| existing.updated_at.millis());
            let form = page.form.with("of", now.to_string());
            Ok(FormPage { form, is_stale: true, ..page }.respond(error.status))
        }
        _ => Err(error),
    }
}

/// Makes a new secret of its own, shown this once; the one of before ends at once. Paused meanwhile, where that is asked for, so
/// that nothing comes with a signature that the other system does not know yet.
pub(super) async fn new_secret(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let existing = find(&hub, &viewer, &names).await?;
    let active = (!fields.text("pause").is_empty()).then_some(false);
    let wishes = Wishes { signing: Some(Signing::Own), new_secret: true, active, ..Wishes::default() };
    let (now, secrets) =
        service::change(&hub, (&viewer.scope(), &viewer.actor()), &existing.id, wishes).await?;
    Ok(show::lead(&hub, &viewer, &now, &secrets, "relay-toast-saved"))
}

/// What the form of the second signature sends.
#[derive(Deserialize)]
pub(super) struct StandardForm {
    /// `on`, `new` or `off`.
    to: String,
}

/// Switches the second signature on or off, or makes a new secret for it; a secret that was made is shown this once.
pub(super) async fn standard(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    Form(form): Form<StandardForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let existing = find(&hub, &viewer, &names).await?;
    let wishes = Wishes {
        standard: Some(form.to != "off"),
        new_standard_secret: form.to == "new",
        ..Wishes::default()
    };
    let (now, secrets) =
        service::change(&hub, (&viewer.scope(), &viewer.actor()), &existing.id, wishes).await?;
    Ok(show::lead(&hub, &viewer, &now, &secrets, "relay-toast-saved"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::replies;
    use crate::web::i18n::Language;

    #[test]
    fn the_form_names_every_kind_that_may_have_an_owner_of_its_own() {
        let missing: Vec<_> = replies::TYPES.into_iter().filter(|kind| !KINDS.contains(kind)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_refused_address_is_told_by_what_the_hub_may_reach() {
        let ui = Ui::sample(Language::En, None);
        for (code, inside, key) in [
            ("private", false, "relay-error-url-private"),
            ("private", true, "relay-error-url-private-other"),
            ("scheme", false, "relay-error-url-scheme"),
            ("scheme", true, "relay-error-url-scheme-inside"),
        ] {
            let form = marked(FormState::new(), &[FieldError::new("url", code, "")], inside);
            assert_eq!(form.error(&ui, "url"), ui.t(key));
        }
    }
}
