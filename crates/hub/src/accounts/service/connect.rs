//! Connecting, in the order of CONTRACT "Connecting": LINE accepts the credentials, nobody else holds the channel, no
//! other address is overwritten without being told; then the account is committed, LINE tests the new address, and only
//! after that the address is set. What fails leaves nothing half made, at LINE or here.

use std::time::Duration;

use line_client::{BotInfo, CredentialFault, Credentials, LineError, PastedToken, Secret, WebhookEndpoint};
use serde_json::json;

use super::check::Deadline;
use super::refusals::{held, no_bot, suspended, unreachable_hub};
use super::{audit, author, environment, get, remember, unavailable};
use crate::accounts::doctor;
use crate::accounts::doctor::service::Webhook;
use crate::accounts::keys;
use crate::accounts::memory::Connected;
use crate::accounts::model::{Account, Reading, check_pair, check_secret, normal_line_id};
use crate::accounts::pasted::clean;
use crate::accounts::repo::{self, NewRow, SecretKind};
use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore, Tx};
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{AccountId, SigningKeyId};
use crate::scope::Scope;
use crate::team::Actor;
use crate::wiring::SYSTEMS;

/// A connecting that has not ended by then died with its process.
const DEAD_AFTER: Duration = Duration::from_secs(60);
/// How often and how long apart the old address is put back where LINE does not answer at first.
const PUT_BACK: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

/// What a person gives to connect an account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The Messaging API channel's ID, digits.
    pub channel_id: String,
    /// Its secret.
    pub channel_secret: Secret,
    /// A long-lived token, where the person prefers a pasted one.
    pub access_token: Option<Secret>,
    /// A signing key in place of the secret's use for tokens, and LINE's `kid` for it (empty: the one that is known).
    pub signing_key: Option<(SigningKeyId, String)>,
    /// The LINE ID the person expects, with or without `@`; compared with what LINE reports.
    pub line_id: Option<String>,
    /// Whether the hub sets the webhook address at LINE.
    pub set_webhook: bool,
    /// Whether an address of another system may be replaced.
    pub take_over: bool,
    /// Whether the system whose address is replaced goes on getting LINE's events, from here.
    pub pass_on: bool,
    /// Whether it goes on using the free replies.
    pub keeps_replies: bool,
}

impl NewAccount {
    /// The same without what comes with pasting.
    fn clean(&self) -> Self {
        Self {
            channel_id: clean(&self.channel_id),
            channel_secret: Secret::from(clean(self.channel_secret.expose())),
            access_token: self.access_token.as_ref().map(|token| Secret::from(clean(token.expose()))),
            line_id: self.line_id.as_deref().map(clean),
            ..self.clone()
        }
    }
}

/// The steps of connecting, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// LINE takes channel ID, secret and token.
    Credentials,
    /// There is an official account behind the channel.
    Bot,
    /// Nobody on this hub holds the channel, and no other system's webhook address stands at LINE.
    Free,
    /// The account is stored here.
    Saved,
    /// LINE reached the hub.
    Tested,
    /// LINE sends the events here.
    WebhookSet,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 6] =
        [Self::Credentials, Self::Bot, Self::Free, Self::Saved, Self::Tested, Self::WebhookSet];

    /// The word in keys of words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Bot => "bot",
            Self::Free => "free",
            Self::Saved => "saved",
            Self::Tested => "tested",
            Self::WebhookSet => "webhook-set",
        }
    }
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Under way.
    Running,
    /// Done.
    Done,
    /// It failed; what was done before is undone.
    Failed,
    /// Not asked for.
    Skipped,
}

/// Is told of every step as it begins and ends.
pub type Progress<'a> = &'a (dyn Fn(Step, StepState) + Send + Sync);

/// Connects an account, and gives it as LINE sees it then.
///
/// # Errors
/// 422 naming the wrong value with LINE's own reason, or `webhook_unreachable` with LINE's `reason` and `reason_detail`;
/// 409 `account_held` (with `account_id` where it is the tenant's own), 409 `webhook_elsewhere` with `current_endpoint` and
/// `active`; 429 `webhook_tests_used_up` when the channel's webhook was tested too often within an hour; 502 when LINE does
/// not answer. After an error nothing has changed.
pub async fn connect(
    hub: &Hub,
    who: (&Scope, &Actor),
    new: &NewAccount,
    progress: Progress<'_>,
) -> AppResult<Account> {
    let new = &new.clean();
    let run = Run { hub, who, new, progress, deadline: Deadline::start() };
    run.check_input()?;
    let (line, key) = run.step(Step::Credentials, run.credentials()).await?;
    let connected = run.with(&line, key).await;
    // The account has calls of its own from here on; what these hold takes a place at LINE (PLATFORM 4.1).
    let given_back = run.deadline.wait(line.give_back()).await;
    if let Err(error) = given_back {
        tracing::debug!(%error, "the token that proved a key was not revoked; it ends by itself");
    }
    connected
}

/// An account that is stored while its connecting goes on.
struct Saved {
    id: AccountId,
    is_new: bool,
}

/// A key by which LINE issued a token, and LINE's `kid` for it.
type ProvenKey = (SigningKeyId, String);

struct Run<'a> {
    hub: &'a Hub,
    who: (&'a Scope, &'a Actor),
    new: &'a NewAccount,
    progress: Progress<'a>,
    deadline: Deadline,
}

impl Run<'_> {
    /// Connects with credentials that LINE took.
    async fn with(&self, line: &line_client::Account, key: Option<ProvenKey>) -> AppResult<Account> {
        let (hub, (scope, _)) = (self.hub, self.who);
        let bot = self.step(Step::Bot, self.bot(line)).await?;
        let current = self.step(Step::Free, self.free(line)).await?;
        let Saved { id, is_new } = self.step(Step::Saved, self.save(&bot, current.as_ref())).await?;
        match self.webhook(&id, line, (bot, key), current.as_ref()).await {
            Ok(()) => {
                for listener in crate::wiring::ACCOUNT_LISTENERS {
                    listener.connected(hub, &id).await;
                }
                get(hub, scope, &id).await
            }
            Err(error) => {
                self.undo(&id, is_new).await?;
                Err(error)
            }
        }
    }

    async fn step<T>(&self, step: Step, work: impl Future<Output = AppResult<T>>) -> AppResult<T> {
        (self.progress)(step, StepState::Running);
        let result = work.await;
        (self.progress)(step, if result.is_ok() { StepState::Done } else { StepState::Failed });
        result
    }

    /// Everything that can be told without asking LINE, all at once.
    fn check_input(&self) -> AppResult<()> {
        let token = self.new.access_token.as_ref().map(|token| check_secret("access_token", token.expose()));
        let (id, secret) = (self.new.channel_id.as_str(), self.new.channel_secret.expose());
        let mut wrong = check_pair(("channel_id", "channel_secret"), id, secret);
        wrong.extend(token.and_then(Result::err));
        if self.new.set_webhook && !self.hub.config.is_reachable_by_line() {
            let detail = format!(
                "this hub's public address is {}, and LINE calls https only; set TRUNKLINE_PUBLIC_URL to the https \
                 address that leads here",
                self.hub.config.public_url
            );
            wrong.push(FieldError::new("set_webhook", "public_url", detail));
        }
        if wrong.is_empty() { Ok(()) } else { Err(AppError::invalid(wrong)) }
    }

    /// Has LINE accept ID and secret, and the pasted token or the signing key where there is one; gives the channel's calls,
    /// and the proven key with its `kid`.
    async fn credentials(&self) -> AppResult<(line_client::Account, Option<ProvenKey>)> {
        let given = Credentials {
            channel_id: self.new.channel_id.clone(),
            channel_secret: self.new.channel_secret.clone(),
            access_token: None,
            signing_key: None,
        };
        let issued = self.hub.line.account(given.clone());
        accepted(self.hub, &issued, &given, self.deadline).await?;
        if let Some((id, kid)) = &self.new.signing_key {
            let usable = keys::service::usable(self.hub, self.who.0, id, &given.channel_id, kid);
            let (signing_key, kid) = usable.await?;
            let line = self.hub.line.account(Credentials { signing_key: Some(signing_key), ..given });
            let token = self.deadline.wait(line.token()).await;
            token.map_err(|error| keys::refusal(&error).unwrap_or_else(|| unavailable(&error)))?;
            return Ok((line, Some((id.clone(), kid))));
        }
        let Some(token) = &self.new.access_token else { return Ok((issued, None)) };
        let pasted = Credentials { access_token: Some(token.clone()), ..given };
        Ok((same_channel(self.hub, pasted, self.deadline).await?, None))
    }

    /// Finds the official account behind the channel, and that it is the expected one.
    async fn bot(&self, line: &line_client::Account) -> AppResult<BotInfo> {
        let bot = match self.deadline.wait(line.bot_info()).await {
            Ok(bot) => bot,
            // Only a Login channel has LIFF apps to be listed (PLATFORM 24.1).
            Err(LineError::Refused { status: 403, body, .. })
                if self.deadline.wait(line.liff_apps()).await.is_err() =>
            {
                return Err(suspended(&body.message));
            }
            Err(error) => return Err(no_bot(&error)),
        };
        let Some(expected) = self.new.line_id.as_deref().filter(|id| !id.trim().is_empty()) else {
            return Ok(bot);
        };
        let expected = normal_line_id(expected);
        let is_it = |id: &str| normal_line_id(id) == expected;
        if is_it(&bot.basic_id) || bot.premium_id.as_deref().is_some_and(is_it) {
            return Ok(bot);
        }
        let actual = bot.premium_id.as_deref().unwrap_or(&bot.basic_id);
        let detail = format!(
            "this channel belongs to {actual} ({}), not to {expected}; check the LINE ID, or copy the values of the right \
             channel",
            bot.display_name
        );
        Err(AppError::invalid_field("line_id", "other_account", detail))
    }

    /// Finds out that nobody holds the channel and that no other system's address is overwritten unasked.
    async fn free(&self, line: &line_client::Account) -> AppResult<Option<WebhookEndpoint>> {
        let dead = self.hub.now().minus(DEAD_AFTER);
        if repo::is_held(&self.hub.db, &self.new.channel_id, dead).await? {
            // Another tenant's account is not named.
            let own = repo::connected_with(&self.hub.db, self.who.0.tenant(), &self.new.channel_id).await?;
            return Err(own.map_or_else(held, |id| held().with("account_id", id.as_str())));
        }
        if !self.new.set_webhook {
            return Ok(None);
        }
        let current =
            self.deadline.wait(line.webhook_endpoint()).await.map_err(|error| unavailable(&error))?;
        let current = current.filter(|current| !current.endpoint.is_empty());
        match current {
            Some(current) if !self.new.take_over && !self.is_this_hub(&current.endpoint) => {
                let detail = "LINE sends this account's events to another system; connect again with `take_over` to \
                    replace its address, and with `pass_on` to pass the events on to it";
                Err(AppError::conflict("webhook_elsewhere", detail)
                    .with("current_endpoint", current.endpoint)
                    .with("active", current.active))
            }
            current => {
                // Said before anything is changed.
                let wrong = self.replaced(current.as_ref()).and_then(|url| SYSTEMS.refusal(self.hub, url));
                wrong.map_or(Ok(current), |error| Err(AppError::invalid(vec![error.at("pass_on")])))
            }
        }
    }

    /// The address of another system that is to go on getting the events.
    fn replaced<'a>(&self, current: Option<&'a WebhookEndpoint>) -> Option<&'a str> {
        let url = current.map(|current| current.endpoint.as_str())?;
        (self.new.pass_on && !self.is_this_hub(url)).then_some(url)
    }

    /// Whether an address is one of this hub's, left over from an earlier connecting.
    fn is_this_hub(&self, endpoint: &str) -> bool {
        endpoint.starts_with(&self.hub.config.webhook_url(""))
    }

    /// Stores the account, new or back again, and opens its webhook address.
    async fn save(&self, bot: &BotInfo, current: Option<&WebhookEndpoint>) -> AppResult<Saved> {
        let (hub, (scope, actor), now) = (self.hub, self.who, self.hub.now());
        let webhook_key = hub.entropy.token();
        let found =
            current.map(|current| current.endpoint.as_str()).filter(|address| !self.is_this_hub(address));
        let fresh: AccountId = hub.id();
        let mut tx = hub.db.begin().await?;
        let saved: DbResult<Saved> = async {
            repo::free_dead(&mut tx, &self.new.channel_id, now, now.minus(DEAD_AFTER)).await?;
            let before = repo::find_by_channel(&mut tx, scope.tenant(), &self.new.channel_id).await?;
            let id = before.as_ref().map_or(&fresh, |before| &before.id).clone();
            let found_before = before.as_ref().and_then(|before| before.found_endpoint.as_deref());
            let row = NewRow {
                id: &id,
                tenant: scope.tenant(),
                channel_id: &self.new.channel_id,
                webhook_key: &webhook_key,
                bot,
                environment: environment(hub),
                found_endpoint: found.or(found_before),
                now,
                by: author(actor),
            };
            if before.is_none() {
                repo::insert(&mut tx, &row).await?;
            } else if !repo::revive(&mut tx, &row).await? {
                return Err(crate::db::DbError::Unique { constraint: "accounts_held".to_owned() });
            }
            repo::drop_secrets(&mut tx, &id).await?;
            let owner = (&id, scope.tenant());
            super::add_secret(&mut tx, hub, owner, SecretKind::ChannelSecret, &self.new.channel_secret)
                .await?;
            if let Some(token) = &self.new.access_token {
                super::add_secret(&mut tx, hub, owner, SecretKind::AccessToken, token).await?;
            }
            let detail = json!({ "channel_id": self.new.channel_id, "replaced_endpoint": found });
            audit(&mut tx, hub, self.who, "account.connected", &id, detail).await?;
            Ok(Saved { id, is_new: before.is_none() })
        }
        .await;
        // Another connecting of the same channel was faster.
        let saved = saved.map_err(|error| if error.is_unique() { held() } else { error.into() })?;
        tx.commit().await.map_err(|error| if error.is_unique() { held() } else { AppError::from(error) })?;
        remember(hub, &saved.id).await?;
        Ok(saved)
    }

    /// Tests the new address, sets it, reads it back, and keeps what LINE says.
    async fn webhook(
        &self,
        id: &AccountId,
        line: &line_client::Account,
        (bot, key): (BotInfo, Option<ProvenKey>),
        current: Option<&WebhookEndpoint>,
    ) -> AppResult<()> {
        let account = super::check::connected(self.hub, id).await?;
        let ours = self.hub.config.webhook_url(&account.webhook_key);
        let endpoint = if self.new.set_webhook {
            self.step(Step::Tested, self.test(&account, line, &ours)).await?;
            if let Some(url) = self.replaced(current) {
                // Before the first event comes here, so that none is missing there.
                SYSTEMS.pass_on(self.hub, self.who, id, url, self.new.keeps_replies).await?;
            }
            Some(self.step(Step::WebhookSet, self.set(line, &ours, current)).await?)
        } else {
            (self.progress)(Step::Tested, StepState::Skipped);
            (self.progress)(Step::WebhookSet, StepState::Skipped);
            // Only shown: nothing is compared.
            self.deadline.wait(line.webhook_endpoint()).await.unwrap_or_default()
        };
        let reading = Reading { bot, endpoint, at: self.hub.now() };
        let stored: AppResult<()> = async {
            let mut tx = self.hub.db.begin().await?;
            repo::set_reading(&mut tx, id, &reading, reading.attention(&ours, !self.new.set_webhook)).await?;
            if self.new.set_webhook {
                repo::set_registered(&mut tx, id, &self.hub.config.origin()).await?;
            }
            self.settle_key(&mut tx, key.as_ref()).await?;
            Ok(tx.commit().await?)
        }
        .await;
        if stored.is_err() {
            self.put_back(line, current).await;
        }
        stored?;
        // What is stored holds; where it cannot be read now, the next check reads it.
        remember(self.hub, id).await.log_and_ignore("reading an account again");
        Ok(())
    }

    /// From now on tokens are issued as it was asked for: by this key, or not by one that was active before.
    async fn settle_key(&self, tx: &mut Tx, key: Option<&ProvenKey>) -> AppResult<()> {
        let ((scope, actor), channel, now) = (self.who, self.new.channel_id.as_str(), self.hub.now());
        if let Some((id, kid)) = key {
            let by = (now, author(actor));
            // Its private part may have been removed meanwhile.
            if !keys::repo::activate(tx, scope.tenant(), (id, channel, kid), by).await? {
                return Err(keys::service::gone());
            }
        } else {
            keys::repo::retire(tx, scope.tenant(), channel, now).await?;
        }
        Ok(())
    }

    /// LINE's own test, with the new address in its body.
    async fn test(&self, account: &Connected, line: &line_client::Account, ours: &str) -> AppResult<()> {
        let webhook = Webhook::of(account, line, ours);
        match doctor::service::run_test(self.hub, &webhook, true, self.deadline).await? {
            Ok(test) if test.success => Ok(()),
            Ok(test) => Err(unreachable_hub(ours, &test)),
            Err(LineError::Refused { status: 400, body, .. }) => {
                let detail = format!("LINE does not take the address {ours}: {}", body.message);
                Err(AppError::invalid_field("set_webhook", "webhook_refused", detail))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Sets the new address and reads it back; where that fails, the old one is put back.
    async fn set(
        &self,
        line: &line_client::Account,
        ours: &str,
        current: Option<&WebhookEndpoint>,
    ) -> AppResult<WebhookEndpoint> {
        let set = async {
            line.set_webhook_endpoint(ours).await?;
            line.webhook_endpoint().await
        };
        let error = match self.deadline.wait(set).await {
            Ok(Some(read)) if read.endpoint == ours => return Ok(read),
            Ok(read) => {
                let read = read.map_or_else(|| "none".to_owned(), |read| read.endpoint);
                let detail =
                    format!("LINE took the address {ours}, but reads back {read}; try again in a minute");
                AppError::invalid_field("set_webhook", "webhook_not_set", detail)
            }
            Err(LineError::Refused { status: 400, body, .. }) => {
                let detail = format!("LINE does not take the address {ours}: {}", body.message);
                AppError::invalid_field("set_webhook", "webhook_refused", detail)
            }
            Err(error) => unavailable(&error),
        };
        self.put_back(line, current).await;
        Err(error)
    }

    /// Puts the address back that stood at LINE before; where LINE does not answer, later, beside everything else.
    async fn put_back(&self, line: &line_client::Account, current: Option<&WebhookEndpoint>) {
        let Some(old) = current.map(|current| current.endpoint.clone()) else { return };
        let (line, stop) = (line.clone(), self.hub.stop.clone());
        let work = self.hub.tasks.spawn(async move {
            for pause in PUT_BACK {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return,
                }
                match line.set_webhook_endpoint(&old).await {
                    Ok(()) => return,
                    Err(error) if error.is_transient() => {
                        tracing::warn!(%error, "the former webhook address is not yet put back");
                    }
                    Err(error) => {
                        tracing::error!(%error, "the former webhook address could not be put back");
                        return;
                    }
                }
            }
        });
        // Usually LINE answers at once, and the caller then finds the old address in place.
        drop(tokio::time::timeout(Duration::from_millis(500), work).await);
    }

    /// Takes back what was stored: a new account is gone, one that was there before is disconnected as it was.
    async fn undo(&self, id: &AccountId, is_new: bool) -> AppResult<()> {
        let (hub, (_, actor)) = (self.hub, self.who);
        hub.accounts.remove(id);
        let mut tx = hub.db.begin().await?;
        repo::drop_secrets(&mut tx, id).await?;
        audit(&mut tx, hub, self.who, "account.connect_undone", id, json!({})).await?;
        if is_new {
            SYSTEMS.forget(&mut tx, hub, self.who.0.tenant(), id).await?;
            repo::delete(&mut tx, id).await?;
        } else {
            repo::disconnect(&mut tx, id, hub.now(), author(actor)).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Has LINE issue a token; where it refuses, finds out which value is wrong.
pub(super) async fn accepted(
    hub: &Hub,
    line: &line_client::Account,
    given: &Credentials,
    deadline: Deadline,
) -> AppResult<()> {
    let Err(error) = deadline.wait(line.token()).await else { return Ok(()) };
    let LineError::Credentials { .. } = &error else { return Err(unavailable(&error)) };
    let fault = line_client::diagnose_credentials(&hub.line, &given.channel_id, &given.channel_secret);
    let (field, code, words) = match deadline.wait(fault).await.map_err(|error| unavailable(&error))? {
        CredentialFault::WrongId(words) => ("channel_id", "wrong_id", words),
        CredentialFault::WrongSecret(words) => ("channel_secret", "wrong_secret", words),
        CredentialFault::Unnamed(words) => ("channel_secret", "refused", words),
        CredentialFault::NoFault => return Err(unavailable(&error)),
    };
    let advice = match code {
        "wrong_id" => "no channel has this ID; copy it again from \"Basic settings\" in LINE Developers",
        "wrong_secret" => {
            "the secret does not belong to this channel; copy it again from \"Basic settings\" in LINE Developers"
        }
        _ => "check both values in LINE Developers, \"Basic settings\"",
    };
    Err(AppError::invalid_field(field, code, format!("LINE says: {words}; {advice}")))
}

/// Has LINE accept a pasted token, and finds out that it is the same channel's as ID and secret; gives the calls made with
/// it.
pub(super) async fn same_channel(
    hub: &Hub,
    given: Credentials,
    deadline: Deadline,
) -> AppResult<line_client::Account> {
    let wrong = |code, detail: String| AppError::invalid_field("access_token", code, detail);
    let fresh = "issue a new one in LINE Developers, \"Messaging API\", or leave the field empty";
    let token = given.access_token.clone().unwrap_or_else(|| Secret::from(""));
    let channel_id = given.channel_id.clone();
    let inspected = deadline.wait(line_client::inspect_token(&hub.line, &token)).await;
    match inspected.map_err(|error| unavailable(&error))? {
        PastedToken::Good { channel_id: actual, .. } if actual == channel_id => {}
        PastedToken::Good { channel_id: actual, .. } => {
            let detail = format!(
                "this token belongs to channel {actual}, not to {channel_id}; copy the one of this channel from LINE \
                 Developers, \"Messaging API\", or leave the field empty"
            );
            return Err(wrong("other_channel", detail));
        }
        PastedToken::Expired(words) => {
            return Err(wrong("expired_token", format!("LINE says: {words}; {fresh}")));
        }
        PastedToken::Revoked(words) => {
            return Err(wrong("revoked_token", format!("LINE says: {words}; {fresh}")));
        }
        PastedToken::Invalid(words) => {
            let detail = format!("LINE says: {words}; it may have been replaced by a newer one: {fresh}");
            return Err(wrong("invalid_token", detail));
        }
    }
    // LINE may still take it from certain addresses only (PLATFORM 4).
    let pasted = hub.line.account(given);
    match deadline.wait(pasted.bot_info()).await {
        Ok(_) => Ok(pasted),
        Err(LineError::Credentials { body, .. }) => {
            Err(wrong("invalid_token", format!("LINE says: {}; {fresh}", body.message)))
        }
        Err(error) => Err(no_bot(&error)),
    }
}
