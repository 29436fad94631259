//! The loop that carries sends to LINE: claim and commit, call, record and commit.
//!
//! A claim decides the next step by [`plan`], writes the request and the attempt's start, and commits before LINE is
//! called. Any number of dispatchers may work on one PostgreSQL. What a killed one leaves behind is an open attempt.
//! The places that calls take are shared among the accounts by `Places`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use line_client::{Cause, LineError, SentMessage, push_body, reply_body};
use tokio_util::sync::CancellationToken;

use super::SendListener;
use super::line::{Lines, outcome, refusal, words};
use super::model::{
    Fault, Next, Offer, OnItsWay, Origin, Outcome, Plan, Request, SettledMessage, State, after, plan,
};
use super::places::Places;
use super::repo::{self, Words};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, LogAndIgnore as _, Tx};
use crate::ids::{AccountId, SendId};
use crate::live::Notice;

/// How often the table is looked at without being woken.
const POLL: Duration = Duration::from_secs(1);
/// The longest a call may take, with the account and the token that it needs first; a single answer is awaited for 30 s.
const CALL_LIMIT: Duration = Duration::from_secs(45);
/// How long an attempt is left to the dispatcher that began it, unless that renews it. Well within a reply token's life:
/// a reply that a dead node leaves open can still be tried again. To be wrong about a node costs a call, no more, because
/// LINE takes a token and a retry key once.
const LEASE: Duration = Duration::from_secs(10);
/// How often a call under way renews its lease.
const RENEWAL: Duration = Duration::from_secs(3);
/// How long a send is left alone while its members are counted or its end is recorded: longer than any call.
const ASIDE: Duration = Duration::from_secs(60);
/// How long a member count that failed is left alone.
const COUNT_AGAIN: Duration = Duration::from_secs(5);
/// How long an account's other sends wait when LINE said that it is asked too fast.
const ACCOUNT_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause when the database does not answer.
const TROUBLE_PAUSE: Duration = Duration::from_secs(5);

/// Carries the hub's sends to LINE; cheap to clone.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    hub: Hub,
    lines: Arc<dyn Lines>,
    listeners: Vec<Arc<dyn SendListener>>,
    renewal: Duration,
    own: Own,
}

/// The attempts that this dispatcher works on, from the call to its record: however late it is, it does not take them
/// back from itself, which would throw an answer away that it has.
#[derive(Debug, Clone, Default)]
struct Own(Arc<Mutex<HashMap<SendId, i64>>>);

impl Own {
    fn attempts(&self) -> Vec<(SendId, i64)> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.iter().map(|(send, attempts)| (send.clone(), *attempts)).collect()
    }

    fn begin(&self, send: &OnItsWay) -> Working {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.insert(send.id.clone(), send.progress.attempts);
        Working { own: self.clone(), send: send.id.clone() }
    }
}

/// Takes the attempt off the list when dropped.
struct Working {
    own: Own,
    send: SendId,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.own.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.send);
    }
}

/// What is to be done about a send after the claim is committed.
#[derive(Debug)]
enum Step {
    /// Call LINE: the attempt has begun.
    Call(OnItsWay),
    /// Count the members of its group or room.
    Count(OnItsWay),
    /// Nothing can be done for it any more.
    End(OnItsWay, State, Fault, Words),
}

impl Step {
    const fn account(&self) -> &AccountId {
        match self {
            Self::Call(send) | Self::Count(send) | Self::End(send, ..) => &send.account,
        }
    }
}

/// What is to be recorded.
#[derive(Debug)]
enum Finding {
    Answer(OnItsWay, Answer),
    Members(OnItsWay, i64),
    /// The members could not be counted for now.
    Later(OnItsWay),
    End(OnItsWay, State, Fault, Words),
}

/// What LINE answered to a send.
#[derive(Debug)]
struct Answer {
    outcome: Outcome,
    accepted: Vec<SentMessage>,
    words: Words,
}

impl Dispatcher {
    /// The hub's dispatcher; `listeners` hear how sends end, in the transaction that records it, in this order.
    #[must_use]
    pub fn new(hub: &Hub, listeners: Vec<Arc<dyn SendListener>>) -> Self {
        Self {
            hub: hub.clone(),
            lines: Arc::new(hub.clone()),
            listeners,
            renewal: RENEWAL,
            own: Own::default(),
        }
    }

    /// The same with another way to LINE, for tests.
    #[must_use]
    pub fn with_lines(self, lines: Arc<dyn Lines>) -> Self {
        Self { lines, ..self }
    }

    /// The same renewing its leases so often.
    #[cfg(test)]
    pub(super) fn with_renewal(self, renewal: Duration) -> Self {
        Self { renewal, ..self }
    }

    /// Sends what is queued until `stop`; then waits for the calls under way and records what came of them.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = Duration::from_millis(100);
        // Only one process works on an SQLite file, so what is "sending" there at the start is an earlier one's.
        let mut recover_all = !self.hub.db.is_postgres();
        let mut places = Places::default();
        while !stop.is_cancelled() {
            places.clear();
            let mut wait = POLL;
            match self.claim(&places, recover_all).await {
                Ok(steps) => {
                    recover_all = false;
                    pause = Duration::from_millis(100);
                    if !steps.is_empty() {
                        wait = Duration::ZERO;
                    }
                    for step in steps {
                        let (dispatcher, stop, account) =
                            (self.clone(), stop.clone(), step.account().clone());
                        places.take(account, async move { dispatcher.take(step, &stop).await });
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn Error, "sends could not be claimed; trying again");
                    wait = pause;
                    pause = (pause * 2).min(TROUBLE_PAUSE);
                }
            }
            if wait.is_zero() {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.hub.outbox.woken() => {}
                true = places.one_ends() => {}
                () = stop.cancelled() => {}
            }
        }
        while places.one_ends().await {}
    }

    /// Sends what is due now, and what becomes due by it, until nothing is; for tests and for a first start.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn run_pending(&self) -> DbResult<()> {
        let stop = CancellationToken::new();
        loop {
            let steps = self.claim(&Places::default(), false).await?;
            if steps.is_empty() {
                return Ok(());
            }
            join_all(steps.into_iter().map(|step| self.take(step, &stop))).await;
        }
    }

    /// Decides the next step of as many sends as there are places for, and commits it.
    async fn claim(&self, places: &Places, recover_all: bool) -> DbResult<Vec<Step>> {
        let now = self.hub.now();
        if recover_all || repo::has_lost(&self.hub.db, now).await? {
            self.recover(recover_all, now).await?;
        }
        let shares = places.share(repo::waiting(&self.hub.db, now).await?);
        if shares.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.hub.db.begin().await?;
        let mut steps = Vec::new();
        for (account, share) in shares {
            let share = i64::try_from(share).unwrap_or(i64::MAX);
            for send in repo::due(&mut tx, &account, now, share).await? {
                steps.push(self.begin(&mut tx, send, now).await?);
            }
        }
        tx.commit().await?;
        Ok(steps)
    }

    /// Takes back the attempts that nobody works on any more.
    async fn recover(&self, all: bool, now: Timestamp) -> DbResult<()> {
        let mut tx = self.hub.db.begin().await?;
        for (send, attempts) in self.own.attempts() {
            repo::renew(&mut tx, &send, attempts, now.plus(LEASE)).await?;
        }
        let recovered = repo::recover(&mut tx, all, now).await?;
        tx.commit().await?;
        if recovered > 0 {
            tracing::warn!(recovered, "attempts were left open by a dispatcher that ended");
        }
        Ok(())
    }

    /// Decides one send's next step. Only an attempt changes its state; for the others it is left alone for a while,
    /// so that one whose end cannot be recorded holds up no other.
    async fn begin(&self, tx: &mut Tx, mut send: OnItsWay, now: Timestamp) -> DbResult<Step> {
        let push_cost = send.push_cost(now);
        loop {
            // Another system names the one token that it answers with; it is on disk from the beginning.
            let token = match send.origin {
                Origin::Proxy => None,
                _ => repo::newest_token(tx, &send.conversation, now).await?,
            };
            match plan(&send.progress, Offer { token, cost: push_cost }, now) {
                Plan::Repeat => {}
                Plan::Reply(token) => {
                    if !repo::claim_token(tx, &send, &token).await? {
                        continue;
                    }
                    send.body =
                        Some(reply_body(&token.token, &self.messages(tx, &send).await?, send.extras.silent));
                    send.retry_key = None;
                    send.progress.request = Some(Request::Reply(token));
                    send.progress.first_attempt_at = None;
                    repo::write(tx, &send, 0).await?;
                }
                Plan::Push(cost) => {
                    let (to, messages) = (&send.target.id, self.messages(tx, &send).await?);
                    let body = push_body(to, &messages, send.extras.silent, &send.extras.units);
                    if send.progress.request == Some(Request::Push) && send.body.as_ref() == Some(&body) {
                        repo::set_cost(tx, &send.id, cost).await?;
                    } else {
                        let key = uuid::Builder::from_random_bytes(self.hub.entropy.bytes()).into_uuid();
                        send.body = Some(body);
                        send.retry_key = Some(key.hyphenated().to_string());
                        send.progress.request = Some(Request::Push);
                        send.progress.first_attempt_at = None;
                        repo::write(tx, &send, cost).await?;
                    }
                }
                Plan::Count => {
                    repo::postpone(tx, &send.id, now.plus(ASIDE)).await?;
                    return Ok(Step::Count(send));
                }
                Plan::Fail(fault) => {
                    repo::postpone(tx, &send.id, now.plus(ASIDE)).await?;
                    let most = send.progress.terms.max_cost;
                    let detail =
                        push_cost.filter(|cost| send.progress.terms.allow_paid && *cost > most).map(|cost| {
                            format!(
                                "it would cost {cost} messages of the quota, and at most {most} are allowed"
                            )
                        });
                    return Ok(Step::End(send, State::Failed, fault, Words { detail, ..Words::default() }));
                }
                Plan::GiveUp => {
                    repo::postpone(tx, &send.id, now.plus(ASIDE)).await?;
                    return Ok(Step::End(send, State::Unknown, Fault::NoAnswer, Words::default()));
                }
            }
            repo::start(tx, &send.id, now, now.plus(LEASE)).await?;
            send.progress.attempts += 1;
            send.progress.first_attempt_at.get_or_insert(now);
            return Ok(Step::Call(send));
        }
    }

    async fn messages(&self, tx: &mut Tx, send: &OnItsWay) -> DbResult<Vec<serde_json::Value>> {
        Ok(repo::contents(tx, &send.id).await?.into_iter().map(|(_, content)| content).collect())
    }

    /// Ends a send as failed or unknown and tells the listeners.
    async fn end(
        &self,
        tx: &mut Tx,
        send: &OnItsWay,
        end: (State, Fault),
        words: &Words,
        now: Timestamp,
    ) -> DbResult<Vec<SettledMessage>> {
        if repo::settle(tx, send, end, words, now).await? {
            self.tell(tx, send).await
        } else {
            Ok(Vec::new())
        }
    }

    async fn tell(&self, tx: &mut Tx, send: &OnItsWay) -> DbResult<Vec<SettledMessage>> {
        let messages = repo::settled(tx, &send.id).await?;
        for listener in &self.listeners {
            listener.settled(tx, &messages).await?;
        }
        Ok(messages)
    }

    /// Asks LINE and records what came of it, insisting: an answer that is known must not become an open attempt
    /// because the database is away for a moment. At the end of the process it does.
    async fn take(&self, step: Step, stop: &CancellationToken) {
        let _working = match &step {
            Step::Call(send) => Some(self.own.begin(send)),
            Step::Count(_) | Step::End(..) => None,
        };
        let finding = match step {
            Step::Call(send) => {
                let answer = tokio::select! {
                    answer = self.call(&send) => answer,
                    never = self.hold(&send) => match never {},
                };
                Finding::Answer(send, answer)
            }
            Step::Count(send) => self.count(send).await,
            Step::End(send, state, fault, words) => Finding::End(send, state, fault, words),
        };
        let mut pause = Duration::from_millis(100);
        loop {
            match self.record(&finding).await {
                Ok(settled) => {
                    announce(&self.hub, &settled);
                    break;
                }
                Err(error) if error.is_transient() && !stop.is_cancelled() => {
                    tracing::warn!(
                        error = &error as &dyn Error,
                        "an answer of LINE was not recorded; trying again"
                    );
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn Error, "an answer of LINE could not be recorded");
                    break;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(TROUBLE_PAUSE);
        }
        self.hub.outbox.wake();
    }

    /// Keeps other dispatchers from an attempt while its call is under way.
    async fn hold(&self, send: &OnItsWay) -> Infallible {
        loop {
            tokio::time::sleep(self.renewal).await;
            let renewed = async {
                let mut tx = self.hub.db.begin().await?;
                let until = self.hub.now().plus(LEASE);
                repo::renew(&mut tx, &send.id, send.progress.attempts, until).await?;
                tx.commit().await
            };
            renewed.await.log_and_ignore("renewing the lease of a call");
        }
    }

    async fn call(&self, send: &OnItsWay) -> Answer {
        let nothing = |outcome| Answer { outcome, accepted: Vec::new(), words: Words::default() };
        let mut asked = false;
        let call = async {
            let line = match self.lines.line(&send.account).await {
                Ok(Some(line)) => line,
                Ok(None) => return nothing(Outcome::Disconnected),
                Err(error) => {
                    tracing::warn!(send = %send.id, detail = error.detail, "the account could not be read; trying again");
                    return nothing(Outcome::NotSent);
                }
            };
            asked = true;
            let body = Bytes::from(send.body.clone().unwrap_or_default());
            let sent = match (&send.progress.request, &send.retry_key) {
                (Some(Request::Push), Some(key)) => line.push(body, key).await,
                _ => line.reply(body).await,
            };
            match sent {
                Ok(sent) => {
                    let words = Words { request_id: sent.request_id, ..Words::default() };
                    Answer { outcome: Outcome::Accepted, accepted: sent.messages, words }
                }
                Err(error) => {
                    tracing::info!(send = %send.id, attempt = send.progress.attempts, error = &error as &dyn Error, "not sent");
                    if matches!(error, LineError::Credentials { .. }) {
                        self.lines.credentials_refused(&send.account);
                    }
                    let mut words = said(&error);
                    words.answer = (send.origin == Origin::Proxy).then(|| refusal(&error)).flatten();
                    Answer { outcome: outcome(&error), accepted: Vec::new(), words }
                }
            }
        };
        let answer = tokio::time::timeout(CALL_LIMIT, call).await;
        answer.unwrap_or_else(|_| nothing(if asked { Outcome::Open } else { Outcome::NotSent }))
    }

    async fn count(&self, send: OnItsWay) -> Finding {
        let failed = |send, fault, words| Finding::End(send, State::Failed, fault, words);
        let count = async {
            match self.lines.line(&send.account).await {
                Ok(Some(line)) => Some(line.members(&send.target).await),
                Ok(None) => None,
                Err(_) => Some(Err(LineError::NotSent { cause: Cause::Timeout, request_id: None })),
            }
        };
        match tokio::time::timeout(CALL_LIMIT, count).await {
            Ok(None) => failed(send, Fault::Disconnected, Words::default()),
            Ok(Some(Ok(Some(members)))) => Finding::Members(send, i64::try_from(members).unwrap_or(i64::MAX)),
            Ok(Some(Ok(None))) => {
                let detail = Some("the account is not in this group or room".to_owned());
                failed(send, Fault::LineRefused, Words { detail, ..Words::default() })
            }
            Ok(Some(Err(error @ LineError::Refused { .. }))) => {
                failed(send, Fault::LineRefused, said(&error))
            }
            Ok(Some(Err(error @ LineError::Credentials { .. }))) => {
                self.lines.credentials_refused(&send.account);
                failed(send, Fault::Credentials, said(&error))
            }
            Ok(Some(Err(_))) | Err(_) => Finding::Later(send),
        }
    }

    /// Records a finding in one transaction; gives the messages that came to their end by it.
    async fn record(&self, finding: &Finding) -> DbResult<Vec<SettledMessage>> {
        let now = self.hub.now();
        let mut tx = self.hub.db.begin().await?;
        let settled = match finding {
            Finding::Answer(send, answer) => self.record_answer(&mut tx, send, answer, now).await?,
            Finding::End(send, state, fault, words) => {
                self.end(&mut tx, send, (*state, *fault), words, now).await?
            }
            Finding::Members(send, members) => {
                repo::counted(&mut tx, &send.id, *members, now).await?;
                Vec::new()
            }
            Finding::Later(send) => {
                repo::postpone(&mut tx, &send.id, now.plus(COUNT_AGAIN)).await?;
                Vec::new()
            }
        };
        tx.commit().await?;
        Ok(settled)
    }

    async fn record_answer(
        &self,
        tx: &mut Tx,
        send: &OnItsWay,
        answer: &Answer,
        now: Timestamp,
    ) -> DbResult<Vec<SettledMessage>> {
        let words = &answer.words;
        match after(&send.progress, &answer.outcome, now, self.hub.entropy.below(1 << 20)) {
            Next::Sent { presumed } => {
                let accepted = (presumed, answer.accepted.as_slice());
                if repo::settle_sent(tx, &send.id, accepted, words, now).await? {
                    return self.tell(tx, send).await;
                }
            }
            Next::Retry { at, open } => {
                repo::put_back(tx, send, true, (at, open), words).await?;
                if matches!(answer.outcome, Outcome::Wait(_)) {
                    repo::postpone_account(tx, &send.account, now.plus(ACCOUNT_PAUSE)).await?;
                }
            }
            Next::Replan => repo::put_back(tx, send, false, (now, false), words).await?,
            Next::Failed(fault) => {
                if let Some(Request::Reply(token)) = &send.progress.request
                    && !send.progress.open
                {
                    // The message was refused, not the token: the next answer may still be free.
                    repo::release_token(tx, send, token).await?;
                }
                return self.end(tx, send, (State::Failed, fault), words, now).await;
            }
            Next::Unknown(fault) => return self.end(tx, send, (State::Unknown, fault), words, now).await,
        }
        Ok(Vec::new())
    }
}

/// Tells the browsers and who waits, after the commit.
pub(super) fn announce(hub: &Hub, settled: &[SettledMessage]) {
    for message in settled {
        hub.outbox.tell(&message.delivery.send);
        hub.live.publish(Notice {
            tenant: message.tenant.clone(),
            account: Some(message.account.clone()),
            kind: "delivery",
            id: message.delivery.message.as_str().to_owned(),
            conversation: Some(message.conversation.clone()),
        });
    }
}

fn said(error: &LineError) -> Words {
    let request_id = error.request_id().map(str::to_owned);
    Words { detail: Some(words(error)), request_id, answer: None }
}
