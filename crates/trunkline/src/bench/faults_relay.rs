//! `trunkline bench faults --relay`: kills the hub again and again while it relays to destinations that misbehave, then counts.
//!
//! In the end every destination has each event that LINE was answered 200 for, first takes in the journal's order of each chat, every
//! request with bytes and signature that LINE sent. Twice is allowed where the destination's answer was lost, and, after a
//! kill, for what was in the window.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use hub::clock::Entropy;
use serde_json::{Value, json};

use super::child::Place;
use super::faults::{Options, accepted};
use super::stage::{self, Channel, Friend, Stage};
use super::troubled::{HABITS, Habit, Taken, Troubled};
use crate::http::{Client, items, text};
use crate::say;

/// How long the hub may take to deliver what is left after the last kill.
const PATIENCE: Duration = Duration::from_secs(300);
/// What may come twice to one destination after a kill: the relay's window.
const WINDOW: usize = 512;

/// The head of the table.
const HEAD: &str = "| destination | events | taken | lost | out of order | altered | twice, answer lost | twice, killed (most at once) | \
    twice, no reason |\n|---|---|---|---|---|---|---|---|---|";

/// Runs, counts, prints; a failure code when anything was lost, out of order, altered, or doubled without a reason.
///
/// # Errors
/// The run itself could not be done.
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let stage = Stage::open().await?;
    let folder = tempfile::Builder::new().prefix("trunkline-faults-").tempdir()?;
    // On PostgreSQL the cursor of a killed node is free after its lease of 10 s; killed more often, the relay would stand still.
    let longest = if options.postgres.is_some() { 14_000 } else { 1_500 };
    let place =
        Place { data_dir: folder.path().to_owned(), postgres: options.postgres, line: stage.line.clone() };
    let key = place.key().await?;
    let channel = stage.channel().await?;
    let listen = crate::lifecycle::bind(([127, 0, 0, 1], 0).into()).await?.local_addr()?.to_string();
    let mut hub = place.start(&["serve"], &listen).await?;
    let api = Client::api(&hub.origin, key)?;
    let account = text(&stage::connect(&api, &channel, true).await?, "/id")?;
    let friends = stage.friends(&channel, options.friends).await?;
    let mut destinations = Vec::new();
    for (place, habit) in HABITS.into_iter().enumerate() {
        let one = Troubled::start(habit, options.seed + place as u64).await?;
        // What hangs is given up soon, so that it is tried often.
        let timeout = if habit == Habit::Hangs { 1_000 } else { 5_000 };
        let url = format!("http://{}/", one.address);
        let body = json!({ "name": format!("{habit:?}"), "url": url, "timeout_ms": timeout });
        let made = api.post(&format!("/accounts/{account}/destinations"), body).await?;
        destinations.push((one, text(&made, "/id")?));
    }
    let over = Arc::new(AtomicBool::new(false));
    let stage = Arc::new(stage);
    let writers: Vec<_> = friends
        .iter()
        .enumerate()
        .map(|(place, friend)| {
            let (stage, channel, over) = (Arc::clone(&stage), channel.clone(), Arc::clone(&over));
            tokio::spawn(write(stage, channel, friend.clone(), place, over))
        })
        .collect();
    let dice = Entropy::seeded(options.seed);
    let mut kills = Vec::new();
    for kill in 1..=options.kills {
        tokio::time::sleep(Duration::from_millis(100 + dice.below(longest))).await;
        if !hub.is_alive() {
            bail!("the hub ended by itself");
        }
        hub.kill().await?;
        kills.push(Instant::now());
        hub = place.start(&["serve"], &listen).await?;
        if kill % 20 == 0 {
            say(format!("killed {kill} times in {} s", begun.elapsed().as_secs()));
        }
    }
    over.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await?;
    }
    destinations.iter().for_each(|(one, _)| one.recover());
    // The last redelivery comes a minute after the failure, by the sandbox's clock.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stage.control.post("/clock", json!({ "advanceMs": 61_000 })).await?;
    }
    settle(&api, &destinations).await?;
    let deliveries = stage.control.get(&format!("/deliveries?channelId={}", channel.id)).await?;
    hub.kill().await?;
    let mut is_sound = true;
    say(HEAD);
    for (one, _) in &destinations {
        let count = Count::of(one, items(&deliveries), &kills);
        is_sound &= count.is_sound();
        say(count.row(one.habit));
    }
    say(format!("killed {} times in {} s", kills.len(), begun.elapsed().as_secs()));
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A friend writes until it is over.
async fn write(stage: Arc<Stage>, channel: Channel, friend: Friend, place: usize, over: Arc<AtomicBool>) {
    let mut number = 0;
    while !over.load(Ordering::SeqCst) {
        number += 1;
        let message = json!({ "type": "text", "text": format!("f{place}-{number}") });
        let body = json!({ "channelId": channel.id, "message": message });
        // The sandbox is in this process; it always answers.
        drop(stage.control.post(&format!("/users/{}/messages", friend.user), body).await);
        tokio::time::sleep(Duration::from_millis(80 + 7 * u64::try_from(place).unwrap_or(0))).await;
    }
}

/// Waits until every destination has everything.
async fn settle(api: &Client, destinations: &[(Arc<Troubled>, String)]) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut quiet = 0;
    while quiet < 3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut waits = Vec::new();
        for (one, id) in destinations {
            let now = api.get(&format!("/destinations/{id}")).await?;
            let is_done =
                now.pointer("/lag/events") == Some(&json!(0)) && now.get("retrying") == Some(&json!(0));
            if !is_done {
                waits.push(format!("{:?}: {now}", one.habit));
            }
        }
        quiet = if waits.is_empty() { quiet + 1 } else { 0 };
        if begun.elapsed() > PATIENCE {
            bail!("not delivered in time: {}", waits.join("\n"));
        }
    }
    Ok(())
}

/// What one destination's requests showed.
#[derive(Debug, Default)]
struct Count {
    events: usize,
    taken: usize,
    lost: usize,
    out_of_order: usize,
    altered: usize,
    answer_lost: usize,
    killed: usize,
    /// The most that came twice because of one kill.
    at_once: usize,
    no_reason: usize,
}

impl Count {
    fn of(one: &Troubled, deliveries: &[Value], kills: &[Instant]) -> Self {
        let taken = one.taken();
        let (wanted, _) = accepted(deliveries);
        let got: BTreeSet<String> =
            taken.iter().flat_map(|taken| events(&taken.body)).map(|(_, text)| text).collect();
        let sent: BTreeSet<(&str, &str)> = deliveries
            .iter()
            .filter_map(|one| Some((one.get("body")?.as_str()?, one.get("signature")?.as_str()?)))
            .collect();
        let altered = taken
            .iter()
            .filter(|taken| !sent.contains(&(taken.body.as_str(), taken.signature.as_str())))
            .count();
        let mut count = Self {
            events: wanted.len(),
            taken: taken.len(),
            lost: wanted.difference(&got).count(),
            altered,
            ..Self::default()
        };
        // First takes stand in the journal's order within each chat.
        let mut before: HashMap<&str, &Taken> = HashMap::new();
        let mut last: HashMap<String, u128> = HashMap::new();
        let mut by_kill: BTreeMap<usize, usize> = BTreeMap::new();
        for taken in &taken {
            if let Some(earlier) = before.insert(&taken.delivery, taken) {
                let kill = kills.iter().position(|kill| (earlier.at..=taken.at).contains(kill));
                match (earlier.is_lost, kill) {
                    (true, _) => count.answer_lost += 1,
                    (false, Some(kill)) => *by_kill.entry(kill).or_default() += 1,
                    (false, None) => count.no_reason += 1,
                }
                continue;
            }
            let Some(position) = position(&taken.delivery) else { continue };
            for (chat, _) in events(&taken.body) {
                let last = last.entry(chat).or_default();
                count.out_of_order += usize::from(position < *last);
                *last = position;
            }
        }
        count.killed = by_kill.values().sum();
        count.at_once = by_kill.values().copied().max().unwrap_or(0);
        count
    }

    const fn is_sound(&self) -> bool {
        self.events > 0
            && self.lost + self.out_of_order + self.altered + self.no_reason == 0
            && self.at_once <= WINDOW
    }

    fn row(&self, habit: Habit) -> String {
        format!(
            "| {habit:?} | {} | {} | {} | {} | {} | {} | {} ({}) | {} |",
            self.events,
            self.taken,
            self.lost,
            self.out_of_order,
            self.altered,
            self.answer_lost,
            self.killed,
            self.at_once,
            self.no_reason
        )
    }
}

/// The chats and texts of a body's messages.
fn events(body: &str) -> Vec<(String, String)> {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return Vec::new() };
    let events = body.get("events").and_then(Value::as_array).into_iter().flatten();
    events
        .filter_map(|event| {
            let word = |pointer: &str| event.pointer(pointer)?.as_str().map(str::to_owned);
            Some((word("/source/userId")?, word("/message/text")?))
        })
        .collect()
}

/// The place in the journal that a delivery's name holds: the last 80 bits of its ULID, in Crockford's base 32.
fn position(delivery: &str) -> Option<u128> {
    const LETTERS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let ulid = delivery.strip_prefix("dlv_")?;
    let value = ulid.chars().try_fold(0_u128, |value, letter| {
        Some((value << 5) | LETTERS.find(letter).and_then(|place| u128::try_from(place).ok())?)
    })?;
    Some(value & ((1 << 80) - 1))
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn a_deliverys_name_holds_its_place() {
        assert_eq!(position("dlv_01KAM0000000000000000000Z1"), Some(31 * 32 + 1));
        assert_eq!(position("x"), None);
    }
}
