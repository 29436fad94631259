//! `trunkline bench faults`: kills the hub again and again while friends write and agents answer, then counts.
//!
//! The sandbox lives in this process and stands for LINE, redelivery switched on; the hub is a child that is killed with
//! SIGKILL. In the end, from what the sandbox's deliveries and phones saw:
//!
//! - an event answered 200 that is not in its conversation is *lost*, one that is there twice is *doubled*;
//! - an answer taken by the API (202) that is on no phone is *lost* unless the hub says *failed* or *unknown*, one that is
//!   on a phone twice is *doubled*; those that end *unknown* are counted apart.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use hub::clock::Entropy;
use serde_json::{Value, json};

use super::child::Place;
use super::faults_relay;
use super::stage::{self, Channel, Friend, Stage};
use crate::http::{Client, items, text};
use crate::say;

/// How to break it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the hub is killed
    #[arg(long, default_value_t = 200)]
    pub(super) kills: u32,
    /// An empty PostgreSQL database in place of SQLite
    #[arg(long, value_name = "URL")]
    pub(super) postgres: Option<String>,
    /// Friends who write at the same time
    #[arg(long, default_value_t = 12)]
    pub(super) friends: usize,
    /// Decides when the hub is killed
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Destinations that misbehave in place of agents who answer
    #[arg(long)]
    relay: bool,
}

/// How long the hub may take to finish what is left after the last kill.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a killed hub held on PostgreSQL is another's after this long at the latest; nothing is lost before.
const LEASES: Duration = Duration::from_secs(30);

/// Runs, counts, prints; a failure code when anything was lost or doubled.
///
/// # Errors
/// The run itself could not be done.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    if options.relay {
        return Box::pin(faults_relay::run(options)).await;
    }
    let begun = Instant::now();
    let stage = Stage::open().await?;
    let folder = tempfile::Builder::new().prefix("trunkline-faults-").tempdir()?;
    let place =
        Place { data_dir: folder.path().to_owned(), postgres: options.postgres, line: stage.line.clone() };
    let key = place.key().await?;
    let channel = stage.channel().await?;
    // One port for the whole run: the webhook's address stays.
    let listen = crate::lifecycle::bind(([127, 0, 0, 1], 0).into()).await?.local_addr()?.to_string();
    let mut hub = place.start(&["serve"], &listen).await?;
    let api = Client::api(&hub.origin, key)?;
    let account = text(&stage::connect(&api, &channel, true).await?, "/id")?;
    let friends = stage.friends(&channel, options.friends).await?;

    let play = Arc::new(Play {
        stage,
        api,
        account,
        channel,
        friends,
        over: AtomicBool::new(false),
        asked: Mutex::default(),
    });
    play.known().await?;
    let actors = play.clone().begin();
    let dice = Entropy::seeded(options.seed);
    for kill in 1..=options.kills {
        tokio::time::sleep(Duration::from_millis(20 + dice.below(600))).await;
        if !hub.is_alive() {
            bail!("the hub ended by itself");
        }
        hub.kill().await?;
        // Also while it starts: every tenth time it is killed before it is ready.
        if dice.below(10) == 0 {
            place.start_and_kill(&["serve"], &listen, Duration::from_millis(dice.below(150))).await?;
        }
        hub = place.start(&["serve"], &listen).await?;
        if kill % 20 == 0 {
            say(format!("killed {kill} times in {} s", begun.elapsed().as_secs()));
        }
    }
    play.over.store(true, Ordering::SeqCst);
    for actor in actors {
        actor.await?;
    }
    let counts = play.settle().await?;
    hub.kill().await?;
    say(format!("{counts}\nkilled {} times in {} s", options.kills, begun.elapsed().as_secs()));
    Ok(if counts.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Who takes part, and what agents asked for.
struct Play {
    stage: Stage,
    api: Client,
    account: String,
    channel: Channel,
    friends: Vec<Friend>,
    over: AtomicBool,
    asked: Mutex<Vec<Asked>>,
}

/// An answer that an agent gave.
#[derive(Debug, Clone)]
struct Asked {
    text: String,
    /// Whether the API said 202; when the hub died meanwhile, nobody knows.
    taken: bool,
}

impl Play {
    /// Waits until every friend has a conversation, so that agents can answer from the first moment on.
    async fn known(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        for place in 0..self.friends.len() {
            while let Err(error) = self.conversation(place).await {
                if begun.elapsed() > PATIENCE {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Friends write, agents answer, until it is over.
    fn begin(self: Arc<Self>) -> Vec<tokio::task::JoinHandle<()>> {
        let friends = (0..self.friends.len()).map(|place| tokio::spawn(self.clone().friend(place)));
        let agents = (0..self.friends.len()).map(|place| tokio::spawn(self.clone().agent(place)));
        friends.chain(agents).collect()
    }

    async fn friend(self: Arc<Self>, place: usize) {
        let Some(friend) = self.friends.get(place) else { return };
        let mut number = 0;
        while !self.over.load(Ordering::SeqCst) {
            number += 1;
            let message = json!({ "type": "text", "text": format!("f{place}-{number}") });
            let body = json!({ "channelId": self.channel.id, "message": message });
            // The sandbox is in this process; it always answers.
            drop(self.stage.control.post(&format!("/users/{}/messages", friend.user), body).await);
            // Every other friend writes seldom, so that the answers outlast the reply tokens and become pushes.
            let pause = if place.is_multiple_of(2) { 100 } else { 1500 };
            tokio::time::sleep(Duration::from_millis(pause + 7 * u64::try_from(place).unwrap_or(0))).await;
        }
    }

    /// Answers the friend again and again. A call that the hub's death cut off is not repeated: nobody knows whether it
    /// was taken, so it may be on the phone once or not at all.
    async fn agent(self: Arc<Self>, place: usize) {
        let mut conversation = None;
        let mut number = 0;
        while !self.over.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(150 + 11 * u64::try_from(place).unwrap_or(0))).await;
            if conversation.is_none() {
                conversation = self.conversation(place).await.ok();
            }
            let Some(id) = &conversation else { continue };
            number += 1;
            let text = format!("a{place}-{number}");
            let body = json!({ "messages": [{ "type": "text", "text": text }], "allow_paid": true });
            let taken = self.api.post(&format!("/conversations/{id}/messages"), body).await.is_ok();
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { text, taken });
        }
    }

    async fn conversation(&self, place: usize) -> anyhow::Result<String> {
        let friend = self.friends.get(place).context("no such friend")?;
        let contacts = self.api.get(&format!("/contacts?account_id={}&limit=200", self.account)).await?;
        let contact =
            items(&contacts).iter().find(|contact| contact.get("external_id") == Some(&json!(friend.id)));
        let contact = text(contact.context("not known yet")?, "/id")?;
        let conversations =
            self.api.get(&format!("/conversations?account_id={}&limit=200", self.account)).await?;
        let found =
            items(&conversations).iter().find(|item| item.pointer("/contact/id") == Some(&json!(contact)));
        text(found.context("not known yet")?, "/id")
    }

    /// All messages of a friend's conversation, as the hub tells them.
    async fn messages(&self, place: usize) -> anyhow::Result<Vec<Value>> {
        let path = format!("/conversations/{}/messages?limit=200", self.conversation(place).await?);
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.api.get(&format!("{path}{cursor}")).await?;
            all.extend(items(&page).iter().cloned());
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    /// Waits until LINE has sent again what failed and the hub has sent what waits; then counts.
    async fn settle(&self) -> anyhow::Result<Counts> {
        // First what the last kill left open. Only the sandbox's clock is turned: a token that is dead by that and alive by
        // the hub's would be refused as one that was used, and the answer taken for sent.
        let begun = Instant::now();
        while self.count().await?.waiting > 0 && begun.elapsed() < LEASES {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let begun = Instant::now();
        // The last redelivery comes a minute after the failure, by the sandbox's clock.
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.stage.control.post("/clock", json!({ "advanceMs": 61_000 })).await?;
        }
        let mut before = None;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let counts = self.count().await?;
            let is_quiet = counts.waiting == 0 && before.as_ref() == Some(&counts);
            if is_quiet && (counts.is_sound() || begun.elapsed() > LEASES) {
                return Ok(counts);
            }
            if begun.elapsed() > PATIENCE {
                say("the hub did not become quiet in time");
                return Ok(counts);
            }
            before = Some(counts);
        }
    }

    async fn count(&self) -> anyhow::Result<Counts> {
        let mut counts = Counts::default();
        let deliveries =
            self.stage.control.get(&format!("/deliveries?channelId={}", self.channel.id)).await?;
        let (accepted, refused) = accepted(items(&deliveries));
        counts.accepted = accepted.len();
        counts.not_accepted = refused.difference(&accepted).count();
        let mut incoming: BTreeMap<String, usize> = BTreeMap::new();
        let mut outgoing: BTreeMap<String, Value> = BTreeMap::new();
        let mut phones: BTreeMap<String, usize> = BTreeMap::new();
        for (place, friend) in self.friends.iter().enumerate() {
            for message in self.messages(place).await? {
                let Ok(text) = text(&message, "/content/text") else { continue };
                if message.get("direction") == Some(&json!("in")) {
                    *incoming.entry(text).or_default() += 1;
                } else {
                    outgoing.insert(text, message.get("delivery").cloned().unwrap_or_default());
                }
            }
            for item in items(&self.stage.timeline(&self.channel, friend).await?) {
                if item.get("from") == Some(&json!("account")) {
                    *phones.entry(text(item, "/message/text")?).or_default() += 1;
                }
            }
        }
        counts.events_lost = accepted.iter().filter(|text| !incoming.contains_key(*text)).count();
        counts.events_doubled = incoming.values().filter(|times| **times > 1).count();
        counts.sends_doubled = phones.values().filter(|times| **times > 1).count();
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        counts.taken = asked.iter().filter(|asked| asked.taken).count();
        counts.cut_off = asked.len() - counts.taken;
        for asked in asked {
            let state =
                outgoing.get(&asked.text).and_then(|delivery| delivery.get("state")).and_then(Value::as_str);
            let shown = phones.contains_key(&asked.text);
            match state {
                Some("sent") if shown => {
                    match outgoing.get(&asked.text).and_then(|delivery| delivery.get("via")) {
                        Some(via) if via == "reply" => counts.replies += 1,
                        _ => counts.pushes += 1,
                    }
                }
                Some("unknown") if shown => counts.unknown_shown += 1,
                Some("unknown") => counts.unknown_not_shown += 1,
                Some("failed") if !shown => counts.failed += 1,
                Some("queued" | "sending") => counts.waiting += 1,
                // On a phone though the hub says failed, or not on it though it says sent, or not known to it at all.
                None if !asked.taken && !shown => {}
                _ => {
                    let said = outgoing.get(&asked.text).unwrap_or(&Value::Null);
                    counts.lost.push(format!("{}, on a phone: {shown}, the hub says {said}", asked.text));
                }
            }
        }
        Ok(counts)
    }
}

/// The texts of events that were answered 200 at least once, and of those that were refused at least once.
pub(super) fn accepted(deliveries: &[Value]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut accepted = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for delivery in deliveries {
        let body = delivery
            .get("body")
            .and_then(Value::as_str)
            .and_then(|body| serde_json::from_str::<Value>(body).ok());
        let Some(body) = body else { continue };
        let texts = body.get("events").and_then(Value::as_array).into_iter().flatten();
        let texts = texts.filter_map(|event| event.pointer("/message/text")?.as_str().map(str::to_owned));
        if delivery.get("status") == Some(&json!(200)) {
            accepted.extend(texts);
        } else {
            refused.extend(texts);
        }
    }
    (accepted, refused)
}

/// What a run showed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    accepted: usize,
    not_accepted: usize,
    events_lost: usize,
    events_doubled: usize,
    taken: usize,
    cut_off: usize,
    replies: usize,
    pushes: usize,
    /// What is known of each answer that was lost.
    lost: Vec<String>,
    sends_doubled: usize,
    unknown_shown: usize,
    unknown_not_shown: usize,
    failed: usize,
    waiting: usize,
}

impl Counts {
    const fn is_sound(&self) -> bool {
        self.events_lost
            + self.events_doubled
            + self.lost.len()
            + self.sends_doubled
            + self.failed
            + self.waiting
            == 0
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "events    accepted {}, lost {}, doubled {}",
            self.accepted, self.events_lost, self.events_doubled
        )?;
        writeln!(f, "          never accepted, though sent again {}", self.not_accepted)?;
        writeln!(f, "messages  taken {}, cut off by a kill {}", self.taken, self.cut_off)?;
        writeln!(f, "          on a phone: as reply {}, as push {}", self.replies, self.pushes)?;
        writeln!(
            f,
            "          lost {}, doubled {}, failed {}, still waiting {}",
            self.lost.len(),
            self.sends_doubled,
            self.failed,
            self.waiting
        )?;
        write!(
            f,
            "          unknown and on a phone {}, unknown and not on a phone {}",
            self.unknown_shown, self.unknown_not_shown
        )?;
        self.lost.iter().try_for_each(|lost| write!(f, "\nlost      {lost}"))
    }
}
