//! What the pages of Login show.

use askama::Template;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};

use crate::phone::Face;
use crate::words::Words;
use crate::world::{Channel, Person, World};

/// More people than this are not listed; one can still be named.
const LISTED: usize = 60;

/// A page's language and its own address.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) words: Words,
    pub(crate) path: String,
}

impl Shell {
    pub(crate) fn new(headers: &HeaderMap, uri: &Uri) -> Self {
        Self { words: Words::from_headers(headers), path: uri.path().to_owned() }
    }

    /// In the first of `ui_locales` that is one of ours (PLATFORM 23.1).
    pub(crate) fn for_locales(mut self, locales: Option<&str>) -> Self {
        if let Some(words) = locales.and_then(Words::from_locales) {
            self.words = words;
        }
        self
    }
}

/// A person who can log in.
#[derive(Debug)]
struct Choice {
    user: String,
    face: Face,
}

/// The linked account on a page.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    face: Face,
    basic_id: String,
    following: bool,
    blocked: bool,
}

impl Offer {
    pub(crate) fn new(bot: &Channel, following: bool, blocked: bool) -> Self {
        Self { face: Face::of_channel(bot), basic_id: bot.basic_id.clone(), following, blocked }
    }

    pub(crate) fn is_friend(&self) -> bool {
        self.following
    }
}

#[derive(Template)]
#[template(path = "login_who.html")]
struct WhoPage<'a> {
    frame: &'a Shell,
    title: String,
    app: Face,
    people: Vec<Choice>,
    more: bool,
    /// Hidden fields that travel along.
    hidden: Vec<(&'static str, String)>,
    /// Where the form goes; empty is the page itself.
    action: &'static str,
}

#[derive(Template)]
#[template(path = "login_consent.html")]
struct ConsentPage<'a> {
    frame: &'a Shell,
    app: Face,
    person: Option<Face>,
    scopes: Vec<String>,
    offer: Option<Offer>,
}

#[derive(Template)]
#[template(path = "login_friend.html")]
struct FriendPage<'a> {
    frame: &'a Shell,
    app: Face,
    offer: Option<Offer>,
}

#[derive(Template)]
#[template(path = "login_unwelcome.html")]
struct UnwelcomePage<'a> {
    frame: &'a Shell,
    app: Face,
    channel: &'a str,
}

#[derive(Template)]
#[template(path = "login_note.html")]
struct NotePage<'a> {
    frame: &'a Shell,
    text: String,
    trouble: bool,
    back: Option<String>,
}

#[derive(Template)]
#[template(path = "login_post.html")]
struct PostPage<'a> {
    frame: &'a Shell,
    action: &'a str,
    pairs: &'a [(String, String)],
}

/// Draws a page.
pub(crate) fn draw(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to draw a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The people to choose from, `first` ahead of the others; whether there are more.
fn people(world: &World, first: Option<u64>) -> (Vec<Choice>, bool) {
    let one = first.and_then(|number| world.people.get(&number));
    let others = world.people.values().filter(|person| Some(person.number) != first);
    let choice = |person: &Person| Choice { user: person.user(), face: Face::of_person(person) };
    (one.into_iter().chain(others).take(LISTED).map(choice).collect(), world.people.len() > LISTED)
}

pub(super) fn who(shell: &Shell, world: &World, channel: &Channel, last: Option<u64>) -> Response {
    let (people, more) = people(world, last);
    let title = shell.words.say("login-who");
    let hidden = vec![("act", "who".to_owned())];
    let app = Face::of_channel(channel);
    draw(StatusCode::OK, &WhoPage { frame: shell, title, app, people, more, hidden, action: "" })
}

pub(super) fn link(
    shell: &Shell,
    world: &World,
    channel: &Channel,
    person: u64,
    token: &str,
    nonce: &str,
) -> Response {
    let (people, more) = people(world, Some(person));
    let title = shell.words.say("link-who");
    let hidden = vec![("linkToken", token.to_owned()), ("nonce", nonce.to_owned())];
    let app = Face::of_channel(channel);
    let action = "/dialog/bot/accountLink";
    draw(StatusCode::OK, &WhoPage { frame: shell, title, app, people, more, hidden, action })
}

pub(super) fn consent(
    shell: &Shell,
    channel: &Channel,
    person: Option<&Person>,
    scopes: &[String],
    offer: Option<Offer>,
) -> Response {
    let words = &shell.words;
    let scopes = scopes.iter().map(|scope| match scope.as_str() {
        "profile" => words.say("login-scope-profile"),
        "openid" => words.say("login-scope-openid"),
        "email" => words.say("login-scope-email"),
        "chat_message.write" => words.say("login-scope-write"),
        other => other.to_owned(),
    });
    let page = ConsentPage {
        frame: shell,
        app: Face::of_channel(channel),
        person: person.map(Face::of_person),
        scopes: scopes.collect(),
        offer,
    };
    draw(StatusCode::OK, &page)
}

pub(super) fn friend(shell: &Shell, channel: &Channel, offer: Option<Offer>) -> Response {
    draw(StatusCode::OK, &FriendPage { frame: shell, app: Face::of_channel(channel), offer })
}

pub(super) fn unwelcome(shell: &Shell, channel: &Channel) -> Response {
    let page = UnwelcomePage { frame: shell, app: Face::of_channel(channel), channel: &channel.id };
    draw(StatusCode::BAD_REQUEST, &page)
}

/// A page that only says something.
pub(crate) fn note(shell: &Shell, key: &str, back: Option<String>) -> Response {
    let page = NotePage { frame: shell, text: text(shell, key), trouble: false, back };
    draw(StatusCode::OK, &page)
}

/// The error page: 400, and nobody is sent anywhere (PLATFORM 23.1).
pub(crate) fn trouble(shell: &Shell, key: &str) -> Response {
    let page = NotePage { frame: shell, text: text(shell, key), trouble: true, back: None };
    draw(StatusCode::BAD_REQUEST, &page)
}

/// The texts of notes; named here one by one, so that a missing one is noticed.
fn text(shell: &Shell, key: &str) -> String {
    let words = &shell.words;
    match key {
        "login-bad-client" => words.say("login-bad-client"),
        "login-bad-redirect" => words.say("login-bad-redirect"),
        "login-bad-app" => words.say("login-bad-app"),
        "login-no-person" => words.say("login-no-person"),
        "login-unpublished" => words.say("login-unpublished"),
        "login-denied" => words.say("login-denied"),
        "link-expired" => words.say("link-expired"),
        "link-bad-nonce" => words.say("link-bad-nonce"),
        "link-done" => words.say("link-done"),
        "link-failed" => words.say("link-failed"),
        _ => words.say("login-gone"),
    }
}

/// A page that posts the answer to the redirect address (`response_mode=form_post`).
pub(super) fn post(shell: &Shell, action: &str, pairs: &[(String, String)]) -> Response {
    draw(StatusCode::OK, &PostPage { frame: shell, action, pairs })
}
