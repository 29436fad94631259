//! `PATCH /api/v1/accounts/{id}`: everything that can be changed, whole or not at all.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use line_client::Secret;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::AccountView;
use crate::accounts::model::{
    AnswerKind, Environment, GroupChats, Market, OaKind, Owner, Plan, SenderName, Tick,
};
use crate::accounts::service::{self, Change, NewCredentials};
use crate::accounts::settings::Changes;
use crate::accounts::{login, replies};
use crate::app::Hub;
use crate::error::AppError;
use crate::ids::AccountId;
use crate::web::api::{ApiResult, AsksLine, CanManage, Ident, Input, Problems};

/// Settings to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountChange {
    /// The channel's secret as it is now at LINE. The one before stays valid for signatures for 24 hours.
    #[schema(write_only)]
    channel_secret: Option<String>,
    /// A long-lived token, which takes the place of a signing key; null to let the hub issue its own again.
    #[serde(default, deserialize_with = "present")]
    #[schema(write_only, value_type = Option<String>)]
    access_token: Option<Option<String>>,
    /// Null to retire the active signing key, so that tokens are issued from ID and secret again. A key is activated by
    /// `PATCH /signing-keys/{id}`.
    #[serde(default, deserialize_with = "present")]
    #[schema(write_only, value_type = Option<String>)]
    signing_key_id: Option<Option<String>>,
    /// Live or test.
    environment: Option<Environment>,
    /// The name that colleagues read, at most 60 characters; null for LINE's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    display_label: Option<Option<String>>,
    /// The kind of the official account; null for "not said".
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<OaKind>)]
    kind: Option<Option<OaKind>>,
    /// The country it was opened for; null for "not said".
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Market>)]
    market: Option<Option<Market>>,
    /// Whether groups and rooms are shown, from now on.
    group_chats: Option<GroupChats>,
    /// Whose name friends read above an agent's answer.
    sender_name: Option<SenderName>,
    /// Where people answer.
    plan: Option<Plan>,
    /// Who gives automatic answers; what is absent stays.
    #[serde(default)]
    owners: OwnersChange,
    /// Ticks to set with today's date (`true`) or to take away (`false`); what is absent stays.
    #[serde(default)]
    ticks: TicksChange,
    /// The LINE Login channel's ID; null takes the channel away. Saved only after LINE accepted it; then the LIFF app is
    /// found, made or put right.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    login_channel_id: Option<Option<String>>,
    /// The LINE Login channel's secret as it is now at LINE; null takes the channel away.
    #[serde(default, deserialize_with = "present")]
    #[schema(write_only, value_type = Option<String>)]
    login_channel_secret: Option<Option<String>>,
    /// Whether members may share cards; needs a LIFF app, and `login_share_ready`.
    login_share: Option<bool>,
    /// A tick: the share target picker is on at LINE, which LINE does not report.
    login_share_ready: Option<bool>,
    /// Whether logging in offers to add the account as a friend; refused with the missing part named.
    login_add_friend: Option<bool>,
    /// A tick: this account is linked to the Login channel at LINE, which LINE does not report.
    login_linked: Option<bool>,
    /// Who may use the reply tokens of events that come in from now on: `hub`, or the id of one of the account's
    /// destinations. While it is a destination, the hub's own sends are paid pushes.
    reply_owner: Option<String>,
    /// Other owners by type of event (`message`, `follow`, …), the whole new list.
    reply_owners: Option<BTreeMap<String, String>>,
    /// True: the callback address that is shown now is registered at LINE.
    login_callback_done: Option<bool>,
}

/// Owners of automatic answers to change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnersChange {
    /// To somebody who became a friend.
    greeting: Option<Owner>,
    /// To a word that a rule knows.
    keyword: Option<Owner>,
    /// Outside the hours in which people answer.
    away: Option<Owner>,
    /// To everything else.
    bot: Option<Owner>,
}

/// Ticks to change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TicksChange {
    /// "Webhook redelivery" is on.
    redelivery: Option<bool>,
    /// "Error statistics aggregation" is on.
    error_statistics: Option<bool>,
    /// LINE's greeting message is off.
    greeting_off: Option<bool>,
    /// LINE's auto-reply messages are off.
    auto_reply_off: Option<bool>,
    /// LINE's response hours are off.
    response_hours_off: Option<bool>,
    /// LINE's response method in chat is manual.
    response_manual: Option<bool>,
    /// "Allow bot to join group chats" stands as the shop wants it.
    group_chats: Option<bool>,
}

impl AccountChange {
    /// What of it is about LINE Login.
    fn login(&self) -> login::service::Change {
        let secret = |text: &String| Secret::from(text.as_str());
        login::service::Change {
            channel_id: self.login_channel_id.clone(),
            secret: self.login_channel_secret.as_ref().map(|given| given.as_ref().map(secret)),
            share: self.login_share,
            share_ready: self.login_share_ready,
            add_friend: self.login_add_friend,
            linked: self.login_linked,
            callback_done: self.login_callback_done == Some(true),
        }
    }

    /// What people decide, apart from the credentials.
    fn settings(&mut self) -> Changes {
        let owners = [
            (AnswerKind::Greeting, self.owners.greeting),
            (AnswerKind::Keyword, self.owners.keyword),
            (AnswerKind::Away, self.owners.away),
            (AnswerKind::Bot, self.owners.bot),
        ];
        let ticks = [
            (Tick::Redelivery, self.ticks.redelivery),
            (Tick::ErrorStatistics, self.ticks.error_statistics),
            (Tick::GreetingOff, self.ticks.greeting_off),
            (Tick::AutoReplyOff, self.ticks.auto_reply_off),
            (Tick::ResponseHoursOff, self.ticks.response_hours_off),
            (Tick::ResponseManual, self.ticks.response_manual),
            (Tick::GroupChats, self.ticks.group_chats),
        ];
        Changes {
            environment: self.environment,
            display_label: self.display_label.take(),
            kind: self.kind,
            market: self.market,
            group_chats: self.group_chats,
            sender_name: self.sender_name,
            plan: self.plan,
            owners: owners.into_iter().filter_map(|(kind, owner)| Some((kind, owner?))).collect(),
            ticks: ticks.into_iter().filter_map(|(tick, is_set)| Some((tick, is_set?))).collect(),
        }
    }
}

/// Tells null from absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes settings, among them the credentials. After an error nothing has changed.
#[utoipa::path(patch, path = "/accounts/{id}", tag = "Accounts", params(("id" = String, Path)),
    request_body = AccountChange, responses((status = 200, body = AccountView), AsksLine, Problems))]
pub(super) async fn change_account(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<AccountId>,
    Input(mut body): Input<AccountChange>,
) -> ApiResult<Json<AccountView>> {
    if body.signing_key_id.as_ref().is_some_and(Option::is_some) {
        let detail = "only null is taken here; PATCH /signing-keys/{id} proves a key and activates it";
        return Err(AppError::invalid_field("signing_key_id", "only_null", detail));
    }
    let (settings, login) = (body.settings(), body.login());
    let replies = replies::Change { owner: body.reply_owner.take(), by_type: body.reply_owners.take() };
    let credentials = NewCredentials {
        channel_secret: body.channel_secret.map(Secret::from),
        access_token: body.access_token.map(|token| token.map(Secret::from)),
        retire_key: body.signing_key_id.is_some(),
    };
    let who = (&caller.scope, &caller.actor());
    let changed = service::change(&hub, who, &id, &Change { credentials, settings, login, replies }).await?;
    Ok(Json(AccountView::of(&hub, &caller, changed.account).await?))
}
