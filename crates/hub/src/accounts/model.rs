//! What a connected account is, and the rules that need no database and no LINE.

use line_client::{BotInfo, WebhookEndpoint};

use super::pasted::{Looks, has_label};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::error::FieldError;
use crate::ids::{AccountId, TenantId};
use crate::words::words;

words! {
    /// How an account is.
    Status {
        /// Events come in and sends go out, as far as LINE tells.
        Connected = "connected",
        /// Something is to be done; [`Attention`] says what.
        Attention = "attention",
        /// Not any more: its webhook address answers 404, nothing is sent, its history stays.
        Disconnected = "disconnected",
    }

    /// What is to be done.
    Attention {
        /// Connecting is under way, or its process died.
        Connecting = "connecting",
        /// "Use webhook" is off at LINE, which no API can change (GOTCHAS A8).
        WebhookOff = "webhook_off",
        /// LINE sends the events to another address.
        WebhookElsewhere = "webhook_elsewhere",
        /// LINE has no address to send events to.
        WebhookMissing = "webhook_missing",
        /// LINE no longer takes the credentials.
        Credentials = "credentials",
    }

    /// What an account is used for; a label for people.
    Environment {
        /// Real friends.
        Live = "live",
        /// Trials, or a local LINE.
        Test = "test",
    }

    /// Where people answer friends (S1-31, S1-32).
    Plan {
        /// Only in the hub: chat is off at LINE.
        A = "a",
        /// In the hub and in LINE's own chat.
        B = "b",
    }

    /// Who gives one kind of automatic answer, so that no friend gets two (S1-33).
    Owner {
        /// The hub.
        Hub = "hub",
        /// LINE's console (OA Manager); the hub stays silent.
        Line = "line",
        /// Nobody: no such answer is given.
        Nobody = "nobody",
    }

    /// A kind of automatic answer that either the hub or LINE's console gives (S1-33).
    AnswerKind {
        /// To somebody who became a friend.
        Greeting = "greeting",
        /// To a word that a rule knows.
        Keyword = "keyword",
        /// Outside the hours in which people answer.
        Away = "away",
        /// To everything else.
        Bot = "bot",
    }

    /// What only a person can see in LINE's consoles, and ticks with a date (PLATFORM 26).
    Tick {
        /// "Webhook redelivery" is on: what LINE could not deliver comes later.
        Redelivery = "redelivery",
        /// "Error statistics aggregation" is on.
        ErrorStatistics = "error_statistics",
        /// LINE's greeting message is off.
        GreetingOff = "greeting_off",
        /// LINE's auto-reply messages are off.
        AutoReplyOff = "auto_reply_off",
        /// LINE's response hours are off.
        ResponseHoursOff = "response_hours_off",
        /// LINE's response method in chat is "manual".
        ResponseManual = "response_manual",
        /// "Allow bot to join group chats" stands as the shop wants it.
        GroupChats = "group_chats",
    }

    /// A block of an account's settings, each with its own "modified by" (S4-10).
    Block {
        /// 1: the official account.
        Account = "account",
        /// 3: the Messaging API channel and its credentials.
        Messaging = "messaging",
        /// Who answers what.
        Answers = "answers",
    }

    /// Whether groups and rooms that the account is in are shown (S2-21).
    GroupChats {
        /// Each is a conversation of its own.
        Shown = "shown",
        /// Their events are journaled and relayed: no contacts, nothing in the inbox, no answers of the hub.
        Hidden = "hidden",
    }

    /// Whose name friends read above an agent's answer (S3-08).
    SenderName {
        /// The account's own.
        Account = "account",
        /// The agent's display name, with the account's name behind it in LINE's own style.
        Agent = "agent",
    }

    /// The kind of an official account, which no API tells in full (PLATFORM 26).
    OaKind {
        /// Everybody's first kind.
        Unverified = "unverified",
        /// Checked by LINE.
        Verified = "verified",
        /// LINE's highest kind.
        Premium = "premium",
    }

    /// The country an account was opened for; prices and forms differ (PLATFORM 22).
    Market {
        /// Taiwan.
        Tw = "tw",
        /// Japan.
        Jp = "jp",
        /// Thailand.
        Th = "th",
        /// Another one.
        Other = "other",
    }
}

/// An account's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Account {
    /// Its id, which stays when the same channel is connected again.
    pub id: AccountId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// `line`.
    pub messenger: String,
    /// The Messaging API channel's id.
    pub channel_id: String,
    /// The unguessable end of the webhook's address.
    pub webhook_key: String,
    /// The bot's user id.
    pub bot_user_id: String,
    /// The OA's name.
    pub display_name: String,
    /// `@` and the basic id.
    pub basic_id: String,
    /// `@` and the premium id, where one was bought.
    pub premium_id: Option<String>,
    /// The OA's picture.
    pub picture_url: Option<String>,
    /// LINE's word for the response mode: `chat` or `bot`.
    pub chat_mode: String,
    /// LINE's word for who marks messages as read: `auto` or `manual`.
    pub mark_as_read_mode: String,
    /// Live or test.
    #[sqlx(try_from = "String")]
    pub environment: Environment,
    /// How it is.
    #[sqlx(try_from = "String")]
    pub status: Status,
    attention: Option<String>,
    /// The webhook address at LINE before connecting.
    pub found_endpoint: Option<String>,
    /// The webhook address at LINE when it was asked last.
    pub endpoint: Option<String>,
    /// LINE's "Use webhook" when it was asked last.
    pub endpoint_active: Option<bool>,
    /// When LINE was asked last.
    pub checked_at: Option<Timestamp>,
    /// When LINE last checked the line with an empty batch.
    pub last_verified_at: Option<Timestamp>,
    /// When events last came in.
    pub last_event_at: Option<Timestamp>,
    /// Webhook bodies refused for their size.
    pub oversized: i64,
    /// Webhook requests refused for their signature.
    pub bad_signatures: i64,
    /// When it was first connected.
    pub created_at: Timestamp,
    /// When its settings were last changed.
    pub updated_at: Timestamp,
    /// Who changed them: a person's or an API key's name at that time.
    pub updated_by: Option<String>,
    /// When it was disconnected.
    pub disconnected_at: Option<Timestamp>,
    /// The name that colleagues read, where it is not LINE's (S1-20).
    pub display_label: Option<String>,
    kind: Option<String>,
    /// When somebody said what kind it is.
    pub kind_at: Option<Timestamp>,
    /// Who said it.
    pub kind_by: Option<String>,
    /// Whether LINE gives the list of followers, which it does to verified and premium accounts only (PLATFORM 9).
    pub lists_followers: Option<bool>,
    /// When LINE was asked for it.
    pub lists_followers_at: Option<Timestamp>,
    market: Option<String>,
    /// Who connected it first: a person's or an API key's name at that time (S1-10).
    pub connected_by: Option<String>,
    /// The hub's public address that LINE has or had, because the hub set it there or a person did; none where LINE's
    /// webhook address was left alone.
    pub registered_url: Option<String>,
    /// Whether groups are shown.
    #[sqlx(try_from = "String")]
    pub group_chats: GroupChats,
    /// Whose name friends read.
    #[sqlx(try_from = "String")]
    pub sender_name: SenderName,
    /// Where people answer.
    #[sqlx(try_from = "String")]
    pub plan: Plan,
    /// Who greets new friends.
    #[sqlx(try_from = "String")]
    pub greeting_owner: Owner,
    /// Who answers keywords.
    #[sqlx(try_from = "String")]
    pub keyword_owner: Owner,
    /// Who answers outside the hours.
    #[sqlx(try_from = "String")]
    pub away_owner: Owner,
    /// Who answers everything else by itself.
    #[sqlx(try_from = "String")]
    pub bot_owner: Owner,
}

impl Account {
    /// What is to be done, when the status says that something is.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        Attention::try_from(self.attention.clone()?).ok()
    }

    /// The name that colleagues read: the label where there is one, else LINE's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.display_label.as_deref().unwrap_or(&self.display_name)
    }

    /// The kind that a person named.
    #[must_use]
    pub fn kind(&self) -> Option<OaKind> {
        OaKind::try_from(self.kind.clone()?).ok()
    }

    /// The country it was opened for, as far as a person named one.
    #[must_use]
    pub fn market(&self) -> Option<Market> {
        Market::try_from(self.market.clone()?).ok()
    }

    /// The public address of the hub that LINE knows: the one noted when it was registered, for older rows the one that
    /// LINE's address begins with.
    #[must_use]
    pub fn known_public_url(&self) -> Option<&str> {
        let at_line = || public_url_of(self.endpoint.as_deref()?, &self.webhook_key);
        self.registered_url.as_deref().or_else(at_line)
    }

    /// Whether a webhook address is one of this account's, under whatever public address of the hub.
    #[must_use]
    pub fn is_own_webhook(&self, address: &str) -> bool {
        public_url_of(address, &self.webhook_key).is_some()
    }

    /// Whether LINE has no address of this account's, by the choice of whoever connected it: it never had one.
    #[must_use]
    pub fn is_left_alone(&self) -> bool {
        let is_here = self.endpoint.as_deref().is_some_and(|address| self.is_own_webhook(address));
        let is_connected =
            self.status != Status::Disconnected && self.attention() != Some(Attention::Connecting);
        is_connected && self.registered_url.is_none() && !is_here
    }

    /// The LINE ID that people know: the premium one where there is one, with `@`.
    #[must_use]
    pub fn line_id(&self) -> &str {
        self.premium_id.as_deref().unwrap_or(&self.basic_id)
    }

    /// The address at which a person becomes a friend (PLATFORM 25).
    #[must_use]
    pub fn friend_link(&self) -> String {
        let id: String = url::form_urlencoded::byte_serialize(self.line_id().as_bytes()).collect();
        format!("https://line.me/R/ti/p/{id}")
    }

    /// The webhook's address; `None` when disconnected, because then it answers 404.
    #[must_use]
    pub fn webhook_url(&self, config: &Config) -> Option<String> {
        (self.status != Status::Disconnected).then(|| config.webhook_url(&self.webhook_key))
    }
}

/// The public address of the hub under which an account has a webhook address; `None` when it is no address of this account.
#[must_use]
pub(super) fn public_url_of<'a>(address: &'a str, webhook_key: &str) -> Option<&'a str> {
    address.strip_suffix(webhook_key)?.strip_suffix("/webhooks/line/")
}

/// What LINE says of an account at a moment.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The bot.
    pub bot: BotInfo,
    /// The webhook's address and switch; `None` when no address was ever set.
    pub endpoint: Option<WebhookEndpoint>,
    /// When it was asked.
    pub at: Timestamp,
}

impl Reading {
    /// What is to be done about the webhook, when it should be at `ours`; nothing where another address, or none, was left
    /// as it was.
    #[must_use]
    pub fn attention(&self, ours: &str, is_left: bool) -> Option<Attention> {
        match &self.endpoint {
            found if is_left && found.as_ref().is_none_or(|found| found.endpoint != ours) => None,
            None => Some(Attention::WebhookMissing),
            Some(endpoint) if endpoint.endpoint.is_empty() => Some(Attention::WebhookMissing),
            Some(endpoint) if endpoint.endpoint != ours => Some(Attention::WebhookElsewhere),
            Some(endpoint) if !endpoint.active => Some(Attention::WebhookOff),
            Some(_) => None,
        }
    }
}

/// LINE's word for a value that a list may grow by.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A LINE ID as LINE writes it: with `@`, lower case (S1-22).
#[must_use]
pub fn normal_line_id(text: &str) -> String {
    format!("@{}", text.trim().trim_start_matches('@').to_ascii_lowercase())
}

/// Whether a text can be a channel's ID: digits (PLATFORM 3).
pub(super) fn check_channel_id(text: &str) -> Result<(), FieldError> {
    check_id("channel_id", text)
}

/// As [`check_channel_id`], of another field.
fn check_id(field: &'static str, text: &str) -> Result<(), FieldError> {
    let wrong = |code, detail| Err(FieldError::new(field, code, detail));
    if text.is_empty() {
        return wrong(
            "required",
            "give the channel ID; it stands under \"Basic settings\" in LINE Developers",
        );
    }
    let digits = "a channel ID is digits only; it stands under \"Basic settings\" in LINE Developers";
    match Looks::of(text) {
        None | Some(Looks::ChannelId) => {}
        Some(looks) => return Err(looks.refuse(field, digits)),
    }
    if text.len() > 20 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong("invalid", digits);
    }
    Ok(())
}

/// Whether a text can be a secret or a token: visible ASCII, and nothing else of LINE's by its looks. Their exact form is
/// LINE's business (PLATFORM 4).
pub(super) fn check_secret(field: &'static str, text: &str) -> Result<(), FieldError> {
    if text.is_empty() {
        return Err(FieldError::new(
            field,
            "required",
            "this value is missing; copy it from LINE Developers",
        ));
    }
    if has_label(text) {
        let detail = "the label was copied along with the value; copy the value alone from LINE Developers, without its label";
        return Err(FieldError::new(field, "with_label", detail));
    }
    let is_token = field == "access_token";
    match (Looks::of(text), is_token) {
        (None | Some(Looks::Secret), false) | (None | Some(Looks::Token), true) => {}
        (Some(looks), false) => {
            let wanted = "the channel secret has 32 letters and digits; copy it from \"Basic settings\" in LINE Developers";
            return Err(looks.refuse(field, wanted));
        }
        (Some(looks), true) => {
            let wanted = "issue the channel access token in LINE Developers, \"Messaging API\", or leave the field empty";
            return Err(looks.refuse(field, wanted));
        }
    }
    if text.len() > 1024 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FieldError::new(
            field,
            "invalid",
            "this value holds characters that LINE's never do; copy it again from LINE Developers, without its label",
        ));
    }
    Ok(())
}

/// Whether two texts can be a channel's ID and its secret; what is wrong, at both fields where they are swapped.
pub(super) fn check_pair(
    (id_field, secret_field): (&'static str, &'static str),
    id: &str,
    secret: &str,
) -> Vec<FieldError> {
    if (Looks::of(id), Looks::of(secret)) == (Some(Looks::Secret), Some(Looks::ChannelId)) {
        let detail = "channel ID and channel secret look swapped; paste each into the other's field";
        return [id_field, secret_field].map(|field| FieldError::new(field, "swapped", detail)).into();
    }
    [check_id(id_field, id), check_secret(secret_field, secret)].into_iter().filter_map(Result::err).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_id_is_taken_with_or_without_the_at_sign() {
        // S1-22
        assert_eq!(normal_line_id(" 216ruABC"), "@216ruabc");
        assert_eq!(normal_line_id("@216ruabc"), "@216ruabc");
    }

    #[test]
    fn values_that_cannot_be_right_are_refused_before_line_is_asked() {
        assert!(check_channel_id("1656000000").is_ok());
        assert_eq!(check_channel_id("").unwrap_err().code, "required");
        for wrong in ["16560000x", "tea", "165600000016560000000", "１６５６"] {
            assert_eq!(check_channel_id(wrong).unwrap_err().code, "invalid", "{wrong}");
        }
        assert!(check_secret("channel_secret", "8c570fa6dd201bb328f1c1eac23a96d8").is_ok());
        assert_eq!(check_channel_id("@shop").unwrap_err().code, "looks_like_line_id");
        assert_eq!(check_secret("channel_secret", "a\u{0}b").unwrap_err().code, "invalid");
        let (id, secret) = ("1656000000", "8c570fa6dd201bb328f1c1eac23a96d8");
        assert_eq!(check_secret("access_token", secret).unwrap_err().code, "looks_like_secret");
        let fields = ("channel_id", "channel_secret");
        assert!(check_pair(fields, id, secret).is_empty());
        let swapped: Vec<_> = check_pair(fields, secret, id).iter().map(|wrong| wrong.code).collect();
        assert_eq!(swapped, ["swapped", "swapped"]);
    }
}
