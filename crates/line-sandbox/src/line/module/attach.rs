//! Attaching a module with a code, detaching it, and the list of the accounts it is on (PLATFORM 14).

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::Attachment;
use crate::Inner;
use crate::ids::is_line_id;
use crate::line::entry::{JsonBody, ModuleCaller};
use crate::line::error::LineError;
use crate::line::paging::Page;
use crate::line::query::Query;
use crate::world::{Kind, World};

type Answer = Result<Json<Value>, LineError>;

/// How long a code can be used (LINE publishes no figure; the Login channel's, PLATFORM 23).
const CODE_MS: i64 = 10 * 60_000;
/// What the token call must repeat when the authorization address said it.
const REPEATED: [&str; 5] = ["redirect_uri", "region", "basic_search_id", "scope", "brand_type"];

/// Attaches the module with the code of an account's admin. The code is spent also when the call is refused.
pub(super) async fn attach(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Answer {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let now = inner.clock.now();
    let mut world = inner.world();
    let module = client(&world, &headers, &form)?;
    if field("grant_type") != "authorization_code" {
        return Err(LineError::oauth(
            "unsupported_grant_type",
            Some("grant_type must be authorization_code"),
        ));
    }
    let invalid = |what: &str| LineError::oauth("invalid_grant", Some(what));
    let code =
        world.modules.codes.remove(field("code")).ok_or_else(|| invalid("invalid authorization code"))?;
    if code.module != module || code.at + CODE_MS <= now {
        return Err(invalid("invalid authorization code"));
    }
    for name in REPEATED {
        let given = form.get(name).or((name != "redirect_uri").then_some(()).and(code.asked.get(name)));
        if given != code.asked.get(name) {
            return Err(invalid(&format!("{name} does not match")));
        }
    }
    if let Some(challenge) = code.asked.get("code_challenge") {
        let hash = digest::digest(&digest::SHA256, field("code_verifier").as_bytes());
        if URL_SAFE_NO_PAD.encode(hash) != *challenge {
            return Err(invalid("code_verifier does not match"));
        }
    }
    let others = world.modules.attached.get(&code.account).into_iter().flatten();
    let taken = others
        .filter(|other| other.module != module)
        .any(|other| world.modules.is_default_active(&other.module));
    if taken && world.modules.is_default_active(&module) {
        let message = "Another module channel with Default Active is attached to this account";
        return Err(LineError::new(StatusCode::FORBIDDEN, message));
    }
    world.modules.remove(&code.account, &module);
    let attachment = Attachment { module: module.clone(), scopes: code.scopes.clone(), at: now };
    world.modules.attached.entry(code.account.clone()).or_default().push(attachment);
    let bot = world.bot(&code.account);
    let fields = json!({ "module": { "type": "attached", "botId": bot, "scopes": code.scopes } });
    inner.tell_module(&mut world, (&code.account, &module), None, "module", fields);
    Ok(Json(json!({ "bot_id": bot, "scopes": code.scopes })))
}

/// The module channel whose ID and secret the call shows, in the header or in the form.
fn client(world: &World, headers: &HeaderMap, form: &BTreeMap<String, String>) -> Result<String, LineError> {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|text| String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok());
    let in_form = form.get("client_id").cloned().zip(form.get("client_secret").cloned());
    let pair =
        basic.and_then(|text| text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned())));
    let wrong = || {
        LineError::oauth("invalid_client", Some("invalid client credentials"))
            .with_status(StatusCode::FORBIDDEN)
    };
    let (id, secret) = pair.or(in_form).ok_or_else(wrong)?;
    let channel =
        world.channels.get(&id).filter(|channel| channel.kind == Kind::Module && channel.secret == secret);
    channel.map(|channel| channel.id.clone()).ok_or_else(wrong)
}

/// The module leaves an account. No event tells of what the module did itself.
pub(super) async fn detach(
    State(inner): State<Arc<Inner>>,
    caller: ModuleCaller,
    JsonBody(body): JsonBody,
) -> Answer {
    let bot = body.get("botId").and_then(Value::as_str).unwrap_or_default();
    let unknown = || LineError::bad_request("user/group/room Id is not available.");
    let mut world = inner.world();
    if !is_line_id(bot, 'U') {
        return Err(unknown());
    }
    let account = world.account_of_bot(bot).map(|channel| channel.id.clone()).ok_or_else(unknown)?;
    if !world.modules.remove(&account, &caller.channel) {
        return Err(LineError::bad_request("Specified channel is not detachable"));
    }
    Ok(Json(json!({})))
}

/// The accounts that the module is on.
pub(super) async fn list(State(inner): State<Arc<Inner>>, caller: ModuleCaller, query: Query) -> Answer {
    let now = inner.clock.now();
    let name = format!("bots/{}", caller.channel);
    let page = Page::read((query.get("start"), query.get("limit")), &name, (100, 100), now)?;
    let world = inner.world();
    let accounts = world.channels.values();
    let bots: Vec<Value> = accounts
        .filter(|channel| world.modules.attachment(&channel.id, &caller.channel).is_some())
        .map(|channel| {
            let mut bot = json!({
                "userId": channel.bot_user_id,
                "basicId": channel.basic_id,
                "displayName": channel.name,
            });
            if let (Some(url), Some(bot)) = (&channel.picture_url, bot.as_object_mut()) {
                bot.insert("pictureUrl".into(), url.clone().into());
            }
            bot
        })
        .collect();
    let next = page.next(&name, bots.len(), now);
    let shown: Vec<Value> = bots.into_iter().skip(page.from).take(page.limit).collect();
    let mut answer = Map::from_iter([("bots".to_owned(), Value::Array(shown))]);
    if let Some(next) = next {
        answer.insert("next".into(), next.into());
    }
    Ok(Json(Value::Object(answer)))
}
