//! Opening a LIFF app (PLATFORM 24.2): consent first, then the app's endpoint in a frame the size of a phone.

use std::sync::Arc;

use askama::Template;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use url::{Url, form_urlencoded};

use crate::Inner;
use crate::liff::{App, is_liff_id};
use crate::line::error::LineError;
use crate::login::Code;
use crate::login::{
    Goal, LIFF_TOKEN_SECONDS, Shell, Ticket, UserToken, Visit, draw, id_token, is_welcome, open_ticket,
    trouble,
};
use crate::phone::Face;
use crate::world::{Chat, World};

#[derive(Template)]
#[template(path = "liff.html")]
struct HostPage<'a> {
    frame: &'a Shell,
    title: String,
    app: Face,
    host: String,
    size: &'a str,
    /// The app leaves nothing of the chat behind it to be seen.
    whole: bool,
    /// The first address of the app, without what the LIFF address has after `#`.
    src: String,
    /// Tokens, as LINE hands them over, for the end of the address.
    secret: String,
    /// Where closing leads.
    back: String,
    /// The frame's name: one per visit, so that visits side by side keep apart what they store.
    name: String,
}

/// `GET /liff/{liffId}[/path][?query]`, in place of `https://liff.line.me/…`. Besides the app's own query: `sandbox_user` names who opens
/// it and `chat` (a channel or group ID) from where.
pub(super) async fn open(
    State(inner): State<Arc<Inner>>,
    Path(parts): Path<Vec<(String, String)>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let shell = Shell::new(&headers, &uri);
    let part = |name: &str| parts.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let id = part("liff_id");
    if !is_liff_id(id) {
        return LineError::not_found().into_response();
    }
    let Some(app) = inner.world().liff.find(id).cloned() else { return trouble(&shell, "login-bad-app") };
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let extra = extra(&uri.path().trim_start_matches("/liff/").replacen(id, "", 1), &query);
    let chat_id = value("chat");
    let person =
        value("sandbox_user").and_then(|user| inner.world().person(user).map(|person| person.number));
    let visitor = {
        let world = inner.world();
        person.filter(|person| {
            is_welcome(&world, &app.channel, *person)
                && world.login.has_allowed(&app.channel, *person, &scopes(&world, &app))
        })
    };
    let Some(person) = visitor else {
        let ticket = {
            let world = inner.world();
            let goal = Goal::Open { path: without_user(uri.path(), &query) };
            let now = inner.clock.now();
            let mut ticket =
                Ticket::new(app.channel.clone(), scopes(&world, &app), app.bot_prompt, goal, now);
            if let Some(person) = person {
                ticket.log_in(person, now, "lineautologin");
            }
            ticket
        };
        let id = open_ticket(&inner, ticket);
        return Redirect::to(&format!("/login/{id}")).into_response();
    };
    enter(&inner, &shell, &app, person, chat_id, &extra)
}

/// Shows the app to a person who has allowed what it asks for.
fn enter(
    inner: &Inner,
    shell: &Shell,
    app: &App,
    person: u64,
    chat_id: Option<&str>,
    extra: &str,
) -> Response {
    let now = inner.clock.now();
    let mut world = inner.world();
    let chat = chat_id.and_then(|id| open_chat(&world, person, id));
    let scopes = scopes(&world, app);
    let text = inner.ids.jws();
    let visit = Visit { app: app.id.clone(), chat: chat.clone(), inside: true };
    let token = UserToken {
        channel: app.channel.clone(),
        person,
        scopes: scopes.clone(),
        expires_at: now + LIFF_TOKEN_SECONDS * 1_000,
        revoked: false,
        visit: Some(visit),
    };
    world.login.keep_token(text.clone(), token, now);
    let code = Code::for_liff(&app.channel, person, &app.id, scopes, now);
    let id_token = id_token(inner, &world, &code, true, now).unwrap_or_default();
    let secret = form_urlencoded::Serializer::new(String::new())
        .append_pair("access_token", &text)
        .append_pair("id_token", &id_token)
        .append_pair("client_id", &app.channel)
        .finish();
    let channel = world.channels.get(&app.channel);
    let back = match &chat {
        Some(_) => format!("/phone/u{person}/{}", chat_id.unwrap_or_default()),
        None => format!("/phone/u{person}"),
    };
    let page = HostPage {
        frame: shell,
        title: app
            .description
            .clone()
            .or_else(|| channel.map(|channel| channel.name.clone()))
            .unwrap_or_default(),
        app: channel.map_or_else(|| Face::new("", None), Face::of_channel),
        host: Url::parse(&app.view.url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default(),
        size: &app.view.size,
        whole: app.view.size == "full",
        src: primary(&app.view.url, extra),
        secret,
        back,
        name: format!("liff-{}", inner.ids.hex32()),
    };
    drop(world);
    let mut response = draw(StatusCode::OK, &page);
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: http: https:; \
                  frame-src http: https:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// The app's scopes, without `email` once the channel may no longer ask for it.
fn scopes(world: &World, app: &App) -> Vec<String> {
    let may_email = world.channels.get(&app.channel).is_some_and(|channel| channel.settings.email_permission);
    app.scopes.iter().filter(|scope| may_email || *scope != "email").cloned().collect()
}

/// The chat of an ID as a phone's address names it: an account's channel, a group, or another person.
pub(super) fn open_chat(world: &World, person: u64, id: &str) -> Option<Chat> {
    if let Some(group) = world.groups.get(id) {
        return group.members.contains(&person).then(|| Chat::Group(id.to_owned()));
    }
    if let Some(other) = world.person(id) {
        return Some(Chat::pair(person, other.number));
    }
    world.channels.contains_key(id).then(|| Chat::single(id, person))
}

/// Path and query that a LIFF address adds to the endpoint; empty when there are none.
fn extra(rest: &str, query: &[(String, String)]) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.iter().filter(|(name, _)| !["sandbox_user", "chat"].contains(&name.as_str())) {
        pairs.append_pair(name, value);
    }
    let query = pairs.finish();
    let rest = if rest == "/" { "" } else { rest };
    if query.is_empty() { rest.to_owned() } else { format!("{rest}?{query}") }
}

/// The primary redirect: the endpoint with the extra as `liff.state` (PLATFORM 24.2).
fn primary(endpoint: &str, extra: &str) -> String {
    let Ok(mut url) = Url::parse(endpoint) else { return endpoint.to_owned() };
    if !extra.is_empty() {
        url.query_pairs_mut().append_pair("liff.state", extra);
    }
    url.to_string()
}

/// The page's own address, for coming back after the consent.
fn without_user(path: &str, query: &[(String, String)]) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.iter().filter(|(name, _)| name != "sandbox_user") {
        pairs.append_pair(name, value);
    }
    let query = pairs.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 24.2: what follows the LIFF ID reaches the endpoint inside `liff.state`.
    #[test]
    fn what_follows_the_id_travels_in_the_state() {
        let query = [("a".to_owned(), "1".to_owned()), ("sandbox_user".to_owned(), "u1".to_owned())];
        let extra = extra("/cart", &query);
        assert_eq!(extra, "/cart?a=1");
        assert_eq!(
            primary("https://shop.example/liff", &extra),
            "https://shop.example/liff?liff.state=%2Fcart%3Fa%3D1"
        );
        assert_eq!(primary("https://shop.example/liff", ""), "https://shop.example/liff");
    }
}
