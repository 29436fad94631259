//! What OA Manager answers by itself: a greeting to whoever becomes a friend, and auto-replies to messages (PLATFORM 22, 26;
//! GOTCHAS F5). Both are on for a new account, cost nothing, and the API sees nothing of them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router, extract};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Inner;
use crate::clock::region_hours;
use crate::control::input::{Fields, Problem, messaging_channel};
use crate::line::target::Target;
use crate::messages::Via;
use crate::sends::Counted;
use crate::world::{Channel, Chat, World};

/// The answers that somebody has changed, by channel; the others have LINE's defaults.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    channels: HashMap<String, Responses>,
}

/// The response settings of one account, beside the switches in its channel's settings.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Responses {
    /// The greeting; `None` is the default text of the account's country.
    pub(crate) greeting: Option<String>,
    /// The auto-replies in order; `None` is the one default text of the account's country, for every message.
    pub(crate) replies: Option<Vec<Reply>>,
    /// When people answer; `None` is no response hours.
    pub(crate) hours: Option<Hours>,
    /// When auto-replies are sent; without hours always.
    pub(crate) when: When,
}

/// An auto-reply.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The words it answers: the message must be one of them exactly, as in OA Manager. Empty: it answers every message that
    /// no keyword answers.
    pub(crate) keywords: Vec<String>,
    pub(crate) text: String,
}

/// Response hours in the account's region.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hours {
    /// Days of the week, Monday is 1.
    pub(crate) days: Vec<u64>,
    /// Minutes after midnight; `to` lies after `from`.
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// When auto-replies are sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum When {
    #[default]
    Always,
    Inside,
    Outside,
}

const WHEN: [(&str, When); 3] =
    [("always", When::Always), ("inside", When::Inside), ("outside", When::Outside)];

/// The names that stand for the friend and the account in a text, as in OA Manager.
const NICKNAME: &str = "{Nickname}";
const ACCOUNT: &str = "{AccountName}";
/// LINE's limit of a text in OA Manager, in characters.
const TEXT_LIMIT: usize = 500;

impl When {
    pub(crate) fn name(self) -> &'static str {
        WHEN.iter().find(|(_, when)| *when == self).map_or("", |(name, _)| name)
    }
}

impl Hours {
    /// Tells whether `now` (Unix milliseconds) lies in these hours of the country.
    fn hold(&self, now: i64, country: &str) -> bool {
        let minutes = (now / 60_000 + region_hours(country) * 60).rem_euclid(7 * 24 * 60);
        // 1970-01-01 was a Thursday.
        let day = u64::try_from((minutes / (24 * 60) + 3) % 7 + 1).unwrap_or_default();
        let minute = minutes % (24 * 60);
        self.days.contains(&day) && (self.from..self.to).contains(&minute)
    }
}

impl Responses {
    /// The greeting in force.
    pub(crate) fn greeting(&self, country: &str) -> String {
        self.greeting.clone().unwrap_or_else(|| default_greeting(country).to_owned())
    }

    /// The auto-replies in force.
    pub(crate) fn replies(&self, country: &str) -> Vec<Reply> {
        let default = || vec![Reply { keywords: Vec::new(), text: default_reply(country).to_owned() }];
        self.replies.clone().unwrap_or_else(default)
    }

    fn answers_at(&self, now: i64, country: &str) -> bool {
        match (&self.hours, self.when) {
            (None, _) | (_, When::Always) => true,
            (Some(hours), When::Inside) => hours.hold(now, country),
            (Some(hours), When::Outside) => !hours.hold(now, country),
        }
    }

    fn to_json(&self, country: &str) -> Value {
        let replies = self.replies(country);
        json!({
            "greetingText": self.greeting(country),
            "autoReplies": replies.iter().map(|reply| json!({ "keywords": reply.keywords, "text": reply.text })).collect::<Vec<_>>(),
            "responseHours": self.hours.as_ref().map(|hours| json!({
                "days": hours.days, "from": clock_text(hours.from), "to": clock_text(hours.to),
            })),
            "autoReplyWhen": self.when.name(),
        })
    }
}

impl State {
    pub(crate) fn of(&self, channel: &str) -> Responses {
        self.channels.get(channel).cloned().unwrap_or_default()
    }
}

/// LINE greets in the language of the account's country; the words are ours.
fn default_greeting(country: &str) -> &'static str {
    match country {
        "TW" => {
            "{Nickname}，您好！\n我是{AccountName}。\n謝謝您加我為好友，最新消息會從這裡傳給您。\n如果覺得通知太多，可以在這個聊天室把通知關掉。"
        }
        "JP" => {
            "{Nickname}さん、はじめまして！\n{AccountName}です。\n友だち追加ありがとうございます。これからお知らせをお届けします。\n通知が多いと感じたら、このトークの通知をオフにしてください。"
        }
        "TH" => {
            "สวัสดีคุณ {Nickname}\nเราคือ {AccountName}\nขอบคุณที่เพิ่มเราเป็นเพื่อน เราจะส่งข่าวสารให้คุณทางนี้\nหากการแจ้งเตือนมากเกินไป ปิดการแจ้งเตือนของแชทนี้ได้"
        }
        _ => {
            "Hi {Nickname}!\nThis is {AccountName}.\nThank you for adding us as a friend. We will send our news here.\nIf it gets too much, you can mute this chat."
        }
    }
}

/// LINE's auto-reply says that nobody reads along; the words are ours.
fn default_reply(country: &str) -> &'static str {
    match country {
        "TW" => "謝謝您的訊息！\n很抱歉，這個帳號無法一一回覆，敬請留意我們之後傳送的消息。",
        "JP" => {
            "メッセージありがとうございます！\n申し訳ありませんが、このアカウントでは個別のお返事ができません。次のお知らせをお待ちください。"
        }
        "TH" => "ขอบคุณสำหรับข้อความ\nขออภัย บัญชีนี้ไม่สามารถตอบกลับเป็นรายบุคคลได้ โปรดรอติดตามข่าวสารจากเรา",
        _ => {
            "Thank you for your message!\nUnfortunately this account cannot answer individually. Please look out for our next news."
        }
    }
}

impl Inner {
    /// Greets a new friend, or one who lifted the block, when the account is set so.
    pub(crate) fn greet(&self, world: &mut World, channel_id: &str, person: u64) {
        let Some(channel) = world.channels.get(channel_id).filter(|channel| channel.settings.greeting) else {
            return;
        };
        let text = world.manager.of(channel_id).greeting(&channel.country);
        self.say_as_manager(world, channel_id, person, &text, Counted::Welcome);
    }

    /// Answers a message in a person's own chat; in groups OA Manager keeps silent. `text` is `None` for what is not text,
    /// which only a reply to every message answers (LINE does not say; UNCONFIRMED).
    pub(crate) fn auto_reply(&self, world: &mut World, channel_id: &str, person: u64, text: Option<&str>) {
        let now = self.clock.now();
        let Some(channel) = world.channels.get(channel_id).filter(|channel| channel.settings.auto_reply)
        else {
            return;
        };
        let responses = world.manager.of(channel_id);
        if !responses.answers_at(now, &channel.country) {
            return;
        }
        let replies = responses.replies(&channel.country);
        let wanted = text.map(str::trim);
        let keyword = replies
            .iter()
            .find(|reply| reply.keywords.iter().any(|keyword| Some(keyword.as_str()) == wanted));
        let any: Vec<&Reply> = replies.iter().filter(|reply| reply.keywords.is_empty()).collect();
        // Among several answers to every message, LINE sends one at random.
        let one = || any.get(usize::try_from(self.ids.next() % any.len().max(1) as u64).ok()?).copied();
        if let Some(reply) = keyword.or_else(one) {
            self.say_as_manager(world, channel_id, person, &reply.text.clone(), Counted::AutoResponse);
        }
    }

    fn say_as_manager(&self, world: &mut World, channel_id: &str, person: u64, text: &str, way: Counted) {
        world.sends.count(channel_id, way, 1, self.clock.now());
        let name = |channel: &Channel| channel.name.clone();
        let account = world.channels.get(channel_id).map(name).unwrap_or_default();
        let nickname = world.people.get(&person).map(|person| person.name.clone()).unwrap_or_default();
        let text = text.replace(ACCOUNT, &account).replace(NICKNAME, &nickname);
        let target = Target { chat: Chat::single(channel_id, person), cost: 0, delivered: true };
        self.post_messages(
            world,
            channel_id,
            &target,
            &[json!({ "type": "text", "text": text })],
            Via::Manager,
        );
    }
}

/// The control paths.
pub(crate) fn routes() -> Router<Arc<Inner>> {
    Router::new().route("/channels/{channel}/responses", get(show).patch(change))
}

type Answer = Result<Json<Value>, Problem>;

async fn show(extract::State(inner): extract::State<Arc<Inner>>, Path(id): Path<String>) -> Answer {
    let world = inner.world();
    let id = known(&world, &id)?;
    Ok(Json(world.manager.of(&id).to_json(&country(&world, &id))))
}

/// Changes what is named; `null` brings back LINE's default.
async fn change(
    extract::State(inner): extract::State<Arc<Inner>>,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let mut world = inner.world();
    let id = known(&world, &id)?;
    let names = ["greetingText", "autoReplies", "responseHours", "autoReplyWhen"];
    if let Some(unknown) = body.names().find(|name| !names.contains(name)) {
        return Err(Problem::field(
            unknown,
            format!("is not a response setting; they are: {}", names.join(", ")),
        ));
    }
    let mut responses = world.manager.of(&id);
    if body.has("greetingText") {
        responses.greeting = match body.value("greetingText") {
            Some(_) => Some(short_text(&body, "greetingText")?),
            None => None,
        };
    }
    if body.has("autoReplies") {
        responses.replies = match body.value("autoReplies") {
            Some(_) => Some(body.objects("autoReplies", read_reply)?),
            None => None,
        };
    }
    if body.has("responseHours") {
        responses.hours = match body.value("responseHours") {
            Some(_) => Some(body.nested("responseHours", read_hours)?),
            None => None,
        };
    }
    if let Some(word) = body.word("autoReplyWhen", &WHEN.map(|(name, _)| name))? {
        responses.when =
            WHEN.iter().find(|(name, _)| *name == word).map(|(_, when)| *when).unwrap_or_default();
    }
    let answer = responses.to_json(&country(&world, &id));
    world.manager.channels.insert(id, responses);
    Ok(Json(answer))
}

fn known(world: &World, id: &str) -> Result<String, Problem> {
    messaging_channel(world, id)
        .map_err(|_| Problem::not_found(format!("there is no messaging channel {id}")))
}

fn country(world: &World, id: &str) -> String {
    world.channels.get(id).map(|channel| channel.country.clone()).unwrap_or_default()
}

fn short_text(fields: &Fields, field: &str) -> Result<String, Problem> {
    let text = fields.text(field)?;
    match text.chars().count() <= TEXT_LIMIT {
        true => Ok(text),
        false => Err(Problem::field(field, format!("must not be longer than {TEXT_LIMIT} characters"))),
    }
}

fn read_reply(fields: &Fields) -> Result<Reply, Problem> {
    let keywords = fields.texts("keywords")?;
    let keywords =
        keywords.iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    Ok(Reply { keywords, text: short_text(fields, "text")? })
}

fn read_hours(fields: &Fields) -> Result<Hours, Problem> {
    let wrong = || Problem::field("days", "must be an array of days of the week, 1 (Monday) to 7");
    let days = fields.value("days").and_then(Value::as_array).ok_or_else(wrong)?;
    let days = days.iter().map(|day| day.as_u64().filter(|day| (1..=7).contains(day)).ok_or_else(wrong));
    let days = days.collect::<Result<Vec<_>, _>>()?;
    let (from, to) = (read_clock(fields, "from")?, read_clock(fields, "to")?);
    if days.is_empty() {
        return Err(wrong());
    }
    if from >= to {
        return Err(Problem::field("to", "must be later than from"));
    }
    Ok(Hours { days, from, to })
}

/// A time of day as `HH:MM`, `24:00` included, in minutes.
fn read_clock(fields: &Fields, field: &str) -> Result<i64, Problem> {
    let text = fields.text(field)?;
    let minutes = text.split_once(':').and_then(|(hours, minutes)| {
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        let sound = (0..=24).contains(&hours) && (0..60).contains(&minutes);
        sound.then(|| hours * 60 + minutes).filter(|all| *all <= 24 * 60)
    });
    minutes.ok_or_else(|| Problem::field(field, "must be a time of day, HH:MM"))
}

/// Minutes after midnight as `HH:MM`.
pub(crate) fn clock_text(minutes: i64) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 22: the account's region decides the time.
    #[test]
    fn hours_are_those_of_the_region() {
        let office = Hours { days: vec![1, 2, 3, 4, 5], from: 9 * 60, to: 18 * 60 };
        // 2026-01-01 was a Thursday; 01:30 UTC is 09:30 in Taipei and 08:30 in Bangkok.
        let thursday = 1_767_225_600_000 + 90 * 60_000;
        assert!(office.hold(thursday, "TW"));
        assert!(!office.hold(thursday, "TH"));
        assert!(!office.hold(thursday + 2 * 24 * 3_600_000, "TW"), "Saturday");
        assert!(!office.hold(thursday + 9 * 3_600_000, "TW"), "after 18:00");
    }
}
