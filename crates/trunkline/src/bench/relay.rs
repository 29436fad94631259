//! `trunkline bench relay`: five destinations on loopback, side by side with (a) a bare loop of the same HTTP client and (b) a row
//! and a commit for each delivery, on SQLite and, when a server is named, on PostgreSQL.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use url::Url;

use super::child::{Child, Place};
use super::load::{self, Requests, Seen, Source};
use super::receivers::{self, Board, Receiver};
use super::stage::{self, Stage};
use crate::http::{Client, text};
use crate::say;

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// An empty PostgreSQL database to measure on as well
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Seconds each variant is driven
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Connections of the webhooks' sender
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Where SQLite's files are: a folder on the disk to be measured
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: std::path::PathBuf,
    /// Events that come in during an outage of all destinations
    #[arg(long, default_value_t = 20_000)]
    outage: u64,
    /// Events that come in while one destination is away and the others are not
    #[arg(long, default_value_t = 100_000)]
    behind: u64,
    /// Let the inbox work on the events meanwhile
    #[arg(long)]
    inbox: bool,
}

/// Destinations of the account.
const DESTINATIONS: usize = 5;
/// How long anything may take to arrive.
const PATIENCE: Duration = Duration::from_secs(900);

/// What one database showed.
#[derive(Debug, Default)]
struct Run {
    bare: Rate,
    naive: Rate,
    live: Rate,
    catching_up: Rate,
    half: f64,
    lags: Vec<f64>,
    ingress: (f64, f64),
    peak: f64,
    behind: Behind,
}

/// Deliveries a second, and the processor time of each in µs.
#[derive(Debug, Default, Clone, Copy)]
struct Rate(f64, f64);

#[derive(Debug, Default)]
struct Behind {
    events: u64,
    rate: f64,
    before: f64,
    after: f64,
    catching_up: f64,
}

/// Measures and prints.
///
/// # Errors
/// The machine cannot run it; a ratio that misses its target is no error.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let stage = Stage::open().await?;
    let folder = tempfile::Builder::new().prefix("trunkline-bench-").tempdir_in(&options.folder)?;
    let mut table =
        "\n| database | variant | deliveries/s | of (a) | times (b) | processor µs each |\n|---|---|---|---|---|---|\n".to_owned();
    let mut rest = String::new();
    let engines = [("SQLite", None), ("PostgreSQL", options.postgres.as_ref())];
    for (engine, postgres) in engines.into_iter().filter(|(name, url)| *name == "SQLite" || url.is_some()) {
        let run = Box::pin(measure(&stage, engine, folder.path(), postgres.cloned(), &options)).await?;
        let rows = [
            ("(a) the bare client", run.bare),
            ("(b) one commit per delivery", run.naive),
            ("the hub, as events come in", run.live),
            ("the hub, after an outage", run.catching_up),
        ];
        for (variant, Rate(rate, cpu)) in rows {
            let (of, times) = (rate / run.bare.0, rate / run.naive.0);
            table.push_str(&format!(
                "| {engine} | {variant} | {rate:.0} | {of:.2} | {times:.1} | {cpu:.0} |\n"
            ));
        }
        rest.push_str(&words(engine, &run));
    }
    say(table);
    say(rest);
    Ok(ExitCode::SUCCESS)
}

fn words(engine: &str, run: &Run) -> String {
    let at = |share: f64| {
        let place = (run.lags.len().saturating_sub(1) as f64 * share).round() as usize;
        run.lags.get(place).copied().unwrap_or_default()
    };
    let Behind { events, rate, before, after, catching_up } = run.behind;
    format!(
        "{engine}: at half of the reached rate ({:.0} deliveries/s): from LINE's 200 to the last destination's p50 {:.1} ms, \
         p99 {:.1} ms; the webhook's p99 {:.1} ms, without the relay {:.1} ms. Peak memory {:.0} MiB.\n\
         {engine}: one destination {events} events behind: the others at {rate:.0} deliveries/s, memory {before:.0} MiB before \
         and {after:.0} MiB after (the most so far); it catches up at {catching_up:.0}/s.\n",
        run.half,
        at(0.5),
        at(0.99),
        run.ingress.0,
        run.ingress.1,
        run.peak,
    )
}

/// Webhooks of which the board hears when they were accepted.
struct Told {
    source: Source,
    board: Arc<Board>,
    lanes: Vec<AtomicU64>,
}

impl Requests for Told {
    fn origin(&self) -> &Url {
        &self.source.webhook
    }

    fn write(&self, lane: usize, request: &mut Vec<u8>) {
        let number = self.source.write_next(lane, request);
        if let Some(last) = self.lanes.get(lane) {
            last.store(number, Ordering::Relaxed);
        }
    }

    fn accepted(&self, lane: usize) {
        if let Some(last) = self.lanes.get(lane) {
            self.board.accepted(last.load(Ordering::Relaxed));
        }
    }
}

/// A hub with an account and its destinations.
struct Bed {
    hub: Child,
    api: Client,
    destinations: Vec<String>,
    receivers: Vec<Receiver>,
    board: Arc<Board>,
    told: Arc<Told>,
    connections: usize,
}

async fn measure(
    stage: &Stage,
    engine: &str,
    folder: &Path,
    postgres: Option<String>,
    options: &Options,
) -> anyhow::Result<Run> {
    let place = Place { data_dir: folder.join(engine), postgres, line: stage.line.clone() };
    let (receivers, board) = receivers::start(DESTINATIONS).await?;
    let mut run = Run::default();
    let key = place.key().await?;
    run.bare = bare(&place, &receivers, &board, false, options.seconds).await?;
    say(format!("{engine}  (a) the bare client          {:>7.0}/s", run.bare.0));
    run.naive = bare(&place, &receivers, &board, true, options.seconds).await?;
    say(format!("{engine}  (b) one commit per delivery  {:>7.0}/s", run.naive.0));

    let bed = open(stage, &place, key, (receivers, board), options).await?;
    let seconds = Duration::from_secs(options.seconds);
    let before = bed.hub.cpu()?;
    let (seen, rate) = bed.drive(None, seconds).await?;
    // The door's work is in it.
    run.live =
        Rate(rate, (bed.hub.cpu()? - before) * 1e6 / (seen.accepted_in_all * DESTINATIONS as u64) as f64);
    say(format!("{engine}  as events come in            {:>7.0}/s", run.live.0));
    run.catching_up = bed.outage(options.outage).await?;
    say(format!("{engine}  after an outage              {:>7.0}/s", run.catching_up.0));
    run.half = run.live.0.min(run.catching_up.0) / 2.0;
    let pace = Some(run.half / DESTINATIONS as f64);
    let (with, _) = bed.drive(pace, seconds).await?;
    run.lags = bed.board.lags();
    bed.switch(false).await?;
    let without = load::run_at(bed.told.clone(), bed.connections, pace, Duration::ZERO, seconds).await?;
    run.ingress = (with.percentile(0.99), without.percentile(0.99));
    run.peak = bed.hub.memory("VmHWM")?;
    bed.board.clear(false);
    bed.switch(true).await?;
    bed.wait(without.accepted_in_all * DESTINATIONS as u64).await?;
    if options.behind > 0 {
        run.behind = bed.behind(options.behind).await?;
    }
    bed.hub.kill().await?;
    Ok(run)
}

/// What a child that only calls gets done in a second.
async fn bare(
    place: &Place,
    receivers: &[Receiver],
    board: &Board,
    naive: bool,
    seconds: u64,
) -> anyhow::Result<Rate> {
    let seconds = seconds.to_string();
    let mut words = vec!["bench", "bare-relay", "--seconds", &seconds];
    words.extend(naive.then_some("--naive"));
    words.extend(receivers.iter().map(|receiver| receiver.url.as_str()));
    board.clear(false);
    let output = place.command(&words, None)?.output().await?;
    if !output.status.success() {
        bail!("the bare client failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let cpu: f64 =
        String::from_utf8(output.stdout)?.trim().parse().context("the bare client said no time")?;
    Ok(Rate(board.count() as f64 / board.lasted(), cpu * 1e6 / board.count() as f64))
}

async fn open(
    stage: &Stage,
    place: &Place,
    key: String,
    (receivers, board): (Vec<Receiver>, Arc<Board>),
    options: &Options,
) -> anyhow::Result<Bed> {
    let words: &[&str] =
        if options.inbox { &["bench", "serve"] } else { &["bench", "serve", "--paused", "--relay"] };
    let hub = place.start(words, "127.0.0.1:0").await?;
    let channel = stage.channel().await?;
    let friends = stage.friends(&channel, 50).await?;
    let api = Client::api(&hub.origin, key)?;
    let account = stage::connect(&api, &channel, false).await?;
    let path = format!("/accounts/{}/destinations", text(&account, "/id")?);
    let mut destinations = Vec::new();
    for (number, receiver) in receivers.iter().enumerate() {
        let made = api.post(&path, json!({ "name": format!("{number}"), "url": receiver.url })).await?;
        destinations.push(text(&made, "/id")?);
    }
    let webhook = Url::parse(&text(&account, "/webhook_url")?)?;
    let webhook = hub.origin.join(webhook.path())?;
    let numbers = Arc::new(AtomicU64::new(load::first_number()));
    let source = Source { webhook, channel, friends, numbers };
    let lanes = (0..options.connections).map(|_| AtomicU64::new(0)).collect();
    let told = Arc::new(Told { source, board: Arc::clone(&board), lanes });
    Ok(Bed { hub, api, destinations, receivers, board, told, connections: options.connections })
}

impl Bed {
    /// Sends webhooks for a while, waits until all have come to all; gives what the sender saw, and deliveries a second.
    async fn drive(&self, rate: Option<f64>, measured: Duration) -> anyhow::Result<(Seen, f64)> {
        self.board.clear(rate.is_some());
        let seen = load::run_at(self.told.clone(), self.connections, rate, Duration::ZERO, measured).await?;
        self.wait(seen.accepted_in_all * DESTINATIONS as u64).await?;
        Ok((seen, self.board.count() as f64 / self.board.lasted()))
    }

    /// Waits until so many deliveries have been made.
    async fn wait(&self, deliveries: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.board.count() < deliveries {
            if begun.elapsed() > PATIENCE {
                bail!("{} of {deliveries} deliveries have come", self.board.count());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn switch(&self, on: bool) -> anyhow::Result<()> {
        for id in &self.destinations {
            self.api.patch(&format!("/destinations/{id}"), json!({ "active": on })).await?;
        }
        // A runner has its last calls back before it ends.
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    /// Sends about so many webhooks, as fast as they are taken.
    async fn send(&self, events: u64) -> anyhow::Result<u64> {
        let mut sent = 0;
        while sent < events {
            let second = Duration::from_secs(1);
            sent +=
                load::run(self.told.clone(), self.connections, Duration::ZERO, second).await?.accepted_in_all;
        }
        Ok(sent)
    }

    /// All destinations are away while events come in; gives how many deliveries a second follow once they are back.
    async fn outage(&self, events: u64) -> anyhow::Result<Rate> {
        self.receivers.iter().for_each(|receiver| receiver.go_away(true));
        self.board.clear(false);
        let sent = self.send(events).await?;
        let before: Vec<u64> = self.receivers.iter().map(Receiver::taken).collect();
        let taken = || self.receivers.iter().zip(&before).map(|(receiver, before)| receiver.taken() - before);
        self.receivers.iter().for_each(|receiver| receiver.go_away(false));
        // As a person says "try now": left to its own trials each would come back at another moment, the first when the last
        // has done everything.
        for id in &self.destinations {
            self.api.patch(&format!("/destinations/{id}"), json!({ "active": true })).await?;
        }
        while taken().any(|taken| taken == 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (begun, cpu, first) = (Instant::now(), self.hub.cpu()?, taken().sum::<u64>());
        while taken().any(|taken| taken < sent) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (lasted, last) = (begun.elapsed().as_secs_f64(), taken().sum::<u64>());
        let rate =
            Rate((last - first) as f64 / lasted, (self.hub.cpu()? - cpu) * 1e6 / (last - first) as f64);
        self.wait(sent * DESTINATIONS as u64).await?;
        Ok(rate)
    }

    /// One destination is away while events come in and go to the others.
    async fn behind(&self, events: u64) -> anyhow::Result<Behind> {
        let first = self.receivers.first().context("no destination")?;
        first.go_away(true);
        self.board.clear(false);
        let before = self.hub.memory("VmHWM")?;
        let sent = self.send(events).await?;
        self.wait(sent * (DESTINATIONS as u64 - 1)).await?;
        let rate = self.board.count() as f64 / self.board.lasted();
        let after = self.hub.memory("VmHWM")?;
        self.board.clear(false);
        first.go_away(false);
        self.wait(sent).await?;
        let catching_up = self.board.count() as f64 / self.board.lasted();
        Ok(Behind { events: sent, rate, before, after, catching_up })
    }
}
