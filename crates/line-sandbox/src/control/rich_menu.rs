//! What people do with rich menus, and the menu that OA Manager shows by default (PLATFORM 10).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use line_api::validate::picker_value;
use serde_json::{Value, json};

use crate::Inner;
use crate::acts::Draft;
use crate::control::input::{Fields, Pairs, Problem, between, messaging_channel, person};
use crate::events::Queued;
use crate::line::rich_menu::{Image, Menu};

type Answer = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/users/{user}/rich-menu", get(show))
        .route("/users/{user}/rich-menu-taps", post(tap))
        .route("/users/{user}/rich-menu-views", post(view))
        .route("/channels/{channel}/manager-rich-menu", put(set_manager_menu).delete(clear_manager_menu))
}

/// The menu that the person sees in the chat with an account; nulls when there is none.
async fn show(State(inner): State<Arc<Inner>>, Path(user): Path<String>, query: Pairs) -> Answer {
    let world = inner.world();
    let person = person(&world, &user)?.number;
    let channel = query.get("channelId").ok_or_else(|| Problem::field("channelId", "is missing"))?;
    let channel = messaging_channel(&world, channel)?;
    let shown = inner.rich_menu_of(&world, &channel, person);
    Ok(Json(match shown {
        Some(shown) => json!({
            "richMenuId": shown.id,
            "menu": shown.object,
            "image": format!("/phone-rich-menu/{}", shown.id),
        }),
        None => json!({ "richMenuId": null, "menu": null, "image": null }),
    }))
}

/// Taps an area of the menu that the person sees and does its action. Actions of the phone alone (`uri`, `clipboard`, `camera`…)
/// are only answered.
async fn tap(State(inner): State<Arc<Inner>>, Path(user): Path<String>, body: Fields) -> Answer {
    let (person, channel) = between(&inner, &user, &body)?;
    let area = body.whole("area")?.ok_or_else(|| Problem::field("area", "is missing"))?;
    let area = usize::try_from(area).unwrap_or(usize::MAX);
    let now = inner.clock.now();
    let action = inner.world().rich_menus.settled(&channel, now).tap(person, area, now);
    let action =
        action.ok_or_else(|| Problem::field("area", "there is no such area on the menu the person sees"))?;
    let mut answer = json!({ "action": action });
    let mut add = |extra: Value| {
        if let (Some(answer), Value::Object(extra)) = (answer.as_object_mut(), extra) {
            answer.extend(extra);
        }
    };
    let text = |name: &str| action.get(name).and_then(Value::as_str).map(str::to_owned);
    let say = |text: &str| -> Result<Value, Problem> {
        let sent = inner.write(person, &channel, None, Draft::text(text), false)?;
        Ok(
            json!({ "messageId": sent.message_id, "webhookEventId": sent.queued.event_id, "delivered": sent.queued.delivered }),
        )
    };
    let data = text("data").unwrap_or_default();
    match action.get("type").and_then(Value::as_str).unwrap_or_default() {
        "message" => add(say(&text("text").unwrap_or_default())?),
        "postback" => {
            // The old `text` is a real message of the person, beside the postback (PLATFORM 20).
            if let Some(text) = text("text") {
                let sent = say(&text)?;
                add(json!({ "messageId": sent.get("messageId") }));
            }
            add(inner
                .postback(person, &channel, None, json!({ "data": data }), text("displayText"))?
                .to_json());
        }
        "datetimepicker" => {
            let params = picked(&action, &body)?;
            let postback = json!({ "data": data, "params": params });
            add(inner.postback(person, &channel, None, postback, None)?.to_json());
        }
        "richmenuswitch" => {
            let alias = text("richMenuAliasId").unwrap_or_default();
            let (params, queued) = inner.switch_rich_menu(person, &channel, &alias, &data)?;
            add(queued.to_json());
            add(json!({ "params": params }));
        }
        _ => {}
    }
    Ok(Json(answer))
}

/// Counts that the person saw the menu (PLATFORM 12).
async fn view(State(inner): State<Arc<Inner>>, Path(user): Path<String>, body: Fields) -> Answer {
    let (person, channel) = between(&inner, &user, &body)?;
    let now = inner.clock.now();
    let id = inner.world().rich_menus.settled(&channel, now).view(person, now);
    Ok(Json(json!({ "richMenuId": id })))
}

/// Makes the menu that OA Manager shows to all who have no other: `{"menu","contentBase64"}`.
async fn set_manager_menu(
    State(inner): State<Arc<Inner>>,
    Path(channel): Path<String>,
    body: Fields,
) -> Answer {
    let object = Value::Object(body.object("menu")?.into_map());
    line_api::validate::rich_menu(&object).map_err(|refusal| {
        let detail = refusal.details.into_iter().next();
        let property = detail.as_ref().and_then(|detail| detail.property.clone()).unwrap_or_default();
        let message = detail.and_then(|detail| detail.message).unwrap_or(refusal.message);
        Problem::field(&format!("menu.{property}"), message)
    })?;
    let bytes = STANDARD.decode(body.text("contentBase64")?);
    let bytes = bytes.map_err(|_| Problem::field("contentBase64", "is not base64"))?;
    let image = Image::read(bytes.into()).map_err(|_| {
        Problem::field("contentBase64", "must be a JPEG or PNG of at most 1 MB, of a rich menu's size")
    })?;
    let now = inner.clock.now();
    let mut world = inner.world();
    let channel = messaging_channel(&world, &channel)?;
    let menu = Menu::new(&inner.ids.hex32(), &object, now, true, Some(image));
    let answer = json!({ "richMenuId": menu.id() });
    world.rich_menus.settled(&channel, now).set_manager_default(Some(menu));
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(answer))
}

async fn clear_manager_menu(State(inner): State<Arc<Inner>>, Path(channel): Path<String>) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let channel = messaging_channel(&world, &channel)?;
    world.rich_menus.settled(&channel, now).set_manager_default(None);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(json!({})))
}

/// The picked value, within the action's bounds, as `{"date"|"time"|"datetime": …}` (PLATFORM 16, 20).
fn picked(action: &Value, body: &Fields) -> Result<Value, Problem> {
    let text = |name: &str| action.get(name).and_then(Value::as_str).unwrap_or_default();
    let mode = text("mode");
    body.nested("params", |params| {
        let value = picker_value(mode, &params.text(mode)?)
            .ok_or_else(|| Problem::field(mode, "has not the form of the picker's mode"))?;
        let bound = |name: &str| picker_value(mode, text(name));
        if bound("min").is_some_and(|min| value < min) || bound("max").is_some_and(|max| value > max) {
            return Err(Problem::field(mode, "lies outside the picker's bounds"));
        }
        Ok(json!({ mode: value }))
    })
}

impl Inner {
    /// Switches a person's menu through an alias: the link changes and a postback tells it (PLATFORM 10). Gives the postback's
    /// `params`; on failure they name no alias.
    pub(crate) fn switch_rich_menu(
        &self,
        person: u64,
        channel: &str,
        alias: &str,
        data: &str,
    ) -> Result<(Value, Queued), Problem> {
        let now = self.clock.now();
        let params = {
            let mut world = self.world();
            let menus = world.rich_menus.settled(channel, now);
            match menus.alias(alias).map(|id| id.map(str::to_owned)) {
                None => json!({ "status": "RICHMENU_ALIAS_ID_NOTFOUND" }),
                Some(None) => json!({ "status": "RICHMENU_NOTFOUND" }),
                Some(Some(id)) => {
                    menus.link(person, &id);
                    json!({ "newRichMenuAliasId": alias, "status": "SUCCESS" })
                }
            }
        };
        let queued = self.postback(person, channel, None, json!({ "data": data, "params": params }), None)?;
        Ok((params, queued))
    }
}
