//! Sends webhooks as LINE does (PLATFORM 15): one address per channel, signed over the exact bytes, two seconds to answer,
//! redelivery when it is switched on.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use url::Url;

use crate::Inner;
use crate::faults::{Fault, Kind, On};
use crate::world::{Delivery, World};

/// How long the account's server may take (PLATFORM 15).
const DEADLINE: Duration = Duration::from_secs(2);
/// When a failed webhook is sent again, after the failure. LINE publishes no numbers; these are CONTRACT 2's.
const REDELIVER_AFTER_MS: [i64; 3] = [1_000, 10_000, 60_000];
/// How long a reply token lives after receipt, and at most after its event (PLATFORM 17).
pub(crate) const REPLY_TOKEN_MS: i64 = 60_000;
const REPLY_TOKEN_LIMIT_MS: i64 = 20 * 60_000;
/// How many requests of one channel are under way at once. LINE publishes no number.
const IN_FLIGHT: usize = 32;
/// The most events that a batch holds. LINE publishes no number.
const BATCH: usize = 100;
/// How many attempts are kept.
const DELIVERIES_KEPT: usize = 100_000;

/// An event on its way.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) event: Value,
    pub(crate) reply_token: Option<String>,
    /// The bot to whose account the event belongs: the channel's own, or one that a module is attached to.
    pub(crate) destination: String,
}

impl Parcel {
    /// Events of the same lane follow each other: those of one chat, or those that name none.
    fn lane(&self) -> String {
        let source = self.event.get("source");
        let id = ["groupId", "roomId", "userId"].iter().find_map(|name| source?.get(name)?.as_str());
        id.unwrap_or_default().to_owned()
    }
}

/// How an attempt ended, in LINE's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
}

impl Outcome {
    fn answered(status: u16) -> Self {
        let reason = if (200..300).contains(&status) { "OK" } else { "ERROR_STATUS_CODE" };
        Self { status, reason, detail: status.to_string() }
    }

    fn unreachable(detail: impl Into<String>) -> Self {
        Self { status: 0, reason: "COULD_NOT_CONNECT", detail: detail.into() }
    }

    fn timeout() -> Self {
        Self { status: 0, reason: "REQUEST_TIMEOUT", detail: "Request timeout".into() }
    }

    fn broken() -> Self {
        Self { status: 0, reason: "UNCLASSIFIED", detail: "Session closed unexpectedly".into() }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.reason == "OK"
    }
}

/// The client all webhooks go through: keep-alive connections, no proxy, no redirects.
pub(crate) fn client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .user_agent("LineBotWebhook/2.0")
        .timeout(DEADLINE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())
}

/// The queue of a channel's webhooks, sent from now on.
pub(crate) fn queue(inner: &Arc<Inner>, channel: &str) -> mpsc::UnboundedSender<Parcel> {
    let (outgoing, queue) = mpsc::unbounded_channel();
    tokio::spawn(run(Arc::downgrade(inner), channel.to_owned(), queue));
    outgoing
}

/// What goes out in one request.
#[derive(Debug)]
struct Load {
    parcels: Vec<Parcel>,
    fault: Option<Fault>,
}

/// A channel's requests that wait, by the chat they belong to.
#[derive(Debug, Default)]
struct Lanes {
    /// What waits behind a request of its chat that is ready or under way; a chat is here as long as it has one.
    behind: HashMap<String, VecDeque<Load>>,
    /// The next request of each chat that has none under way.
    ready: VecDeque<(String, Load)>,
    workers: usize,
}

impl Lanes {
    /// Puts a request at the end of its chat. True when one more worker has to take part.
    fn put(&mut self, lane: &str, load: Load) -> bool {
        if let Some(behind) = self.behind.get_mut(lane) {
            behind.push_back(load);
            return false;
        }
        self.behind.insert(lane.to_owned(), VecDeque::new());
        self.ready.push_back((lane.to_owned(), load));
        let more = self.workers < IN_FLIGHT;
        self.workers += usize::from(more);
        more
    }

    /// Ends the request of a chat and gives the next one of any; `None` sends the worker home.
    fn next(&mut self, done: Option<String>) -> Option<(String, Load)> {
        if let Some(lane) = done {
            match self.behind.get_mut(&lane).and_then(VecDeque::pop_front) {
                Some(load) => self.ready.push_back((lane, load)),
                None => drop(self.behind.remove(&lane)),
            }
        }
        let next = self.ready.pop_front();
        self.workers -= usize::from(next.is_none());
        next
    }
}

/// Sends one channel's webhooks until the channel or the sandbox is gone: those of one chat one after another, those of different
/// chats side by side, so that a slow answer holds up nobody else (LINE promises no order at all, PLATFORM 15).
async fn run(sandbox: Weak<Inner>, channel: String, mut queue: mpsc::UnboundedReceiver<Parcel>) {
    let lanes: Arc<Mutex<Lanes>> = Arc::default();
    let channel: Arc<str> = channel.into();
    while let Some(parcel) = queue.recv().await {
        let Some(inner) = sandbox.upgrade() else { return };
        let fault = inner.webhook_fault(&channel);
        drop(inner);
        let lane = parcel.lane();
        for load in pack(parcel, fault, &mut queue).await {
            let more = lanes.lock().unwrap_or_else(PoisonError::into_inner).put(&lane, load);
            if more {
                tokio::spawn(work(sandbox.clone(), Arc::clone(&channel), Arc::clone(&lanes)));
            }
        }
    }
}

/// Sends what is ready until nothing is.
async fn work(sandbox: Weak<Inner>, channel: Arc<str>, lanes: Arc<Mutex<Lanes>>) {
    let mut done = None;
    loop {
        let next = lanes.lock().unwrap_or_else(PoisonError::into_inner).next(done.take());
        let Some((lane, load)) = next else { return };
        let Some(inner) = sandbox.upgrade() else { return };
        inner.deliver(&channel, load).await;
        done = Some(lane);
    }
}

/// The requests in which an event goes out: alone, or with and after others under a fault that says so.
async fn pack(
    parcel: Parcel,
    fault: Option<Fault>,
    queue: &mut mpsc::UnboundedReceiver<Parcel>,
) -> Vec<Load> {
    let alone = |parcel, fault| Load { parcels: vec![parcel], fault };
    let wait = |fault: &Fault| if fault.ms > 0 { fault.delay() } else { Duration::from_secs(1) };
    match fault {
        // The next event overtakes this one; without a next one it goes out late.
        Some(fault) if fault.kind == Kind::Reorder => {
            let next = tokio::time::timeout(wait(&fault), queue.recv()).await.ok().flatten();
            next.into_iter().chain([parcel]).map(|parcel| alone(parcel, None)).collect()
        }
        // What comes meanwhile goes along, whoever it is from.
        Some(fault) if fault.kind == Kind::Batch => {
            let mut parcels = vec![parcel];
            let end = tokio::time::Instant::now() + wait(&fault);
            while parcels.len() < BATCH {
                let Ok(Some(next)) = tokio::time::timeout_at(end, queue.recv()).await else { break };
                parcels.push(next);
            }
            // A request speaks of one account; a module may be on several.
            let mut loads: Vec<Load> = Vec::new();
            for parcel in parcels {
                let same = |load: &&mut Load| {
                    load.parcels.first().is_some_and(|first| first.destination == parcel.destination)
                };
                match loads.iter_mut().find(same) {
                    Some(load) => load.parcels.push(parcel),
                    None => loads.push(alone(parcel, None)),
                }
            }
            loads
        }
        fault => vec![alone(parcel, fault)],
    }
}

impl Inner {
    /// The fault that strikes the next webhook of a channel, if any.
    fn webhook_fault(&self, channel: &str) -> Option<Fault> {
        if !self.faulty.load(Ordering::Acquire) {
            return None;
        }
        let url = self.webhook_address(channel)?;
        self.strike(On::Webhook, "POST", url.path())
    }

    /// The webhook's address, when the channel exists, has one, and "Use webhook" is on.
    fn webhook_address(&self, channel: &str) -> Option<Url> {
        let world = self.world();
        let channel = world.channels.get(channel).filter(|channel| channel.settings.use_webhook)?;
        Url::parse(channel.endpoint.as_deref()?).ok()
    }

    /// The first attempt; a failure schedules the redeliveries.
    async fn deliver(self: &Arc<Self>, channel: &str, load: Load) {
        let duplicate = load.fault.as_ref().is_some_and(|fault| fault.kind == Kind::Duplicate);
        let Some(outcome) = self.attempt(channel, &load.parcels, 1, load.fault).await else { return };
        if duplicate {
            self.attempt(channel, &load.parcels, 1, None).await;
        }
        if !outcome.is_ok() {
            let sandbox = Arc::downgrade(self);
            tokio::spawn(redeliver(sandbox, channel.to_owned(), load.parcels, self.clock.now()));
        }
    }

    /// One attempt, recorded; `None` when the channel no longer takes webhooks.
    async fn attempt(
        &self,
        channel: &str,
        parcels: &[Parcel],
        attempt: u32,
        fault: Option<Fault>,
    ) -> Option<Outcome> {
        let (url, secret, destination) = {
            let now = self.clock.now();
            let mut world = self.world();
            let found = world.channels.get(channel).filter(|channel| channel.settings.use_webhook)?;
            let destination = parcels.first().map(|parcel| parcel.destination.clone())?;
            let target = (found.endpoint.clone()?, found.secret.clone(), destination);
            for token in parcels.iter().filter_map(|parcel| parcel.reply_token.as_ref()) {
                renew(&mut world, token, now);
            }
            target
        };
        let body = match attempt {
            1 => body(&destination, parcels.iter().map(|parcel| &parcel.event)),
            _ => {
                let again: Vec<Value> = parcels.iter().map(|parcel| redelivered(&parcel.event)).collect();
                body(&destination, &again)
            }
        };
        Some(self.post(channel, &url, &secret, body, attempt, fault).await)
    }

    /// Posts signed bytes, waits at most two seconds, and records the attempt.
    async fn post(
        &self,
        channel: &str,
        url: &str,
        secret: &str,
        body: String,
        attempt: u32,
        fault: Option<Fault>,
    ) -> Outcome {
        let at = self.clock.now();
        let signature = line_api::signature::sign(secret, body.as_bytes());
        let started = Instant::now();
        let outcome = match fault {
            None => self.exchange(url, &signature, &body).await,
            Some(fault) => self.exchange_with(&fault, url, &signature, &body).await,
        };
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut world = self.world();
        let delivery = Delivery {
            id: world.deliveries.back().map_or(1, |last| last.id + 1),
            channel: channel.to_owned(),
            at,
            url: url.to_owned(),
            body,
            signature,
            attempt,
            status: outcome.status,
            reason: outcome.reason,
            detail: outcome.detail.clone(),
            duration_ms,
        };
        let kept = world.deliveries.len();
        let oldest = if kept >= DELIVERIES_KEPT { world.deliveries.pop_front() } else { None };
        world.deliveries.push_back(delivery);
        drop(world);
        // Freed without holding up the others.
        drop(oldest);
        outcome
    }

    /// The exchange under a fault: what LINE would see if the line or the server failed so.
    async fn exchange_with(&self, fault: &Fault, url: &str, signature: &str, body: &str) -> Outcome {
        match fault.kind {
            Kind::Status => Outcome::answered(fault.status),
            Kind::Reset => Outcome::broken(),
            Kind::Hang => {
                tokio::select! {
                    () = tokio::time::sleep(DEADLINE) => Outcome::timeout(),
                    () = fault.released.cancelled() => Outcome::broken(),
                    () = self.stop.cancelled() => Outcome::broken(),
                }
            }
            Kind::Delay => {
                tokio::time::sleep(fault.delay()).await;
                self.exchange(url, signature, body).await
            }
            Kind::LoseAnswer => {
                self.exchange(url, signature, body).await;
                Outcome::broken()
            }
            Kind::Duplicate | Kind::Reorder | Kind::Batch => self.exchange(url, signature, body).await,
        }
    }

    /// The bare HTTP exchange.
    async fn exchange(&self, url: &str, signature: &str, body: &str) -> Outcome {
        let client = match &self.http {
            Ok(client) => client,
            Err(error) => return Outcome::unreachable(error.clone()),
        };
        let sent = client
            .post(url)
            .header("content-type", "application/json; charset=utf-8")
            .header("x-line-signature", signature)
            .body(body.to_owned())
            .send()
            .await;
        match sent {
            Ok(mut response) => {
                let status = response.status().as_u16();
                // The answer's body is ignored (PLATFORM 15) but read a little, so that the connection can be kept.
                let mut left = 64 * 1024_usize;
                while let Ok(Some(chunk)) = response.chunk().await {
                    left = left.saturating_sub(chunk.len());
                    if left == 0 {
                        break;
                    }
                }
                Outcome::answered(status)
            }
            Err(error) => explain(url, &error),
        }
    }

    /// LINE's own test of an address with an empty batch, whether or not "Use webhook" is on (PLATFORM 6).
    pub(crate) async fn test_webhook(
        &self,
        channel: &str,
        url: &str,
        secret: &str,
        destination: &str,
    ) -> Outcome {
        let path = Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
        let fault = self.strike(On::Webhook, "POST", &path);
        self.post(channel, url, secret, body(destination, &[]), 1, fault).await
    }
}

impl Inner {
    /// Sends a kept webhook once more, as a redelivery to the channel's present address with its present secret; the record's
    /// number is found at `deliveries`. `None` when the delivery is not kept or its channel has no address.
    pub(crate) async fn send_again(&self, id: u64) -> Option<Outcome> {
        let (channel, url, secret, body, attempt) = {
            let now = self.clock.now();
            let mut world = self.world();
            let delivery = world.deliveries.iter().rev().find(|delivery| delivery.id == id)?.clone();
            let channel = world.channels.get(&delivery.channel)?;
            let (url, secret) = (channel.endpoint.clone()?, channel.secret.clone());
            let sent: Value = serde_json::from_str(&delivery.body).ok()?;
            let events: Vec<Value> =
                sent.get("events").and_then(Value::as_array).into_iter().flatten().map(redelivered).collect();
            for token in events.iter().filter_map(|event| event.get("replyToken")?.as_str()) {
                renew(&mut world, token, now);
            }
            let destination = sent.get("destination").and_then(Value::as_str).unwrap_or_default();
            let body = body(destination, &events);
            (delivery.channel, url, secret, body, delivery.attempt + 1)
        };
        let path = Url::parse(&url).map(|url| url.path().to_owned()).unwrap_or_default();
        let fault = self.strike(On::Webhook, "POST", &path);
        Some(self.post(&channel, &url, &secret, body, attempt, fault).await)
    }
}

/// A reply token counts from when its webhook goes out, also again, but ends 20 minutes after its event (PLATFORM 17).
fn renew(world: &mut World, token: &str, now: i64) {
    if let Some(token) = world.reply_tokens.get_mut(token) {
        token.valid_until = (now + REPLY_TOKEN_MS).min(token.event_at + REPLY_TOKEN_LIMIT_MS);
    }
}

/// Sends a failed request again, after the times of CONTRACT 2, while the channel asks for it.
async fn redeliver(sandbox: Weak<Inner>, channel: String, parcels: Vec<Parcel>, failed_at: i64) {
    for (attempt, wait) in (2..).zip(REDELIVER_AFTER_MS) {
        let Some(clock) = sandbox.upgrade().map(|inner| Arc::clone(&inner.clock)) else { return };
        clock.sleep_until(failed_at + wait).await;
        let Some(inner) = sandbox.upgrade() else { return };
        let wanted = inner.world().channels.get(&channel).map(|channel| channel.settings.redelivery);
        match wanted {
            None => return,
            Some(false) => continue,
            Some(true) => {}
        }
        let fault =
            inner.webhook_address(&channel).and_then(|url| inner.strike(On::Webhook, "POST", url.path()));
        if inner.attempt(&channel, &parcels, attempt, fault).await.is_some_and(|outcome| outcome.is_ok()) {
            return;
        }
    }
}

/// The event as it comes again.
fn redelivered(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(context) = event.get_mut("deliveryContext") {
        *context = json!({ "isRedelivery": true });
    }
    event
}

/// The body of a webhook, characters outside the BMP escaped as LINE does (PLATFORM 15).
pub(crate) fn body<'e>(destination: &str, events: impl IntoIterator<Item = &'e Value>) -> String {
    let mut plain = format!("{{\"destination\":{},\"events\":[", Value::from(destination));
    for (place, event) in events.into_iter().enumerate() {
        plain.push_str(if place > 0 { "," } else { "" });
        plain.push_str(&event.to_string());
    }
    plain.push_str("]}");
    if plain.chars().all(|c| c <= '\u{FFFF}') {
        return plain;
    }
    let mut escaped = String::with_capacity(plain.len() + 16);
    for c in plain.chars() {
        if c <= '\u{FFFF}' {
            escaped.push(c);
        } else {
            // Such characters stand only inside JSON strings, where an escape may replace them.
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04X}"));
            }
        }
    }
    escaped
}

/// LINE's reason and detail for a failed exchange (PLATFORM 15, error statistics).
fn explain(url: &str, error: &reqwest::Error) -> Outcome {
    if error.is_timeout() {
        return Outcome::timeout();
    }
    if error.is_builder() {
        return Outcome::unreachable("Invalid URL syntax");
    }
    if !error.is_connect() {
        return Outcome::broken();
    }
    let mut chain = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        chain.push_str(&cause.to_string().to_lowercase());
        source = cause.source();
    }
    if chain.contains("dns") {
        Outcome::unreachable("Unknown host")
    } else if chain.contains("certificate") || chain.contains("tls") || chain.contains("handshake") {
        Outcome::unreachable(format!("TLS handshake failure: {url}"))
    } else {
        Outcome::unreachable("Connection failed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PLATFORM 15: emoji outside the BMP arrive as `\uD83D\uDE00`.
    #[test]
    fn astral_characters_are_escaped() {
        let body = body("U1", &[json!({ "text": "hi \u{1F600} 茶" })]);
        assert_eq!(body, r#"{"destination":"U1","events":[{"text":"hi \uD83D\uDE00 茶"}]}"#);
        let back: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(back["events"][0]["text"], "hi \u{1F600} 茶");
    }

    /// PLATFORM 15: the empty batch of Verify, with the published signature vector.
    #[test]
    fn the_empty_batch_is_the_published_one() {
        let body = body("U8e742f61d673b39c7fff3cecb7536ef0", &[]);
        let signature = line_api::signature::sign("8c570fa6dd201bb328f1c1eac23a96d8", body.as_bytes());
        assert_eq!(signature, "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=");
    }
}
