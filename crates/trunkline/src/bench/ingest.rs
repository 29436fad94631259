//! `trunkline bench ingest`: the webhook path, side by side with (a) the same handler without storing and (b) one commit
//! for each request, on SQLite and, when a server is named, on PostgreSQL.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use clap::Args;
use url::Url;

use super::child::{Child, Place};
use super::load::{self, Seen, Source};
use super::stage::{self, Channel, Friend, Stage};
use crate::http::{Client, text};
use crate::say;

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// An empty PostgreSQL database to measure on as well
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Rounds; each drives every variant once, in turn
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds each variant is driven in a round, after one second of warm-up
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Where SQLite's files are: a folder on the disk to be measured
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: std::path::PathBuf,
}

/// One way to store, and whether the journal is read meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Variant {
    name: &'static str,
    commit: &'static str,
    paused: bool,
}

const VARIANTS: [Variant; 4] = [
    Variant { name: "(a) nothing stored", commit: "never", paused: true },
    Variant { name: "(b) one commit per request", commit: "each", paused: true },
    Variant { name: "the hub, consumers paused", commit: "group", paused: true },
    Variant { name: "the hub, consumers running", commit: "group", paused: false },
];

/// One run of one variant.
#[derive(Debug)]
struct Run {
    seen: Seen,
    peak: f64,
    /// How long the consumers needed after the last request.
    drain: Option<Duration>,
    /// Accepted requests that the journal does not hold, or more than were accepted.
    missing: i64,
}

/// An engine with its hub's data and connected account.
struct Bed {
    engine: &'static str,
    place: Place,
    channel: Channel,
    friends: Vec<Friend>,
    path: String,
}

/// Measures and prints the table.
///
/// # Errors
/// The machine cannot run it; a ratio that misses its target is no error.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let stage = Stage::open().await?;
    let folder = tempfile::Builder::new().prefix("trunkline-bench-").tempdir_in(&options.folder)?;
    let mut beds = vec![bed(&stage, "SQLite", folder.path(), None).await?];
    if let Some(url) = &options.postgres {
        beds.push(bed(&stage, "PostgreSQL", folder.path(), Some(url.clone())).await?);
    }
    let numbers = Arc::new(AtomicU64::new(load::first_number()));
    let mut runs: BTreeMap<(&str, Variant), Vec<Run>> = BTreeMap::new();
    for round in 1..=options.rounds {
        for variant in VARIANTS {
            for bed in &beds {
                let run = measure(bed, variant, &options, &numbers).await?;
                say(format!(
                    "round {round}  {:<11} {:<28} {:>7.0}/s  p50 {:>5.1} ms  p99 {:>6.1} ms",
                    bed.engine,
                    variant.name,
                    run.seen.per_second(),
                    run.seen.percentile(0.5),
                    run.seen.percentile(0.99),
                ));
                runs.entry((bed.engine, variant)).or_default().push(run);
            }
        }
    }
    for bed in &beds {
        say(table(bed.engine, &runs));
        say(rest(&bed.place, bed.engine).await?);
    }
    Ok(ExitCode::SUCCESS)
}

async fn bed(
    stage: &Stage,
    engine: &'static str,
    folder: &Path,
    postgres: Option<String>,
) -> anyhow::Result<Bed> {
    let place = Place { data_dir: folder.join(engine), postgres, line: stage.line.clone() };
    let key = place.key().await?;
    let channel = stage.channel().await?;
    let friends = stage.friends(&channel, 50).await?;
    let hub = place.start(&["serve"], "127.0.0.1:0").await?;
    let account = stage::connect(&Client::api(&hub.origin, key)?, &channel, false).await?;
    let path = Url::parse(&text(&account, "/webhook_url")?)?.path().to_owned();
    hub.kill().await?;
    Ok(Bed { engine, place, channel, friends, path })
}

async fn measure(
    bed: &Bed,
    variant: Variant,
    options: &Options,
    numbers: &Arc<AtomicU64>,
) -> anyhow::Result<Run> {
    let mut words = vec!["bench", "serve", "--commit", variant.commit];
    if variant.paused {
        words.push("--paused");
    }
    let mut hub = bed.place.start(&words, "127.0.0.1:0").await?;
    // What the last run left unread belongs to it.
    let before = hub.drain().await?;
    let source = Arc::new(Source {
        webhook: hub.origin.join(&bed.path)?,
        channel: bed.channel.clone(),
        friends: bed.friends.clone(),
        numbers: numbers.clone(),
    });
    let second = Duration::from_secs(1);
    let seen = load::run(source, options.connections, second, Duration::from_secs(options.seconds)).await?;
    let ended = Instant::now();
    let after = hub.drain().await?;
    let drain = (!variant.paused).then(|| ended.elapsed());
    let stored = if variant.commit == "never" { 0 } else { i64::try_from(seen.accepted_in_all)? };
    let run = Run { peak: hub.memory("VmHWM")?, drain, missing: before + stored - after, seen };
    hub.kill().await?;
    Ok(run)
}

/// The median of a figure over the rounds.
fn median(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn table(engine: &'static str, runs: &BTreeMap<(&str, Variant), Vec<Run>>) -> String {
    let of = |variant: Variant| runs.get(&(engine, variant)).map_or(&[][..], Vec::as_slice);
    let [nothing, each, ..] = VARIANTS;
    let rate = |variant: Variant| median(of(variant), |run| run.seen.per_second());
    let mut text = format!(
        "\n{engine} (median of the rounds)\n\n\
         | variant | req/s | of (a) | times (b) | p50 ms | p99 ms | peak MiB | drain s | refused | missing |\n\
         |---|---|---|---|---|---|---|---|---|---|\n"
    );
    for variant in VARIANTS {
        let runs = of(variant);
        let drain = if variant.paused {
            "".to_owned()
        } else {
            format!("{:.1}", median(runs, |run| run.drain.unwrap_or_default().as_secs_f64()))
        };
        text.push_str(&format!(
            "| {} | {:.0} | {:.2} | {:.1} | {:.1} | {:.1} | {:.0} | {drain} | {} | {} |\n",
            variant.name,
            rate(variant),
            rate(variant) / rate(nothing),
            rate(variant) / rate(each),
            median(runs, |run| run.seen.percentile(0.5)),
            median(runs, |run| run.seen.percentile(0.99)),
            runs.iter().map(|run| run.peak).fold(0.0, f64::max),
            runs.iter().map(|run| run.seen.refused).sum::<u64>(),
            runs.iter().map(|run| run.missing.abs()).sum::<i64>(),
        ));
    }
    text
}

/// Start-up and idle memory, of the hub as it is served.
async fn rest(place: &Place, engine: &str) -> anyhow::Result<String> {
    let mut starts = Vec::new();
    let mut idle = 0.0;
    for _ in 0..5 {
        let hub: Child = place.start(&["serve"], "127.0.0.1:0").await?;
        starts.push(hub.started_in);
        tokio::time::sleep(Duration::from_secs(3)).await;
        idle = hub.memory("VmRSS")?.max(idle);
        hub.kill().await?;
    }
    starts.sort();
    let middle = starts.get(2).copied().unwrap_or_default();
    let worst = starts.last().copied().unwrap_or_default();
    Ok(format!(
        "{engine}: ready {} ms after the start of the process (median of 5, worst {} ms), {idle:.0} MiB when idle for 3 s",
        middle.as_millis(),
        worst.as_millis()
    ))
}
