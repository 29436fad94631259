//! The page on which an account's admin agrees to a module: which account, and what the module may do (PLATFORM 14). Everybody who
//! sits at the sandbox is such an admin.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use url::Url;

use super::{Code, SCOPES};
use crate::Inner;
use crate::login::{PAGE_POLICY, Shell, draw};
use crate::phone::Face;
use crate::words::Words;
use crate::world::{Channel, Kind, World};

/// The fields of the form that are not of the query.
const OWN: [&str; 2] = ["account", "answer"];

type Pairs = BTreeMap<String, String>;

/// For the pages' router, which lets nobody from elsewhere in.
pub(crate) fn routes() -> Router<Arc<Inner>> {
    Router::new().route("/module/auth/v1/authorize", get(ask).post(answer))
}

/// What the address asks for, checked.
#[derive(Debug)]
struct Asked {
    module: String,
    redirect: Url,
    scopes: Vec<String>,
    /// The accounts it may be attached to.
    accounts: Vec<String>,
    pairs: Pairs,
}

#[derive(Template)]
#[template(path = "module_attach.html")]
struct AttachPage<'a> {
    frame: &'a Shell,
    app: Face,
    accounts: Vec<Account>,
    scopes: Vec<String>,
    hidden: &'a Pairs,
}

/// An account to choose.
#[derive(Debug)]
struct Account {
    channel: String,
    face: Face,
    basic_id: String,
}

/// Shows the form. `sandbox_approve=1` agrees at once for the first account that fits, `sandbox_deny=1` refuses, for scripts.
async fn ask(
    State(inner): State<Arc<Inner>>,
    uri: Uri,
    headers: HeaderMap,
    Query(pairs): Query<Pairs>,
) -> Response {
    let world = inner.world();
    let asked = match read(&world, pairs) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    if asked.pairs.contains_key("sandbox_deny") {
        return refused(&asked);
    }
    let first = asked.accounts.first().cloned();
    if asked.pairs.contains_key("sandbox_approve") {
        drop(world);
        return match first {
            Some(account) => agreed(&inner, asked, account),
            None => refused(&asked),
        };
    }
    let shell = Shell::new(&headers, &uri);
    let Some(module) = world.channels.get(&asked.module) else { return refused(&asked) };
    let account = |id: &String| {
        let channel = world.channels.get(id)?;
        let (face, basic_id) = (Face::of_channel(channel), channel.basic_id.clone());
        Some(Account { channel: id.clone(), face, basic_id })
    };
    let page = AttachPage {
        app: Face::of_channel(module),
        accounts: asked.accounts.iter().filter_map(account).collect(),
        scopes: asked.scopes.iter().map(|scope| scope_name(&shell.words, scope)).collect(),
        hidden: &asked.pairs,
        frame: &shell,
    };
    ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], draw(StatusCode::OK, &page)).into_response()
}

/// The admin's answer: `account` and `answer=agree`, or anything else for no.
async fn answer(State(inner): State<Arc<Inner>>, Form(mut pairs): Form<Pairs>) -> Response {
    let [account, answer] = OWN.map(|name| pairs.remove(name).unwrap_or_default());
    let asked = match read(&inner.world(), pairs) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    if answer == "agree" && asked.accounts.contains(&account) {
        agreed(&inner, asked, account)
    } else {
        refused(&asked)
    }
}

/// Back to the module with a code, by a redirect that turns a form into a plain visit.
fn agreed(inner: &Inner, asked: Asked, account: String) -> Response {
    let at = inner.clock.now();
    let text = inner.ids.token(3);
    let code =
        Code { account, module: asked.module.clone(), scopes: asked.scopes.clone(), asked: asked.pairs, at };
    let state = code.asked.get("state").cloned().unwrap_or_default();
    inner.world().modules.codes.insert(text.clone(), code);
    back(asked.redirect, &[("code", &text), ("state", &state)])
}

fn refused(asked: &Asked) -> Response {
    error(asked.redirect.clone(), &asked.pairs, "access_denied", "The admin did not agree")
}

fn error(redirect: Url, pairs: &Pairs, error: &str, description: &str) -> Response {
    let state = pairs.get("state").map(String::as_str).unwrap_or_default();
    back(redirect, &[("error", error), ("error_description", description), ("state", state)])
}

fn back(mut redirect: Url, pairs: &[(&str, &str)]) -> Response {
    redirect.query_pairs_mut().extend_pairs(pairs);
    let headers: [(HeaderName, String); 1] = [(header::LOCATION, redirect.into())];
    (StatusCode::FOUND, headers).into_response()
}

/// Reads the query. An unknown module or redirect address is told here, everything else there.
fn read(world: &World, pairs: Pairs) -> Result<Asked, Box<Response>> {
    let text = |name: &str| pairs.get(name).map(String::as_str).unwrap_or_default();
    let bad = |what: &'static str| Err(Box::new((StatusCode::BAD_REQUEST, what).into_response()));
    let module = world.channels.get(text("client_id")).filter(|channel| channel.kind == Kind::Module);
    let Some(module) = module else { return bad("400 Bad Request: client_id is no module channel") };
    let registered = module.settings.callback_urls.iter().any(|url| url == text("redirect_uri"));
    let redirect = Url::parse(text("redirect_uri")).ok().filter(|_| registered);
    let Some(redirect) = redirect else { return bad("400 Bad Request: redirect_uri is not registered") };
    let wrong = |what: &str| Err(Box::new(error(redirect.clone(), &pairs, "invalid_request", what)));
    if text("response_type") != "code" {
        return wrong("response_type must be code");
    }
    if text("state").is_empty() {
        return wrong("state is required");
    }
    let scopes: Vec<String> =
        text("scope").split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    if scopes.is_empty() || scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        let response = error(redirect.clone(), &pairs, "invalid_scope", "scope is missing or unknown");
        return Err(Box::new(response));
    }
    if pairs.contains_key("code_challenge") && text("code_challenge_method") != "S256" {
        return wrong("code_challenge_method must be S256");
    }
    let kinds: Vec<&str> = text("brand_type").split(' ').filter(|kind| !kind.is_empty()).collect();
    let fits = |channel: &&Channel| {
        channel.kind == Kind::Messaging
            && pairs.get("region").is_none_or(|region| channel.country == *region)
            && pairs.get("basic_search_id").is_none_or(|id| channel.basic_id == *id)
            && (kinds.is_empty() || kinds.contains(&channel.settings.account_type.as_str()))
    };
    let accounts = world.channels.values().filter(fits).map(|channel| channel.id.clone()).collect();
    Ok(Asked { module: module.id.clone(), redirect, scopes, accounts, pairs })
}

/// What a scope allows, in the reader's words.
fn scope_name(words: &Words, scope: &str) -> String {
    match scope {
        "message:send" => words.say("module-scope-send"),
        "message:receive" => words.say("module-scope-receive"),
        "account:manage" => words.say("module-scope-account"),
        "profile:read" => words.say("module-scope-profile"),
        "coupon:manage" => words.say("module-scope-coupon"),
        "message:mark_as_read" => words.say("module-scope-read"),
        "message:templated_pnp" => words.say("module-scope-pnp"),
        _ => words.say("module-scope-crm"),
    }
}
