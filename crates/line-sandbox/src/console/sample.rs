//! A shop to start with, made by the same calls as any other.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::Inner;
use crate::console::bridge::call;
use crate::control::input::{Fields, Problem};

/// The shop in one language: country, shop, Login channel, group, and people with what they say first.
struct Story {
    country: &'static str,
    language: &'static str,
    shop: &'static str,
    login: &'static str,
    group: &'static str,
    people: [(&'static str, &'static str, &'static str); 3],
}

const STORIES: [(&str, Story); 4] = [
    (
        "zh-Hant",
        Story {
            country: "TW",
            language: "zh-TW",
            shop: "山嵐茶行",
            login: "山嵐茶行會員",
            group: "下午茶團",
            people: [
                ("林小晴", "今天也要喝茶", "請問高山烏龍還有貨嗎？"),
                ("陳柏宇", "", "你好，我想訂十杯，下午三點到可以嗎？"),
                ("王思妤", "出國中，晚點回", "有冷泡茶嗎 🍵"),
            ],
        },
    ),
    (
        "ja",
        Story {
            country: "JP",
            language: "ja",
            shop: "さくら茶房",
            login: "さくら茶房 会員",
            group: "お茶の会",
            people: [
                ("佐藤 美咲", "今日もお茶日和", "ほうじ茶の在庫はありますか？"),
                ("鈴木 健太", "", "10個まとめて注文したいのですが、15時に間に合いますか？"),
                ("高橋 陽菜", "旅行中です", "水出し茶はありますか 🍵"),
            ],
        },
    ),
    (
        "th",
        Story {
            country: "TH",
            language: "th",
            shop: "บ้านชาดอย",
            login: "สมาชิกบ้านชาดอย",
            group: "กลุ่มชายามบ่าย",
            people: [
                ("มะลิ", "ดื่มชาทุกวัน", "ชาอู่หลงยังมีอยู่ไหมคะ"),
                ("ธนา", "", "อยากสั่งสิบแก้ว ส่งบ่ายสามได้ไหมครับ"),
                ("พิมพ์", "ไปเที่ยวอยู่", "มีชาสกัดเย็นไหมคะ 🍵"),
            ],
        },
    ),
    (
        "en",
        Story {
            country: "US",
            language: "en",
            shop: "Mistfall Tea",
            login: "Mistfall members",
            group: "Afternoon tea",
            people: [
                ("Hannah Lin", "Tea first", "Do you still have the high mountain oolong?"),
                ("Ben Okafor", "", "Hello, can you deliver ten cups by three this afternoon?"),
                ("Mara Silva", "Travelling", "Do you sell cold brew? 🍵"),
            ],
        },
    ),
];

/// Makes a provider with an account, a Login channel tied to it, three friends and a group. Gives their ids.
pub(super) async fn create(State(inner): State<Arc<Inner>>, body: Fields) -> Result<Json<Value>, Problem> {
    let language = body.word("language", &STORIES.map(|(code, _)| code))?.unwrap_or_else(|| "en".into());
    let [.., (_, last)] = STORIES;
    let story = STORIES.into_iter().find(|(code, _)| *code == language).map_or(last, |(_, story)| story);
    let provider = make(&inner, "/providers", json!({ "name": story.shop })).await?;
    let id = provider.get("providerId").cloned().unwrap_or_default();
    let shop = json!({ "providerId": id, "type": "messaging", "name": story.shop, "country": story.country });
    let shop = make(&inner, "/channels", shop).await?.get("channelId").cloned().unwrap_or_default();
    let login = json!({ "providerId": id, "type": "login", "name": story.login, "country": story.country });
    let login = make(&inner, "/channels", login).await?.get("channelId").cloned().unwrap_or_default();
    for (channel, settings) in
        [(&shop, json!({ "groupChats": true })), (&login, json!({ "linkedBotChannelId": shop }))]
    {
        let path = format!("/channels/{}", channel.as_str().unwrap_or_default());
        done(call(&inner, "PATCH", &path, &settings).await)?;
    }
    let mut users = Vec::new();
    for (name, status, words) in story.people {
        let person = json!({ "displayName": name, "language": story.language, "statusMessage": status });
        let user = make(&inner, "/users", person).await?.get("user").cloned().unwrap_or_default();
        let path = format!("/users/{}", user.as_str().unwrap_or_default());
        make(&inner, &format!("{path}/follow"), json!({ "channelId": shop })).await?;
        let message = json!({ "type": "text", "text": words });
        make(&inner, &format!("{path}/messages"), json!({ "channelId": shop, "message": message })).await?;
        users.push(user);
    }
    let group = json!({ "name": story.group, "channelId": shop, "members": users });
    let group = make(&inner, "/groups", group).await?.get("groupId").cloned().unwrap_or_default();
    Ok(Json(json!({
        "providerId": id, "channelId": shop, "loginChannelId": login, "users": users, "groupId": group,
    })))
}

async fn make(inner: &Arc<Inner>, path: &str, body: Value) -> Result<Value, Problem> {
    done(call(inner, "POST", path, &body).await)
}

/// A call's answer, or what it was refused for.
fn done((status, answer): (axum::http::StatusCode, Value)) -> Result<Value, Problem> {
    let message = answer.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    if status.is_success() { Ok(answer) } else { Err(Problem::new(status, None, message)) }
}
