//! The steps of a login or of opening a LIFF app: who it is, what is allowed, whether the account is added, and the answer.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value, json};
use url::Url;

use crate::Inner;
use crate::jwt;
use crate::login::authorize::{BotPrompt, Callback, DENIED, Mode, Parameters, Wanted};
use crate::login::pages::{self, Offer, Shell};
use crate::login::state::{Code, Session};
use crate::login::token::ISSUER;
use crate::world::World;

/// The cookie of the browser's login at LINE.
const SESSION_COOKIE: &str = "sandbox_line";
/// A signed answer is good for so many seconds.
const ANSWER_SECONDS: i64 = 600;

/// A page visit on its way to an answer.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) channel: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) bot_prompt: BotPrompt,
    pub(crate) goal: Goal,
    pub(crate) at: i64,
    /// Ask for consent even if it was given before.
    pub(crate) force_consent: bool,
    person: Option<u64>,
    /// When the person logged in, in ms, and how.
    since: i64,
    amr: &'static str,
    consented: bool,
    /// The option to add the account was on screen, and whether it was taken.
    friendship_changed: Option<bool>,
    friend_page_done: bool,
}

/// What a visit is for.
#[derive(Debug, Clone)]
pub(crate) enum Goal {
    /// A login: the answer carries a code.
    Code(Box<Wanted>),
    /// Opening a LIFF app: on with the sandbox's own page at this path.
    Open { path: String },
}

/// What comes next.
enum Step {
    Who,
    /// Not published, and this person is no tester.
    Unwelcome,
    Consent,
    Friend,
    Done(u64),
}

impl Ticket {
    pub(crate) fn new(
        channel: String,
        scopes: Vec<String>,
        bot_prompt: BotPrompt,
        goal: Goal,
        at: i64,
    ) -> Self {
        Self {
            channel,
            scopes,
            bot_prompt,
            goal,
            at,
            force_consent: false,
            person: None,
            since: 0,
            amr: "pwd",
            consented: false,
            friendship_changed: None,
            friend_page_done: false,
        }
    }

    pub(crate) fn log_in(&mut self, person: u64, since: i64, amr: &'static str) {
        (self.person, self.since, self.amr) = (Some(person), since, amr);
    }

    fn step(&self, world: &World) -> Step {
        let Some(person) = self.person else { return Step::Who };
        if !is_welcome(world, &self.channel, person) {
            return Step::Unwelcome;
        }
        let known = world.login.has_allowed(&self.channel, person, &self.scopes);
        if !self.consented && (self.force_consent || !known) {
            return Step::Consent;
        }
        let aggressive = self.bot_prompt == BotPrompt::Aggressive && !self.friend_page_done;
        if aggressive && offer(world, &self.channel, person).is_some_and(|offer| !offer.is_friend()) {
            return Step::Friend;
        }
        Step::Done(person)
    }
}

/// A channel that is not published lets only its testers in (PLATFORM 23.5).
pub(crate) fn is_welcome(world: &World, channel: &str, person: u64) -> bool {
    world.channels.get(channel).is_some_and(|channel| {
        channel.settings.published || channel.settings.testers.contains(&format!("u{person}"))
    })
}

/// The linked account as the pages offer it (PLATFORM 23.4); `None` without one.
fn offer(world: &World, channel: &str, person: u64) -> Option<Offer> {
    let linked = world.channels.get(channel)?.settings.linked_bot_channel_id.as_deref()?;
    let bot = world.channels.get(linked)?;
    let bond = world.bond(linked, person);
    Some(Offer::new(bot, bond.following, bond.blocked))
}

/// Adds or unblocks the linked account; true when that changed something.
fn befriend(inner: &Inner, channel: &str, person: u64) -> bool {
    let linked = inner
        .world()
        .channels
        .get(channel)
        .and_then(|channel| channel.settings.linked_bot_channel_id.clone());
    linked.is_some_and(|linked| inner.follow(person, &linked).event_id.is_some())
}

/// Keeps a visit and gives its id.
pub(crate) fn open_ticket(inner: &Inner, ticket: Ticket) -> String {
    let (id, at) = (inner.ids.hex32(), ticket.at);
    inner.world().login.keep_ticket(id.clone(), ticket, at);
    id
}

/// Who is logged in at LINE in this browser.
pub(super) fn session(world: &World, headers: &HeaderMap) -> Option<Session> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE).then(|| world.login.session(value)).flatten()
    })
}

/// The page of the visit's present step.
pub(super) async fn show(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let shell = Shell::new(&headers, &uri).for_locales(Parameters(query).get("ui_locales"));
    page(&inner, &shell, &headers, &id)
}

fn page(inner: &Inner, shell: &Shell, headers: &HeaderMap, id: &str) -> Response {
    let mut world = inner.world();
    let Some(ticket) = world.login.ticket(id).cloned() else {
        drop(world);
        return pages::trouble(shell, "login-gone");
    };
    let Some(channel) = world.channels.get(&ticket.channel) else {
        drop(world);
        return pages::trouble(shell, "login-gone");
    };
    match ticket.step(&world) {
        Step::Who => {
            let last = session(&world, headers).map(|session| session.person);
            pages::who(shell, &world, channel, last)
        }
        Step::Unwelcome => pages::unwelcome(shell, channel),
        Step::Consent => {
            let person = ticket.person.and_then(|person| world.people.get(&person));
            let offer = match (ticket.bot_prompt, person) {
                (BotPrompt::Normal, Some(person)) => offer(&world, &ticket.channel, person.number),
                _ => None,
            };
            pages::consent(shell, channel, person, &ticket.scopes, offer)
        }
        Step::Friend => {
            let offer = ticket.person.and_then(|person| offer(&world, &ticket.channel, person));
            pages::friend(shell, channel, offer)
        }
        Step::Done(person) => {
            drop(world);
            finish(inner, shell, id, person)
        }
    }
}

/// One press of a button: `act` says which.
pub(super) async fn act(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    uri: Uri,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let shell = Shell::new(&headers, &uri).for_locales(Parameters(query).get("ui_locales"));
    let field =
        |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let now = inner.clock.now();
    let mut cookie = None;
    // The account to add once the lock is open again.
    let mut adds = None;
    {
        let mut world = inner.world();
        let chosen = world.person(field("user")).map(|person| person.number);
        let offered = world.login.ticket(&id).cloned().and_then(|ticket| {
            let person = ticket.person?;
            Some((offer(&world, &ticket.channel, person), ticket, person))
        });
        let Some(ticket) = world.login.ticket(&id) else {
            drop(world);
            return pages::trouble(&shell, "login-gone");
        };
        match (field("act"), offered) {
            ("who", _) => {
                if let Some(person) = chosen {
                    ticket.log_in(person, now, "pwd");
                    let session = inner.ids.hex32();
                    cookie = Some(format!("{SESSION_COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax"));
                    world.login.keep_session(session, Session { person, since: now });
                }
            }
            ("again", _) => ticket.person = None,
            ("allow", Some((offer, old, person))) => {
                ticket.consented = true;
                let shown =
                    old.bot_prompt == BotPrompt::Normal && offer.is_some_and(|offer| !offer.is_friend());
                if shown {
                    ticket.friendship_changed = Some(false);
                    adds = (field("friend") == "on").then_some((old.channel.clone(), person));
                }
                world.login.allow(&old.channel, person, &old.scopes);
            }
            ("add", Some((_, old, person))) => {
                (ticket.friendship_changed, ticket.friend_page_done) = (Some(false), true);
                adds = Some((old.channel, person));
            }
            ("skip", _) => (ticket.friendship_changed, ticket.friend_page_done) = (Some(false), true),
            ("deny", _) => {
                let goal = ticket.goal.clone();
                world.login.end_ticket(&id);
                drop(world);
                return match goal {
                    Goal::Code(wanted) => refuse(&inner, &shell, &wanted.callback, DENIED.0, DENIED.1),
                    Goal::Open { .. } => pages::trouble(&shell, "login-denied"),
                };
            }
            _ => {}
        }
    }
    if let Some((channel, person)) = adds {
        let changed = befriend(&inner, &channel, person);
        if let Some(ticket) = inner.world().login.ticket(&id) {
            ticket.friendship_changed = Some(changed);
        }
    }
    let done = {
        let mut world = inner.world();
        let ticket = world.login.ticket(&id).cloned();
        ticket.and_then(|ticket| match ticket.step(&world) {
            Step::Done(person) => Some(person),
            _ => None,
        })
    };
    let mut response = match done {
        Some(person) => finish(&inner, &shell, &id, person),
        // The page again, in the language that the app asked for.
        None => Redirect::to(uri.path_and_query().map_or("/", PathAndQuery::as_str)).into_response(),
    };
    if let Some(cookie) = cookie.and_then(|cookie| cookie.parse().ok()) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Ends a visit: a code for a login, the app for LIFF.
fn finish(inner: &Inner, shell: &Shell, id: &str, person: u64) -> Response {
    let Some(ticket) = inner.world().login.end_ticket(id) else { return pages::trouble(shell, "login-gone") };
    conclude(inner, shell, ticket, person)
}

fn conclude(inner: &Inner, shell: &Shell, ticket: Ticket, person: u64) -> Response {
    match ticket.goal {
        Goal::Open { path } => {
            let mark = if path.contains('?') { '&' } else { '?' };
            Redirect::to(&format!("{path}{mark}sandbox_user=u{person}")).into_response()
        }
        Goal::Code(wanted) => {
            let text = inner.ids.token(3);
            let code = Code {
                channel: ticket.channel,
                person,
                redirect_uri: wanted.callback.redirect_uri.clone(),
                scopes: ticket.scopes,
                nonce: wanted.nonce,
                challenge: wanted.challenge,
                auth_time: wanted.max_age.map(|_| ticket.since),
                amr: ticket.amr.to_owned(),
                app: wanted.callback.app.clone(),
                at: inner.clock.now(),
            };
            inner.world().login.keep_code(text.clone(), code);
            let mut pairs = vec![("code".to_owned(), text)];
            if let Some(changed) = ticket.friendship_changed {
                pairs.push(("friendship_status_changed".into(), changed.to_string()));
            }
            answer(inner, shell, &wanted.callback, pairs)
        }
    }
}

/// Goes through all steps without a page; the account is added when `adds_friend` and it is offered.
pub(super) fn answer_at_once(
    inner: &Inner,
    shell: &Shell,
    mut ticket: Ticket,
    adds_friend: bool,
) -> Response {
    let Some(person) = ticket.person else { return pages::trouble(shell, "login-no-person") };
    let offered = ticket.bot_prompt != BotPrompt::None
        && offer(&inner.world(), &ticket.channel, person).is_some_and(|offer| !offer.is_friend());
    if offered {
        ticket.friendship_changed = Some(adds_friend && befriend(inner, &ticket.channel, person));
    }
    inner.world().login.allow(&ticket.channel, person, &ticket.scopes);
    conclude(inner, shell, ticket, person)
}

/// Tells the redirect address of a refusal.
pub(super) fn refuse(
    inner: &Inner,
    shell: &Shell,
    callback: &Callback,
    error: &str,
    description: &str,
) -> Response {
    let pairs = vec![
        ("error".to_owned(), error.to_owned()),
        ("error_description".to_owned(), description.to_owned()),
    ];
    answer(inner, shell, callback, pairs)
}

/// Sends an answer to the redirect address in the wanted mode.
fn answer(inner: &Inner, shell: &Shell, callback: &Callback, mut pairs: Vec<(String, String)>) -> Response {
    if let Some(state) = &callback.state {
        pairs.push(("state".into(), state.clone()));
    }
    if let Some(app) = &callback.app {
        pairs.push(("liffClientId".into(), app.split('-').next().unwrap_or_default().to_owned()));
        pairs.push(("liffRedirectUri".into(), callback.redirect_uri.clone()));
    }
    if matches!(callback.mode, Mode::QueryJwt | Mode::FormPostJwt) {
        pairs = vec![("response".into(), signed(inner, &callback.channel, &pairs))];
    }
    match callback.mode {
        Mode::FormPost | Mode::FormPostJwt => pages::post(shell, &callback.redirect_uri, &pairs),
        Mode::Query | Mode::QueryJwt => match Url::parse(&callback.redirect_uri) {
            Ok(mut url) => {
                url.query_pairs_mut().extend_pairs(&pairs);
                (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
            }
            Err(_) => pages::trouble(shell, "login-bad-redirect"),
        },
    }
}

/// The answer as a JWT, signed like an id token for the web (PLATFORM 23.1 names the modes; the form is that of the JARM standard).
fn signed(inner: &Inner, channel: &str, pairs: &[(String, String)]) -> String {
    let mut claims: Map<String, Value> =
        pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    claims.insert("iss".into(), json!(ISSUER));
    claims.insert("aud".into(), json!(channel));
    claims.insert("exp".into(), json!(inner.clock.now() / 1_000 + ANSWER_SECONDS));
    let world = inner.world();
    let secret = world.channels.get(channel).map_or("", |channel| channel.secret.as_str());
    jwt::by_secret(&Value::Object(claims), secret)
}
