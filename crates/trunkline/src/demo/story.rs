//! The tea shop 山嵐茶行 and what five friends wrote to it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use super::{picture, systems};
use crate::http::{Client, items, text};

pub(super) const SHOP: &str = "山嵐茶行";
const FRIENDS: [&str; 5] = ["林小晴", "陳柏宇", "王思妤", "張家豪", "吳雅婷"];
/// How long the hub may take for one step of the story.
const PATIENCE: Duration = Duration::from_secs(15);

/// Makes the shop and its friends at the sandbox, connects the account and plays the history; gives the path of the first
/// friend's phone.
///
/// A hub that knows the account from an earlier run keeps its own history: the phones are new then, and start empty.
pub(super) async fn tell(sandbox: &Client, api: &Client, others: &Url) -> anyhow::Result<String> {
    // The same acts in the same order give the same ids in every run; so a kept hub meets the same account and people.
    let provider = text(&sandbox.post("/providers", json!({ "name": SHOP })).await?, "/providerId")?;
    let channel =
        json!({ "providerId": provider, "type": "messaging", "name": SHOP, "basicId": "@yamaarashi" });
    let made = sandbox.post("/channels", channel).await?;
    let channel = text(&made, "/channelId")?;
    let mut friends = Vec::new();
    for name in FRIENDS {
        let made = sandbox.post("/users", json!({ "displayName": name, "language": "zh-TW" })).await?;
        let external = text(&made, &format!("/userId/{provider}"))?;
        friends.push(Friend { user: text(&made, "/user")?, external });
    }
    let [qing, bo, yu, hao, ting] = friends.as_slice() else { bail!("five friends") };
    let phone = format!("/phone/{}/{channel}", qing.user);

    let console = json!({ "useWebhook": true, "redelivery": true, "greeting": false, "autoReply": false,
        "chatMode": "bot", "groupChats": true, "monthlyQuota": 200 });
    let settings = format!("/channels/{channel}");
    let known = api.get("/accounts").await?;
    if let Some(account) =
        items(&known).iter().find(|account| account.get("status") != Some(&json!("disconnected")))
    {
        let endpoint = text(account, "/webhook_url")?;
        for friend in &friends {
            sandbox.post(&format!("/users/{}/follow", friend.user), json!({ "channelId": channel })).await?;
        }
        sandbox.patch(&settings, json!({ "webhookEndpoint": endpoint })).await?;
        sandbox.patch(&settings, console).await?;
        login(sandbox, api, (&provider, &channel), account).await?;
        systems::relay_to(api, &text(account, "/id")?, others).await?;
        return Ok(phone);
    }
    sandbox.patch(&settings, console).await?;
    let secret = text(&made, "/channelSecret")?;
    let connect = json!({ "messenger": "line", "channel_id": channel, "channel_secret": secret });
    let connected = api.post("/accounts", connect).await?;
    let account = text(&connected, "/id")?;
    login(sandbox, api, (&provider, &channel), &connected).await?;
    systems::relay_to(api, &account, others).await?;

    let tale = Tale { sandbox, api, channel: &channel, account: &account };
    for friend in &friends {
        sandbox.post(&format!("/users/{}/follow", friend.user), json!({ "channelId": channel })).await?;
    }

    tale.says(ting, words("請問你們週日有營業嗎？")).await?;
    tale.answers(Some(ting), &[words("有的，週日 10:00–18:00，歡迎來店裡試茶 🍵")]).await?;
    tale.says(ting, words("太好了，謝謝！")).await?;
    tale.says(ting, json!({ "type": "sticker", "packageId": "446", "stickerId": "1988" })).await?;

    tale.says(hao, words("你好，我想訂中秋禮盒 20 盒，可以開三聯式發票嗎？")).await?;
    tale.answers(Some(hao), &[words("可以的！請給我們抬頭和統編，另外想確認送達日期。"), dates()]).await?;
    tale.says(hao, words("9/20 前到公司就可以")).await?;
    tale.says(
        hao,
        json!({ "type": "location", "title": "嵐海科技", "address": "台北市內湖區瑞光路 513 巷 22 號",
            "latitude": 25.0799, "longitude": 121.5706 }),
    )
    .await?;

    tale.says(yu, words("上次買的阿里山烏龍好香，想再帶兩罐")).await?;
    tale.says(yu, words("地址打錯了，我重打")).await?;
    tale.takes_back(yu).await?;
    tale.says(yu, words("寄到板橋店取貨就好，謝謝～")).await?;
    tale.answers(Some(yu), &[order()]).await?;

    let group = json!({ "name": "公司下午茶團", "channelId": channel, "members": [bo.user, yu.user] });
    let group = text(&sandbox.post("/groups", group).await?, "/groupId")?;
    tale.says_in(&group, bo, words("大家今天要喝什麼？三點前跟我說")).await?;
    tale.says_in(&group, yu, words("我要四季春，半糖少冰")).await?;
    tale.says_in(&group, bo, words("@山嵐茶行 先訂 6 杯冷泡，可以外送嗎？")).await?;
    tale.answers(None, &[words("可以外送！滿 5 杯免運，三點準時送到 🚲")]).await?;

    tale.says(bo, words("這款現在還有貨嗎？")).await?;
    let picture = STANDARD.encode(picture::tea()?);
    tale.says(bo, json!({ "type": "image", "contentBase64": picture })).await?;

    tale.says(qing, words("你好～請問今天還有冷泡東方美人嗎？")).await?;
    tale.answers(Some(qing), &[words("有的！今天還剩 12 瓶，要幫您保留嗎？"), choices()]).await?;
    tale.says(qing, words("幫我留 2 瓶")).await?;
    tale.says(qing, words("大概六點過去拿，可以嗎？")).await?;
    Ok(phone)
}

/// The shop's LINE Login channel, under the same provider and linked to the account; of its own ID and secret, so that a
/// kept hub meets it again.
async fn login(
    sandbox: &Client,
    api: &Client,
    (provider, channel): (&str, &str),
    account: &Value,
) -> anyhow::Result<()> {
    let (id, secret) = ("1657009100", "5e1f0a7c2b9d4e63a8f1c0d7b6e5a492");
    let made = json!({ "providerId": provider, "type": "login", "name": SHOP, "channelId": id, "channelSecret": secret });
    sandbox.post("/channels", made).await?;
    let console = json!({ "published": true, "linkedBotChannelId": channel,
        "callbackUrls": [text(account, "/login/callback_url")?] });
    sandbox.patch(&format!("/channels/{id}"), console).await?;
    let saved = json!({ "login_channel_id": id, "login_channel_secret": secret });
    api.patch(&format!("/accounts/{}", text(account, "/id")?), saved).await.map(|_| ())
}

/// A friend, by the sandbox's name and by LINE's id.
struct Friend {
    user: String,
    external: String,
}

struct Tale<'a> {
    sandbox: &'a Client,
    api: &'a Client,
    channel: &'a str,
    account: &'a str,
}

impl Tale<'_> {
    async fn says(&self, friend: &Friend, message: Value) -> anyhow::Result<()> {
        self.acts(friend, "messages", json!({ "channelId": self.channel, "message": message })).await
    }

    async fn says_in(&self, group: &str, friend: &Friend, message: Value) -> anyhow::Result<()> {
        self.acts(
            friend,
            "messages",
            json!({ "channelId": self.channel, "message": message, "group": group }),
        )
        .await
    }

    /// A friend does something, and the hub's consumers have seen it.
    async fn acts(&self, friend: &Friend, what: &str, body: Value) -> anyhow::Result<()> {
        let done = self.sandbox.post(&format!("/users/{}/{what}", friend.user), body).await?;
        let path = format!("/events?webhook_event_id={}", text(&done, "/webhookEventId")?);
        wait("an event is processed", async || {
            let events = self.api.get(&path).await?;
            let consumers = items(&events).first().and_then(|event| event.get("consumers")?.as_object());
            Ok(consumers.filter(|consumers| consumers.values().all(|state| state == "done")).map(|_| ()))
        })
        .await
    }

    /// The friend takes the last message back.
    async fn takes_back(&self, friend: &Friend) -> anyhow::Result<()> {
        let address = format!("/users/{}/timeline?channelId={}", friend.user, self.channel);
        let shown = self.sandbox.get(&address).await?;
        let last = items(&shown).last().context("nothing was said")?;
        let body = json!({ "channelId": self.channel, "messageId": text(last, "/messageId")? });
        self.acts(friend, "unsend", body).await
    }

    /// Mei answers a friend (the group where `None`), and waits until LINE has it.
    async fn answers(&self, friend: Option<&Friend>, messages: &[Value]) -> anyhow::Result<()> {
        let conversation = self.conversation(friend).await?;
        let path = format!("/conversations/{conversation}/messages");
        let queued = self.api.post(&path, json!({ "messages": messages, "allow_paid": true })).await?;
        let last = items(&queued).last().context("nothing was queued")?;
        let id = text(last, "/id")?;
        wait("an answer is sent", async || {
            let listed = self.api.get(&format!("{path}?limit=20")).await?;
            let sent = items(&listed).iter().find(|message| message.get("id") == Some(&json!(id)));
            match sent.and_then(|message| message.pointer("/delivery/state")).and_then(Value::as_str) {
                Some("sent") => Ok(Some(())),
                Some("failed" | "unknown") => bail!("an answer was not sent: {listed}"),
                _ => Ok(None),
            }
        })
        .await
    }

    /// The conversation with a friend, or of the group.
    async fn conversation(&self, friend: Option<&Friend>) -> anyhow::Result<String> {
        let account = self.account;
        let contacts = self.api.get(&format!("/contacts?account_id={account}")).await?;
        let known = friend.map(|friend| json!(friend.external));
        let contact = items(&contacts).iter().find(|contact| contact.get("external_id") == known.as_ref());
        let id = contact.and_then(|contact| contact.get("id"));
        let conversations = self.api.get(&format!("/conversations?account_id={account}")).await?;
        let found = items(&conversations).iter().find(|conversation| match friend {
            Some(_) => id.is_some() && conversation.pointer("/contact/id") == id,
            None => conversation.get("kind") == Some(&json!("group")),
        });
        text(found.context("a conversation is missing")?, "/id")
    }
}

/// Asks again and again until there is an answer.
async fn wait<T>(what: &str, mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.with_context(|| format!("waited too long until {what}"))?
}

fn words(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// Words with quick replies under them.
fn choices() -> Value {
    let choice = |label: &str, text: &str| json!({ "type": "action", "action": { "type": "message", "label": label, "text": text } });
    json!({ "type": "text", "text": "請選擇數量，或直接打字告訴我們：",
        "quickReply": { "items": [choice("1 瓶", "幫我留 1 瓶"), choice("2 瓶", "幫我留 2 瓶"), choice("半打", "幫我留半打")] } })
}

fn dates() -> Value {
    json!({ "type": "template", "altText": "請選擇送達日期", "template": {
        "type": "buttons", "title": "中秋禮盒", "text": "希望哪一天送達？", "actions": [
            { "type": "datetimepicker", "label": "選日期", "data": "gift=date", "mode": "date" },
            { "type": "message", "label": "先問運費", "text": "請問 20 盒運費怎麼算？" } ] } })
}

/// An order as a Flex bubble.
fn order() -> Value {
    let line = |name: &str, price: &str| {
        json!({ "type": "box", "layout": "horizontal", "contents": [
            { "type": "text", "text": name, "size": "sm", "color": "#555555", "flex": 3 },
            { "type": "text", "text": price, "size": "sm", "color": "#111111", "align": "end", "flex": 2 } ] })
    };
    json!({ "type": "flex", "altText": "訂單 A-1024：阿里山烏龍 2 罐，共 NT$ 960", "contents": {
        "type": "bubble", "size": "kilo",
        "header": { "type": "box", "layout": "vertical", "backgroundColor": "#2f6b4f", "contents": [
            { "type": "text", "text": "訂單 A-1024", "color": "#ffffff", "weight": "bold", "size": "lg" },
            { "type": "text", "text": "板橋店取貨", "color": "#d7e8df", "size": "sm" } ] },
        "body": { "type": "box", "layout": "vertical", "spacing": "md", "contents": [
            line("阿里山烏龍 150g × 2", "NT$ 960"), line("運費", "免運"), { "type": "separator" },
            line("合計", "NT$ 960") ] },
        "footer": { "type": "box", "layout": "horizontal", "spacing": "sm", "contents": [
            { "type": "button", "style": "primary", "color": "#2f6b4f", "height": "sm",
              "action": { "type": "postback", "label": "確認", "data": "order=ok", "displayText": "確認訂單" } },
            { "type": "button", "style": "secondary", "height": "sm",
              "action": { "type": "message", "label": "修改", "text": "我想修改訂單" } } ] } } })
}
