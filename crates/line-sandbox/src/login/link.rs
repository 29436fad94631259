//! Account linking (PLATFORM 17): a link token for one person, and the page that ends in an `accountLink` event.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use crate::Inner;
use crate::events::{Kind, Origin};
use crate::ids::is_line_id;
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::login::authorize::Parameters;
use crate::login::pages::{self, Shell};
use crate::world::Chat;

/// `POST /v2/bot/user/{userId}/linkToken`.
pub(super) async fn issue(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(user_id): Path<String>,
) -> Result<Json<Value>, LineError> {
    if !is_line_id(&user_id, 'U') {
        return Err(LineError::invalid_parameter("userId"));
    }
    let now = inner.clock.now();
    let mut world = inner.world();
    let provider =
        world.channels.get(&caller.channel).map(|channel| channel.provider.clone()).unwrap_or_default();
    let person = world.person_by_id(&provider, &user_id).ok_or_else(LineError::not_found)?;
    let token = inner.ids.token(3);
    world.login.keep_link(token.clone(), caller.channel, person, now);
    Ok(Json(json!({ "linkToken": token })))
}

/// `GET /dialog/bot/accountLink`: asks who holds the phone; `sandbox_user` answers at once.
pub(super) async fn show(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let shell = Shell::new(&headers, &uri);
    let query = Parameters(query);
    if let Some(user) = query.get("sandbox_user") {
        return link(&inner, &shell, &query, user);
    }
    let world = inner.world();
    let token = query.get("linkToken").unwrap_or_default();
    let known = world.login.link(token, inner.clock.now());
    let found = known.and_then(|link| Some((world.channels.get(&link.channel)?, link.person)));
    match (found, nonce(&query)) {
        (Some((channel, person)), Some(nonce)) => pages::link(&shell, &world, channel, person, token, nonce),
        (None, _) => pages::trouble(&shell, "link-expired"),
        (_, None) => pages::trouble(&shell, "link-bad-nonce"),
    }
}

/// The person presses the button.
pub(super) async fn confirm(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    uri: Uri,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let fields = Parameters(fields);
    link(&inner, &Shell::new(&headers, &uri), &fields, fields.get("user").unwrap_or_default())
}

/// 10 to 255 characters (PLATFORM 17).
fn nonce(query: &Parameters) -> Option<&str> {
    query.get("nonce").filter(|nonce| (10..=255).contains(&nonce.chars().count()))
}

/// Links, or fails when another person than the token's is holding the phone. A token that is over gives a page and no event.
fn link(inner: &Inner, shell: &Shell, query: &Parameters, user: &str) -> Response {
    let Some(nonce) = nonce(query) else { return pages::trouble(shell, "link-bad-nonce") };
    let now = inner.clock.now();
    let mut world = inner.world();
    let Some(person) = world.person(user).map(|person| person.number) else {
        drop(world);
        return pages::trouble(shell, "login-no-person");
    };
    let Some(link) = world.login.use_link(query.get("linkToken").unwrap_or_default(), now) else {
        drop(world);
        return pages::trouble(shell, "link-expired");
    };
    let ok = link.person == person;
    let origin = Origin { chat: Chat::single(&link.channel, link.person), person: ok.then_some(person) };
    let fields = json!({ "link": { "result": if ok { "ok" } else { "failed" }, "nonce": nonce } });
    inner.emit(&mut world, &link.channel, origin, Kind { name: "accountLink", replyable: ok, fields });
    let back = format!("/phone/{user}/{}", link.channel);
    drop(world);
    pages::note(shell, if ok { "link-done" } else { "link-failed" }, Some(back))
}
