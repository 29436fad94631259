//! What every template knows: the reader's language and theme, who they are, where they can go, and the words.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use askama::filters::Safe;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{ACCEPT_LANGUAGE, REFERER, SET_COOKIE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::i18n::{Language, Word, maybe_words, number, words};
use super::time::Calendar;
use super::{RequestId, assets, cookies, csrf, errors};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppError;

/// A place of the hub, as the rail, the bottom bar and the command palette show it. Slices give theirs in `wiring`.
#[derive(Debug, Clone, Copy)]
pub struct NavEntry {
    /// Its address: `/inbox`.
    pub href: &'static str,
    /// The icon's name in the icon set.
    pub icon: &'static str,
    /// The key of its name.
    pub label_key: &'static str,
    /// The address of a fragment with the number that waits there (empty when none does), loaded after the page and
    /// when the live stream tells of a message or a conversation.
    pub count: Option<&'static str>,
}

/// A page of the settings; slices give theirs in `wiring`.
#[derive(Debug, Clone, Copy)]
pub struct SettingsEntry {
    /// Its address: `/settings/people`.
    pub href: &'static str,
    /// The icon's name in the icon set.
    pub icon: &'static str,
    /// The key of its name.
    pub label_key: &'static str,
    /// Whether agents do not see it.
    pub owners_only: bool,
}

/// How long something is kept, or how large it may be, as the page of the system shows it.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// The key of its name.
    pub label_key: &'static str,
    /// How much.
    pub figure: Figure,
}

/// A time or a size.
#[derive(Debug, Clone, Copy)]
pub enum Figure {
    /// Whole days, or hours where it is less than two days.
    For(Duration),
    /// Whole mebibytes, or kibibytes.
    Bytes(u64),
}

/// What slices put into the frame of every page. The addresses give fragments and are loaded after the page.
#[derive(Debug, Clone, Default)]
pub struct Shell {
    /// Where one can go, in order.
    pub nav: Vec<NavEntry>,
    /// The pages of the settings, in order.
    pub settings: Vec<SettingsEntry>,
    /// What the hub keeps and takes, for the page of the system.
    pub limits: Vec<Limit>,
    /// The account switcher.
    pub switcher: Option<&'static str>,
    /// Banners about the hub's health.
    pub health: Option<&'static str>,
    /// Contacts found for `?q=` in the command palette, as list rows.
    pub search: Option<&'static str>,
    /// The stream of live events (server-sent events).
    pub live: Option<&'static str>,
}

/// Who is signed in, as far as every page shows it. Put into the request's extensions by the slice that knows sessions.
#[derive(Debug, Clone)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The tenant's name.
    pub tenant: String,
    /// The language chosen in the profile.
    pub language: Option<Language>,
    /// The tenant's time zone, an IANA name.
    pub time_zone: String,
    /// Whether everything of the tenant may be changed.
    pub is_owner: bool,
    /// The tenant's public site.
    pub site_url: Option<String>,
    /// Where people find help.
    pub support_url: Option<String>,
    /// When the service ends, where the operator set that.
    pub expires_at: Option<Timestamp>,
}

/// Colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the reader's system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// `system`, `light` or `dark`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads what [`Theme::name`] writes; anything else is the system's.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

#[derive(Debug)]
struct Inner {
    language: Language,
    theme: Theme,
    csrf: String,
    path: String,
    return_address: Option<String>,
    is_htmx: bool,
    is_boosted: bool,
    request_id: String,
    person: Option<Person>,
    calendar: Calendar,
    toast: Option<String>,
    account: Option<String>,
    shell: Arc<Shell>,
}

/// The context of templates: every template has a field `ui` of this type. An extractor of page handlers.
#[derive(Debug, Clone)]
pub struct Ui(Arc<Inner>);

impl Ui {
    /// The words of `key`.
    #[must_use]
    pub fn t(&self, key: &str) -> String {
        words(self.0.language, key, &[])
    }

    /// The words of `key`, if the reader's language has them: for keys made from codes.
    #[must_use]
    pub fn maybe(&self, key: &str) -> Option<String> {
        maybe_words(self.0.language, key)
    }

    /// The words of `key` with one argument.
    pub fn t1(&self, key: &str, name: &'static str, value: impl Into<Word>) -> String {
        words(self.0.language, key, &[(name, value.into())])
    }

    /// The words of `key` with two arguments. (For Rust: a template would move the tuples.)
    pub fn t2(
        &self,
        key: &str,
        (name, value): (&'static str, impl Into<Word>),
        (other_name, other): (&'static str, impl Into<Word>),
    ) -> String {
        words(self.0.language, key, &[(name, value.into()), (other_name, other.into())])
    }

    /// The reader's language.
    #[must_use]
    pub fn language(&self) -> Language {
        self.0.language
    }

    /// All languages, for the menu.
    #[must_use]
    pub fn languages(&self) -> [Language; 4] {
        Language::ALL
    }

    /// The colours.
    #[must_use]
    pub fn theme(&self) -> Theme {
        self.0.theme
    }

    /// The CSRF token; in forms by the part `csrf`.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.0.csrf
    }

    /// Who is signed in.
    #[must_use]
    pub fn person(&self) -> Option<&Person> {
        self.0.person.as_ref()
    }

    /// The frame.
    #[must_use]
    pub fn shell(&self) -> &Shell {
        &self.0.shell
    }

    /// The pages of the settings that the reader may see.
    #[must_use]
    pub fn settings(&self) -> Vec<SettingsEntry> {
        let is_owner = self.0.person.as_ref().is_some_and(|person| person.is_owner);
        self.0.shell.settings.iter().filter(|entry| is_owner || !entry.owners_only).copied().collect()
    }

    /// Whether an address of the rail is where the reader is.
    #[must_use]
    pub fn is_at(&self, href: &str) -> bool {
        self.0.path.strip_prefix(href).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The account chosen in this browser, as its cookie says it: to be checked before it is used.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.0.account.as_deref()
    }

    /// The path of this page.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Whether htmx asks for a fragment. (A boosted link asks for a page.)
    #[must_use]
    pub fn is_htmx(&self) -> bool {
        self.0.is_htmx && !self.0.is_boosted
    }

    /// The id under which the log knows this request.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The words that this page says once.
    #[must_use]
    pub fn toast(&self) -> Option<String> {
        self.0.toast.as_deref().map(|key| self.t(key))
    }

    /// Where to come back to after signing in: this page, or the one that asked for this fragment; always within the hub.
    #[must_use]
    pub fn return_address(&self) -> Option<&str> {
        self.0.return_address.as_deref()
    }

    /// An asset's address: `ui.asset("app.css")`.
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        assets::address(name)
    }

    /// An icon. It says nothing to screen readers: put a text or an accessible name beside it.
    #[must_use]
    pub fn icon(&self, name: &str) -> Safe<String> {
        let sprite = assets::address("icons.svg");
        let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        Safe(format!("<svg class=\"icon\" aria-hidden=\"true\"><use href=\"{sprite}#{name}\"></use></svg>"))
    }

    /// A number as the reader writes it.
    pub fn number(&self, value: impl TryInto<i64>) -> String {
        number(value.try_into().unwrap_or(i64::MAX))
    }

    /// A count as the reader writes it, for templates, which pass fields by reference.
    pub fn count(&self, value: impl Borrow<i64>) -> String {
        number(*value.borrow())
    }

    /// A time or size in words.
    #[must_use]
    pub fn figure(&self, figure: &Figure) -> String {
        match *figure {
            Figure::For(time) => match time.as_secs() / 3600 {
                hours if hours < 48 => self.t1("web-figure-hours", "count", hours),
                hours => self.t1("web-figure-days", "count", hours / 24),
            },
            Figure::Bytes(bytes) if bytes % (1 << 20) == 0 => format!("{} MiB", self.number(bytes >> 20)),
            Figure::Bytes(bytes) => format!("{} KiB", self.number(bytes.div_ceil(1 << 10))),
        }
    }

    /// A moment, relative under a day ("12 分鐘前"), else as a date; with the exact time and zone on hover.
    #[must_use]
    pub fn ago(&self, at: &Timestamp) -> Safe<String> {
        self.0.calendar.ago(*at)
    }

    /// A moment as date and time; with the exact time and zone on hover.
    #[must_use]
    pub fn moment(&self, at: &Timestamp) -> Safe<String> {
        self.0.calendar.moment(*at)
    }

    /// A moment to the second, as beside who changed something; with the zone on hover.
    #[must_use]
    pub fn exact(&self, at: &Timestamp) -> Safe<String> {
        self.0.calendar.exact(*at)
    }

    /// A moment's time of day, as on a message; with the exact time and zone on hover.
    #[must_use]
    pub fn time_of_day(&self, at: &Timestamp) -> Safe<String> {
        self.0.calendar.time_of_day(*at)
    }

    /// What is to come: its time of day, to the second within a minute; with the date on another day.
    #[must_use]
    pub fn coming(&self, at: &Timestamp) -> Safe<String> {
        self.0.calendar.coming(*at)
    }

    /// A moment's day ("today", "yesterday", else the date), as between messages.
    #[must_use]
    pub fn day(&self, at: &Timestamp) -> String {
        self.0.calendar.day(*at)
    }

    /// The first letter of a name, for an avatar without a picture.
    #[must_use]
    pub fn initial(&self, name: &str) -> String {
        name.trim().chars().next().map_or_else(|| "?".to_owned(), |c| c.to_uppercase().collect())
    }

    /// One of eight hues for a name or id, always the same for the same text.
    #[must_use]
    pub fn hue(&self, text: &str) -> u32 {
        text.chars().fold(7_u32, |sum, c| sum.wrapping_mul(31).wrapping_add(u32::from(c))) % 8
    }

    fn of(hub: &Hub, shell: &Arc<Shell>, parts: &Parts, csrf: String) -> Self {
        let config = &hub.config;
        let person = parts.extensions.get::<Person>().cloned();
        let cookie = |name| cookies::get(config, &parts.headers, name);
        let language = person
            .as_ref()
            .and_then(|person| person.language)
            .or_else(|| Language::parse(&cookie(cookies::LANGUAGE)?))
            .or_else(|| Language::negotiate(text(parts, ACCEPT_LANGUAGE.as_str())?))
            .unwrap_or_default();
        let is_htmx = text(parts, "hx-request").is_some();
        let path_and_query = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        let return_address = if is_htmx || !parts.method.is_safe() {
            text(parts, "hx-current-url").or_else(|| text(parts, REFERER.as_str())).and_then(path_of)
        } else {
            Some(path_and_query.to_owned())
        };
        let zone = person.as_ref().map(|person| person.time_zone.as_str());
        Self(Arc::new(Inner {
            language,
            theme: Theme::parse(&cookie(cookies::THEME).unwrap_or_default()),
            csrf,
            path: parts.uri.path().to_owned(),
            return_address: return_address
                .filter(|address| address != "/" && super::local_address(address).is_some()),
            is_htmx,
            is_boosted: text(parts, "hx-boosted").is_some(),
            request_id: parts
                .extensions
                .get::<RequestId>()
                .map_or_else(String::new, |id| id.as_str().to_owned()),
            calendar: Calendar::new(language, zone, hub.now()),
            person,
            toast: cookie(cookies::TOAST).filter(|key| super::flash::is_key(key)),
            account: cookie(cookies::ACCOUNT),
            shell: shell.clone(),
        }))
    }

    /// A context for tests and samples.
    #[cfg(test)]
    pub(crate) fn sample(language: Language, person: Option<Person>) -> Self {
        let now = Timestamp(1_767_225_600_000);
        let nav = vec![NavEntry {
            href: "/settings",
            icon: "settings",
            label_key: "team-nav-settings",
            count: None,
        }];
        Self(Arc::new(Inner {
            language,
            theme: Theme::Light,
            csrf: "token".to_owned(),
            path: "/settings".to_owned(),
            return_address: None,
            is_htmx: false,
            is_boosted: false,
            request_id: "req".to_owned(),
            calendar: Calendar::new(language, Some("Asia/Taipei"), now),
            person,
            toast: None,
            account: None,
            shell: Arc::new(Shell { nav, ..Shell::default() }),
        }))
    }
}

impl FromRequestParts<Hub> for Ui {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &Hub) -> Result<Self, AppError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| AppError::internal("a page is outside the shell"))
    }
}

/// A header's text.
fn text<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Path and query of a whole address.
fn path_of(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    Some(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
}

/// Makes the context of a page's request, checks its CSRF token, draws its errors.
pub(super) async fn attach(
    State((hub, shell)): State<(Hub, Arc<Shell>)>,
    request: Request,
    next: Next,
) -> Response {
    if super::is_for_programs(request.uri().path()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let config = &hub.config;
    let known = cookies::session(config, &parts.headers)
        .or_else(|| cookies::get(config, &parts.headers, cookies::VISITOR));
    let is_new = known.is_none();
    let secret = known.unwrap_or_else(|| hub.entropy.token());
    let ui = Ui::of(&hub, &shell, &parts, csrf::token(&secret));
    parts.extensions.insert(ui.clone());
    let response = match csrf::check(&parts, body, ui.csrf()).await {
        Ok(body) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => error.into_response(),
    };
    let mut response = errors::draw(response, &ui);
    let is_page = response.extensions().get::<super::IsHtml>().is_some();
    let cookie = |response: &mut Response, value: HeaderValue| {
        response.headers_mut().append(SET_COOKIE, value);
    };
    if is_new && is_page {
        cookie(&mut response, cookies::set(config, cookies::VISITOR, &secret, config.session_life));
    }
    if ui.0.toast.is_some() && is_page {
        cookie(&mut response, cookies::remove(config, cookies::TOAST));
    }
    response
}
