//! Bodies of Messaging API answers and of the token endpoints (PLATFORM 4, 6–9), read by the client and written by the sandbox.
//!
//! They read tolerantly: unknown fields are ignored, and a value that LINE adds to one of its lists ends in `Other`
//! with LINE's word kept. A property that LINE leaves out is `None` and is left out again when written.

use serde::{Deserialize, Deserializer, Serialize};

use crate::validate::Detail;

/// A refusal's body: `{"message", "details"?}` (PLATFORM 5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// LINE's text; empty where the answer held none (one insight endpoint answers `"message": null`).
    #[serde(default, deserialize_with = "null_as_default")]
    pub message: String,
    /// Which properties are wrong; LINE leaves the list out when it is empty.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// A refusal's body of the token endpoints: `{"error", "error_description"?}` (PLATFORM 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthError {
    /// `invalid_client`, `invalid_request` …
    pub error: String,
    /// LINE's words, such as `invalid client_secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}

/// Answer of `POST /oauth2/v3/token` and `POST /v2/oauth/accessToken` (PLATFORM 4.1).
///
/// It has no `Debug`: what holds a token is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedToken {
    /// Always `Bearer`.
    pub token_type: String,
    /// The token; opaque, of any length.
    pub access_token: String,
    /// Seconds it lives: 900 for a stateless token, 2,592,000 for a short-lived one.
    pub expires_in: u64,
}

/// Answer of `GET /v2/bot/info` (PLATFORM 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotInfo {
    /// The bot's own user ID, `destination` of its webhooks.
    pub user_id: String,
    /// Basic ID, such as `@216ru…`.
    pub basic_id: String,
    /// Premium ID, where one was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub premium_id: Option<String>,
    /// Name of the official account.
    pub display_name: String,
    /// Profile picture, https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_url: Option<String>,
    /// The Chat switch of OA Manager.
    pub chat_mode: ChatMode,
    /// Who marks messages as read.
    pub mark_as_read_mode: MarkAsReadMode,
}

/// The Chat switch of OA Manager (PLATFORM 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatMode {
    /// Chat is on.
    Chat,
    /// Chat is off.
    Bot,
    /// A word that LINE added later.
    #[serde(untagged)]
    Other(String),
}

/// Who marks messages as read (PLATFORM 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkAsReadMode {
    /// LINE does, at once.
    Auto,
    /// The bot does, by `markAsRead`.
    Manual,
    /// A word that LINE added later.
    #[serde(untagged)]
    Other(String),
}

/// Answer of `GET /v2/bot/channel/webhook/endpoint` (PLATFORM 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEndpoint {
    /// The address that LINE sends to.
    pub endpoint: String,
    /// The "Use webhook" switch, which no API can turn.
    pub active: bool,
}

/// Answer of `POST /v2/bot/channel/webhook/test` (PLATFORM 6). The call's own status is 200 also when the test failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTest {
    /// Whether the address answered 200. The schema does not require it; without it the test counts as failed.
    #[serde(default)]
    pub success: bool,
    /// ISO 8601 with 3 or 6 decimals.
    pub timestamp: String,
    /// The address's HTTP status; zero or negative without an answer.
    pub status_code: i32,
    /// `OK`, `COULD_NOT_CONNECT`, `REQUEST_TIMEOUT`, `ERROR_STATUS_CODE`, `UNCLASSIFIED`.
    pub reason: String,
    /// The status as text, or what went wrong.
    pub detail: String,
}

/// Answer of `GET /v2/bot/profile/{userId}` (PLATFORM 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The friend's name.
    pub display_name: String,
    /// The friend's user ID.
    pub user_id: String,
    /// BCP 47 tag, where the friend agreed to share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Profile picture, https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_url: Option<String>,
    /// The line under the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
}

/// Answer of `GET /v2/bot/{group|room}/{id}/member/{userId}` (PLATFORM 9). Works for members who are no friends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberProfile {
    /// The member's name.
    pub display_name: String,
    /// The member's user ID.
    pub user_id: String,
    /// Profile picture, https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_url: Option<String>,
}

/// Answer of `GET /v2/bot/group/{groupId}/summary` (PLATFORM 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSummary {
    /// The group's ID.
    pub group_id: String,
    /// The group's name.
    pub group_name: String,
    /// The group's picture, https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_url: Option<String>,
}

/// Answer of `GET /v2/bot/{group|room}/{id}/members/count` (PLATFORM 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCount {
    /// Members, without the bot.
    pub count: u64,
}

/// A rich menu in a list of them (PLATFORM 10): what tells it apart, not its areas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RichMenu {
    /// `richmenu-` and 32 hex digits.
    pub rich_menu_id: String,
    /// The name that its maker gave it; friends do not see it.
    #[serde(default)]
    pub name: String,
    /// The text of the bar that opens it.
    #[serde(default)]
    pub chat_bar_text: String,
}

/// Answer of `GET /v2/bot/richmenu/list` (PLATFORM 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RichMenus {
    /// The menus that the channel's API made.
    pub richmenus: Vec<RichMenu>,
}

/// Answer of `GET /v2/bot/user/all/richmenu` (PLATFORM 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultRichMenu {
    /// The default menu.
    pub rich_menu_id: String,
}

/// A name for a rich menu, by which menus switch to each other (PLATFORM 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RichMenuAlias {
    /// The name.
    pub rich_menu_alias_id: String,
    /// The menu that it stands for.
    pub rich_menu_id: String,
}

/// Answer of `GET /v2/bot/richmenu/alias/list` (PLATFORM 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RichMenuAliases {
    /// All of the channel.
    pub aliases: Vec<RichMenuAlias>,
}

/// One message that LINE took from a reply or push (PLATFORM 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMessage {
    /// The message's ID. A string in schema and SDKs, though LINE's page calls it a number; both are read.
    #[serde(deserialize_with = "text_or_number")]
    pub id: String,
    /// By which this message can be quoted, for the kinds that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_token: Option<String>,
}

/// Answer of reply and push: `{"sentMessages"}` in the order of the request (PLATFORM 7); part of push's 409 too (PLATFORM 18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMessages {
    /// One for each message object of the request.
    pub sent_messages: Vec<SentMessage>,
}

/// Answer of `GET data:/v2/bot/message/{messageId}/content/transcoding` (PLATFORM 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcoding {
    /// How far LINE is.
    pub status: TranscodingStatus,
}

/// How far LINE is with a video or audio (PLATFORM 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TranscodingStatus {
    /// Not yet.
    Processing,
    /// The content can be fetched.
    Succeeded,
    /// It never can.
    Failed,
    /// A word that LINE added later.
    #[serde(untagged)]
    Other(String),
}

/// Answer of `GET /v2/bot/message/quota` (PLATFORM 8): this month's free and paid messages together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Whether there is a limit.
    #[serde(rename = "type")]
    pub kind: QuotaKind,
    /// The limit, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
}

/// Whether a month has a limit (PLATFORM 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuotaKind {
    /// No limit.
    None,
    /// Limited to [`Quota::value`].
    Limited,
    /// A word that LINE added later.
    #[serde(untagged)]
    Other(String),
}

/// Answer of `GET /v2/bot/message/quota/consumption` (PLATFORM 8); approximate, and it lags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumption {
    /// Messages of this month that count, OA Manager's among them.
    pub total_usage: u64,
}

/// Reads `null` as the type's default.
fn null_as_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Reads an ID that may be written as text or as a number.
fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(u64),
    }
    Ok(match Id::deserialize(from)? {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn error_bodies_are_read_as_loosely_as_line_writes_them() {
        // PLATFORM 5: `details` is left out, empty, or lacks either half; one endpoint answers only nulls.
        for (body, message, details) in [
            (json!({"message": "Not found"}), "Not found", 0),
            (json!({"message": "Not found", "details": []}), "Not found", 0),
            (
                json!({"message": "x", "details": [{"message": "May not be empty"}, {"property": "to"}]}),
                "x",
                2,
            ),
            (json!({"message": null, "key": null, "stacktrace": null, "code": null}), "", 0),
            (json!({"message": "x", "details": null}), "x", 0),
        ] {
            let read: ErrorBody = serde_json::from_value(body).unwrap();
            assert_eq!((read.message.as_str(), read.details.len()), (message, details));
        }
    }

    #[test]
    fn an_empty_list_of_details_is_left_out() {
        // PLATFORM 5.
        let body = ErrorBody { message: "Not found".into(), details: vec![] };
        assert_eq!(serde_json::to_value(body).unwrap(), json!({"message": "Not found"}));
    }

    #[test]
    fn a_word_line_adds_later_is_kept() {
        let quota: Quota = serde_json::from_value(json!({"type": "shared", "value": 3})).unwrap();
        assert_eq!(quota, Quota { kind: QuotaKind::Other("shared".into()), value: Some(3) });
        assert_eq!(serde_json::to_value(&quota).unwrap(), json!({"type": "shared", "value": 3}));
        let quota: Quota = serde_json::from_value(json!({"type": "none"})).unwrap();
        assert_eq!(quota, Quota { kind: QuotaKind::None, value: None });
    }

    #[test]
    fn a_sent_id_may_be_text_or_number() {
        // PLATFORM 7.
        let sent: SentMessages = serde_json::from_value(
            json!({"sentMessages": [{"id": "461230966842064897", "quoteToken": "q"}, {"id": 5}]}),
        )
        .unwrap();
        assert_eq!(
            sent.sent_messages.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(),
            ["461230966842064897", "5"]
        );
    }
}
