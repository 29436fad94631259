//! Reading an authorise address (PLATFORM 23.1) and deciding whether it may show a page at all.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Inner;
use crate::login::flow::{self, Goal, Ticket, is_welcome};
use crate::login::pages::{Shell, trouble};
use crate::world::{Channel, Kind, World};

/// Whether and where the account is offered as a friend (PLATFORM 23.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BotPrompt {
    #[default]
    None,
    /// A checkbox on the consent page.
    Normal,
    /// A page of its own after the consent.
    Aggressive,
}

impl BotPrompt {
    /// By LINE's word; what is no such word is `none`.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "normal" => Self::Normal,
            "aggressive" => Self::Aggressive,
            _ => Self::None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Normal => "normal",
            Self::Aggressive => "aggressive",
        }
    }
}

/// How the answer travels to the redirect address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Query,
    FormPost,
    /// The parameters inside one signed `response`.
    QueryJwt,
    FormPostJwt,
}

/// Where an answer goes.
#[derive(Debug, Clone)]
pub(crate) struct Callback {
    pub(super) channel: String,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) mode: Mode,
    /// The LIFF app of `liff.login()`.
    pub(super) app: Option<String>,
}

/// What the code will stand for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(super) callback: Callback,
    pub(super) nonce: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) max_age: Option<i64>,
}

/// A refusal that goes to the redirect address.
type Refused = (&'static str, &'static str);

const SCOPES: [&str; 3] = ["profile", "openid", "email"];

/// The parameters of an authorise address; the first value of each name counts.
pub(super) struct Parameters(pub(super) Vec<(String, String)>);

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// `GET /oauth2/v2.1/authorize`.
pub(super) async fn start(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let query = Parameters(query);
    let shell = Shell::new(&headers, &uri).for_locales(query.get("ui_locales"));
    let target = {
        let world = inner.world();
        target(&world, &query)
    };
    match target {
        Ok(callback) => begin(&inner, &shell, &headers, &query, &callback, None),
        Err(key) => trouble(&shell, key),
    }
}

/// `GET /liff/v1/authorize`: `liff.login()` outside LINE. The app stands for the channel, its scopes and its callback.
pub(crate) async fn start_liff(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let query = Parameters(query);
    let shell = Shell::new(&headers, &uri).for_locales(query.get("ui_locales"));
    let app = query.get("app_id").and_then(|id| inner.world().liff.find(id).cloned());
    let Some(app) = app else { return trouble(&shell, "login-bad-app") };
    let redirect_uri = query.get("redirect_uri").unwrap_or(&app.view.url);
    // Path-wise, so neither query nor fragment counts (PLATFORM 24.3).
    if !crate::liff::is_below(redirect_uri, &app.view.url) {
        return trouble(&shell, "login-bad-redirect");
    }
    let callback = Callback {
        channel: app.channel.clone(),
        redirect_uri: redirect_uri.to_owned(),
        state: query.get("state").map(str::to_owned),
        mode: Mode::Query,
        app: Some(app.id.clone()),
    };
    begin(&inner, &shell, &headers, &query, &callback, Some((app.scopes.clone(), app.bot_prompt)))
}

/// Where the answer goes. A wrong client or address is told to the person and never redirected (PLATFORM 23.1).
fn target(world: &World, query: &Parameters) -> Result<Callback, &'static str> {
    let channel = query
        .get("client_id")
        .and_then(|id| world.channels.get(id))
        .filter(|channel| channel.kind == Kind::Login)
        .ok_or("login-bad-client")?;
    let redirect_uri =
        query.get("redirect_uri").filter(|uri| is_registered(uri, channel)).ok_or("login-bad-redirect")?;
    let mode = match query.get("response_mode") {
        Some("form_post") => Mode::FormPost,
        Some("query.jwt" | "jwt") => Mode::QueryJwt,
        Some("form_post.jwt") => Mode::FormPostJwt,
        _ => Mode::Query,
    };
    Ok(Callback {
        channel: channel.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        state: query.get("state").map(str::to_owned),
        mode,
        app: None,
    })
}

/// Registered as it is, or with further query parameters on top (PLATFORM 23.1).
fn is_registered(uri: &str, channel: &Channel) -> bool {
    Url::parse(uri).is_ok_and(|url| url.fragment().is_none())
        && channel.settings.callback_urls.iter().any(|known| {
            let more = if known.contains('?') { '&' } else { '?' };
            uri.strip_prefix(known.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(more))
        })
}

/// Checks the rest, then shows a page, or answers at once where no page is wanted.
fn begin(
    inner: &Arc<Inner>,
    shell: &Shell,
    headers: &HeaderMap,
    query: &Parameters,
    callback: &Callback,
    of_app: Option<(Vec<String>, BotPrompt)>,
) -> Response {
    let refuse = |(error, description): Refused| flow::refuse(inner, shell, callback, error, description);
    let checked =
        check(&inner.world(), query, callback, of_app.as_ref().map(|(scopes, _)| scopes.as_slice()));
    let (scopes, max_age) = match checked {
        Ok(checked) => checked,
        Err(refused) => return refuse(refused),
    };
    let bot_prompt =
        of_app.map_or_else(|| BotPrompt::of(query.get("bot_prompt").unwrap_or_default()), |(_, own)| own);
    let now = inner.clock.now();
    let session = flow::session(&inner.world(), headers);
    let fresh = session.filter(|session| max_age.is_none_or(|age| session.since + age * 1_000 >= now));
    let prompt = query.get("prompt");
    let wanted = Wanted {
        callback: callback.clone(),
        nonce: query.get("nonce").map(str::to_owned),
        challenge: query.get("code_challenge").map(str::to_owned),
        max_age,
    };
    let mut ticket =
        Ticket::new(callback.channel.clone(), scopes, bot_prompt, Goal::Code(Box::new(wanted)), now);
    ticket.force_consent = prompt == Some("consent");
    if let Some(user) = query.get("sandbox_user") {
        // For scripts: this person answers at once (CONTRACT 2).
        let person = inner.world().person(user).map(|person| person.number);
        let Some(person) = person else { return trouble(shell, "login-no-person") };
        if !is_welcome(&inner.world(), &callback.channel, person) {
            return trouble(shell, "login-unpublished");
        }
        if query.get("sandbox_deny") == Some("1") {
            return refuse(DENIED);
        }
        ticket.log_in(person, now, "pwd");
        return flow::answer_at_once(inner, shell, ticket, query.get("sandbox_add_friend") == Some("1"));
    }
    if prompt == Some("none") {
        // Nothing may be shown.
        let Some(session) = fresh else { return refuse(("LOGIN_REQUIRED", "login is required")) };
        let allowed = inner.world().login.has_allowed(&callback.channel, session.person, &ticket.scopes);
        if !allowed || !is_welcome(&inner.world(), &callback.channel, session.person) {
            return refuse(("INTERACTION_REQUIRED", "interaction is required"));
        }
        ticket.bot_prompt = BotPrompt::None;
        ticket.log_in(session.person, session.since, "linesso");
        return flow::answer_at_once(inner, shell, ticket, false);
    }
    let id = flow::open_ticket(inner, ticket);
    let language = query.get("ui_locales").map(|_| format!("?ui_locales={}", shell.words.code()));
    let page = format!("/login/{id}{}", language.unwrap_or_default());
    (StatusCode::FOUND, [(header::LOCATION, page)]).into_response()
}

/// What a person who says no gives (PLATFORM 23.1).
pub(super) const DENIED: Refused = ("ACCESS_DENIED", "The resource owner denied the request.");

/// Checks what a wrong value of is told to the redirect address. Gives the scopes and `max_age` in seconds.
fn check(
    world: &World,
    query: &Parameters,
    callback: &Callback,
    of_app: Option<&[String]>,
) -> Result<(Vec<String>, Option<i64>), Refused> {
    let invalid = |description| Err(("INVALID_REQUEST", description));
    match query.get("response_type") {
        Some("code") => {}
        None => return invalid("response_type is required"),
        Some(_) => return Err(("UNSUPPORTED_RESPONSE_TYPE", "response_type must be code")),
    }
    if callback.state.is_none() {
        return invalid("state is required");
    }
    let mode = query.get("response_mode");
    if mode.is_some_and(|mode| !["query", "form_post", "query.jwt", "form_post.jwt", "jwt"].contains(&mode)) {
        return invalid("response_mode is not supported");
    }
    if query.get("prompt").is_some_and(|prompt| !["none", "consent", "login"].contains(&prompt)) {
        return invalid("prompt is not supported");
    }
    let max_age = match query.get("max_age").map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(i64::from(seconds)),
        Some(Err(_)) => return invalid("max_age must be a number of seconds"),
    };
    let sound = |challenge: &str| {
        challenge.len() == 43
            && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    match (query.get("code_challenge"), query.get("code_challenge_method")) {
        (None, None) => {}
        (Some(challenge), Some("S256")) if sound(challenge) => {}
        (Some(_), Some("S256")) => return invalid("code_challenge is malformed"),
        _ => return invalid("code_challenge_method must be S256"),
    }
    let may_email =
        world.channels.get(&callback.channel).is_some_and(|channel| channel.settings.email_permission);
    if let Some(scopes) = of_app {
        // An app's scopes were checked when it was made; only the channel's permission may have changed.
        return Ok((
            scopes.iter().filter(|scope| may_email || *scope != "email").cloned().collect(),
            max_age,
        ));
    }
    let Some(scope) = query.get("scope") else { return invalid("scope is required") };
    let mut scopes: Vec<String> = Vec::new();
    for word in scope.split_whitespace() {
        if !scopes.iter().any(|known| known == word) {
            scopes.push(word.to_owned());
        }
    }
    let has = |wanted: &str| scopes.iter().any(|scope| scope == wanted);
    let unknown = scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str()));
    // UNCONFIRMED what LINE says of `email` on a channel that was never approved for it.
    if scopes.is_empty() || unknown || (has("email") && (!has("openid") || !may_email)) {
        return Err(("INVALID_SCOPE", "The requested scope is invalid, unknown, or malformed."));
    }
    Ok((scopes, max_age))
}
