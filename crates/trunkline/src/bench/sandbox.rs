//! `trunkline bench sandbox`: what the local LINE sustains, beside a bare server and a bare client of the same libraries, and what
//! 100,000 people and a million messages weigh.

use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::routing::any;
use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::Notify;
use url::Url;

use super::load::{self, Requests, Seen};
use crate::http::{Client, text};
use crate::{lifecycle, say, settings};

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds; each drives every variant once, in turn
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds each variant is driven in a round, after one second of warm-up
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections of API clients
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Webhooks that wait when their delivery begins
    #[arg(long, default_value_t = 6_000)]
    backlog: u64,
    /// People for the weighing; each gets ten messages
    #[arg(long, default_value_t = 100_000)]
    people: u64,
}

/// The webhooks of one channel that the sandbox has under way at once; the bare client has as many.
const IN_FLIGHT: usize = 32;
/// People who write while the backlog is made, so that chats do not wait for themselves.
const WRITERS: usize = 100;
/// Channels that call the API, one for each connection: each may call 2,000 times a second, as at LINE.
const CHANNELS: usize = 64;

/// Measures and prints.
///
/// # Errors
/// The machine cannot run it; a ratio that misses its target is no error.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let mut starts = Vec::new();
    for _ in 0..5 {
        let child = Child::start(&["sandbox", "--listen", "127.0.0.1:0"]).await?;
        starts.push(child.started_in.as_millis());
    }
    starts.sort_unstable();
    let bare = Child::start(&["bench", "bare"]).await?;
    let line = Child::start(&["sandbox", "--listen", "127.0.0.1:0"]).await?;
    let receiver = Receiver::start().await?;
    let shop = Shop::open(&line, &receiver).await?;

    let (mut pushes, mut bare_posts, mut profiles, mut bare_gets) = (vec![], vec![], vec![], vec![]);
    let (mut deliveries, mut bare_client) = (vec![], vec![]);
    for round in 1..=options.rounds {
        bare_posts.push(drive(Call::push(&bare.origin, &shop), &options).await?);
        pushes.push(drive(Call::push(&line.origin, &shop), &options).await?);
        bare_gets.push(drive(Call::profile(&bare.origin, &shop), &options).await?);
        profiles.push(drive(Call::profile(&line.origin, &shop), &options).await?);
        bare_client.push(plain_client(&receiver, options.seconds).await?);
        deliveries.push(shop.deliver(&receiver, &options).await?);
        say(format!(
            "round {round}  push {:.0}/s of {:.0}/s   profile {:.0}/s of {:.0}/s   webhooks {:.0}/s of {:.0}/s",
            last(&pushes),
            last(&bare_posts),
            last(&profiles),
            last(&bare_gets),
            last(&deliveries),
            last(&bare_client),
        ));
    }
    let row = |name: &str, ours: &[f64], bare: &[f64]| {
        let (ours, bare) = (median(ours), median(bare));
        format!("| {name} | {ours:.0} | {bare:.0} | {:.2} |", ours / bare)
    };
    say(format!(
        "\n| per second (median of the rounds) | the sandbox | bare | ratio |\n|---|---|---|---|\n{}\n{}\n{}\n",
        row("API: push, one text message", &pushes, &bare_posts),
        row("API: profile", &profiles, &bare_gets),
        row("webhooks delivered", &deliveries, &bare_client),
    ));
    drop(line);
    say(format!("Ready {} ms after the start of the process (median of five).", starts.get(2).unwrap_or(&0)));
    say(weigh(&options).await?);
    Ok(ExitCode::SUCCESS)
}

fn last(figures: &[f64]) -> f64 {
    figures.last().copied().unwrap_or_default()
}

fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// A process of this binary that says its origin on its first line.
struct Child {
    origin: Url,
    started_in: Duration,
    process: tokio::process::Child,
}

impl Child {
    async fn start(words: &[&str]) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut process = tokio::process::Command::new(std::env::current_exe()?)
            .args(words)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().context("no standard output")?;
        let line = BufReader::new(stdout).lines().next_line().await?.context("it ended at its start")?;
        let origin = line.split_whitespace().next_back().and_then(|word| Url::parse(word).ok());
        let origin = origin.with_context(|| format!("it said {line:?}"))?;
        // Ready is what answers, not what says so.
        let http = reqwest::Client::builder().no_proxy().build()?;
        while http.get(origin.clone()).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(Self { origin, started_in: begun.elapsed(), process })
    }

    /// Resident memory in MiB.
    fn memory(&self) -> anyhow::Result<f64> {
        let id = self.process.id().context("it has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

/// `trunkline bench bare`: a server of the same libraries that reads a JSON body and answers as a push is answered.
pub(super) async fn bare() -> anyhow::Result<ExitCode> {
    let signal = lifecycle::stop_on_signal()?;
    let listener = lifecycle::bind(([127, 0, 0, 1], 0).into()).await?;
    say(format!("ready at {}", settings::origin(listener.local_addr()?)?));
    let push = async |Json(body): Json<Value>| {
        let known = body.get("messages").is_some_and(Value::is_array);
        Json(json!({ "sentMessages": [{ "id": "500000000000000000", "quoteToken": "q" }], "known": known }))
    };
    let profile = async || Json(json!({ "displayName": "friend", "userId": "U", "language": "en" }));
    let router = Router::new()
        .route("/v2/bot/message/push", axum::routing::post(push))
        .route("/v2/bot/profile/{user}", axum::routing::get(profile));
    axum::serve(listener, router).with_graceful_shutdown(signal.cancelled_owned()).await?;
    Ok(ExitCode::SUCCESS)
}

/// `trunkline bench bare-client URL`: signed bodies of a webhook's size, for some seconds; prints how many were answered a second.
pub(super) async fn bare_client(url: &str, seconds: u64) -> anyhow::Result<ExitCode> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let body = line_body();
    let (end, count) = (Instant::now() + Duration::from_secs(seconds), Arc::new(AtomicU64::new(0)));
    let lanes: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (client, body, url, count) = (client.clone(), body.clone(), url.to_owned(), count.clone());
            tokio::spawn(async move {
                while Instant::now() < end {
                    let signature = line_api::signature::sign("secret", body.as_bytes());
                    let request = client.post(&url).header("content-type", "application/json; charset=utf-8");
                    let sent = request.header("x-line-signature", signature).body(body.clone()).send();
                    if sent.await.is_ok_and(|answer| answer.status().is_success()) {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await?;
    }
    say(format!("{}", count.load(Ordering::Relaxed) as f64 / seconds as f64));
    Ok(ExitCode::SUCCESS)
}

fn line_body() -> String {
    json!({ "destination": "U".repeat(33), "events": [{ "type": "message", "mode": "active", "timestamp": 1_767_225_600_000_u64,
        "source": { "type": "user", "userId": "U".repeat(33) }, "webhookEventId": "0".repeat(26),
        "deliveryContext": { "isRedelivery": false }, "replyToken": "0".repeat(32),
        "message": { "type": "text", "id": "5".repeat(18), "quoteToken": "q".repeat(32), "text": "hello" } }] })
    .to_string()
}

async fn plain_client(receiver: &Receiver, seconds: u64) -> anyhow::Result<f64> {
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["bench", "bare-client", &receiver.url, "--seconds", &seconds.to_string()])
        .output()
        .await?;
    String::from_utf8(output.stdout)?.trim().parse().context("the bare client said no number")
}

/// Whose webhooks are counted. Closed, it lets nobody through, so that webhooks pile up at the sandbox.
struct Receiver {
    url: String,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    opened: Notify,
    count: AtomicU64,
}

impl Receiver {
    async fn start() -> anyhow::Result<Self> {
        let listener = lifecycle::bind(([127, 0, 0, 1], 0).into()).await?;
        let url = format!("{}hook", settings::origin(listener.local_addr()?)?);
        let gate = Arc::new(Gate::default());
        let pass = async |State(gate): State<Arc<Gate>>, _body: Bytes| {
            let opened = gate.opened.notified();
            if gate.closed.load(Ordering::Acquire) {
                opened.await;
            }
            gate.count.fetch_add(1, Ordering::AcqRel);
            StatusCode::OK
        };
        let router = Router::new().route("/hook", any(pass)).with_state(gate.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, gate })
    }
}

/// Channels at the sandbox with their tokens, and people who are friends of all. The first has the webhook.
struct Shop {
    origin: Url,
    channel: String,
    tokens: Vec<String>,
    users: Vec<String>,
    ids: Vec<String>,
}

impl Shop {
    async fn open(line: &Child, receiver: &Receiver) -> anyhow::Result<Self> {
        let control = Client::sandbox(&line.origin)?;
        let provider = provider(&control).await?;
        let (mut channels, mut tokens) = (Vec::new(), Vec::new());
        for _ in 0..CHANNELS {
            let (id, token) = channel(&control, &provider).await?;
            channels.push(id);
            tokens.push(token);
        }
        let (mut users, mut ids) = (Vec::new(), Vec::new());
        for number in 0..WRITERS {
            let made = control.post("/users", json!({ "displayName": format!("friend {number}") })).await?;
            let user = text(&made, "/user")?;
            for id in &channels {
                control.post(&format!("/users/{user}/follow"), json!({ "channelId": id })).await?;
            }
            ids.push(text(&made, &format!("/userId/{provider}"))?);
            users.push(user);
        }
        let channel = channels.into_iter().next().context("no channel")?;
        let on = json!({ "useWebhook": true, "webhookEndpoint": receiver.url });
        control.patch(&format!("/channels/{channel}"), on).await?;
        Ok(Self { origin: line.origin.clone(), channel, tokens, users, ids })
    }

    /// Lets webhooks pile up while nobody is let through, then opens the gate: how many are delivered a second until none is left.
    async fn deliver(&self, receiver: &Receiver, options: &Options) -> anyhow::Result<f64> {
        // What pushes and their like left behind is delivered first.
        settle(&receiver.gate).await;
        let before = receiver.gate.count.load(Ordering::Acquire);
        receiver.gate.closed.store(true, Ordering::Release);
        // A webhook is given up after 2 s; what is piled up by then has to do.
        let end = Instant::now() + Duration::from_millis(1_500);
        let piled = Arc::new(AtomicU64::new(0));
        let call = Call::write(self, options.backlog, &piled);
        let seen = load::run(Arc::new(call), 16, Duration::ZERO, end - Instant::now()).await?;
        if seen.refused > 0 {
            bail!("{} messages were refused", seen.refused);
        }
        let waiting = piled.load(Ordering::Relaxed).min(options.backlog);
        receiver.gate.closed.store(false, Ordering::Release);
        let begun = Instant::now();
        receiver.gate.opened.notify_waiters();
        while receiver.gate.count.load(Ordering::Acquire) - before < waiting {
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("webhooks are missing");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(waiting as f64 / begun.elapsed().as_secs_f64())
    }
}

async fn settle(gate: &Gate) {
    let mut before = u64::MAX;
    while before != gate.count.load(Ordering::Acquire) {
        before = gate.count.load(Ordering::Acquire);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn provider(control: &Client) -> anyhow::Result<String> {
    text(&control.post("/providers", json!({ "name": "bench" })).await?, "/providerId")
}

/// A channel without greeting, and its token.
async fn channel(control: &Client, provider: &str) -> anyhow::Result<(String, String)> {
    let body = json!({ "providerId": provider, "type": "messaging", "name": "bench" });
    let id = text(&control.post("/channels", body).await?, "/channelId")?;
    control.patch(&format!("/channels/{id}"), json!({ "greeting": false, "autoReply": false })).await?;
    let token = control.post(&format!("/channels/{id}/access-token"), json!({})).await?;
    Ok((id, text(&token, "/accessToken")?))
}

/// One kind of request again and again, each time to or from another person.
struct Call {
    origin: Url,
    make: Box<dyn Fn(u64) -> (String, String, String) + Send + Sync>,
    tokens: Vec<String>,
    number: AtomicU64,
}

impl Call {
    fn new(
        origin: &Url,
        tokens: &[String],
        make: impl Fn(u64) -> (String, String, String) + Send + Sync + 'static,
    ) -> Self {
        Self { origin: origin.clone(), make: Box::new(make), tokens: tokens.to_vec(), number: 0.into() }
    }

    fn push(origin: &Url, shop: &Shop) -> Self {
        let ids = shop.ids.clone();
        Self::new(origin, &shop.tokens, move |number| {
            let to = pick(&ids, number);
            let body =
                json!({ "to": to, "messages": [{ "type": "text", "text": format!("hello {number}") }] });
            ("POST".into(), "/v2/bot/message/push".into(), body.to_string())
        })
    }

    fn profile(origin: &Url, shop: &Shop) -> Self {
        let ids = shop.ids.clone();
        Self::new(origin, &shop.tokens, move |number| {
            ("GET".into(), format!("/v2/bot/profile/{}", pick(&ids, number)), String::new())
        })
    }

    /// People write, until `limit` have.
    fn write(shop: &Shop, limit: u64, piled: &Arc<AtomicU64>) -> Self {
        let (users, channel, piled) = (shop.users.clone(), shop.channel.clone(), piled.clone());
        Self::new(&shop.origin, &[], move |number| {
            if piled.fetch_add(1, Ordering::Relaxed) >= limit {
                return ("GET".into(), "/sandbox/v1/clock".into(), String::new());
            }
            let body = json!({ "channelId": channel, "message": { "type": "text", "text": format!("hello {number}") } });
            ("POST".into(), format!("/sandbox/v1/users/{}/messages", pick(&users, number)), body.to_string())
        })
    }
}

fn pick(list: &[String], number: u64) -> String {
    let place = usize::try_from(number).unwrap_or_default() % list.len().max(1);
    list.get(place).cloned().unwrap_or_default()
}

impl Requests for Call {
    fn origin(&self) -> &Url {
        &self.origin
    }

    fn write(&self, lane: usize, request: &mut Vec<u8>) {
        let (method, path, body) = (self.make)(self.number.fetch_add(1, Ordering::Relaxed));
        let token = self.tokens.get(lane % self.tokens.len().max(1)).map_or("", String::as_str);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.origin.authority(),
            token,
            body.len(),
        );
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body.as_bytes());
    }
}

async fn drive(call: Call, options: &Options) -> anyhow::Result<f64> {
    let second = Duration::from_secs(1);
    let seen: Seen =
        load::run(Arc::new(call), options.connections, second, Duration::from_secs(options.seconds)).await?;
    if seen.refused > 0 {
        bail!("{} calls were refused", seen.refused);
    }
    Ok(seen.per_second())
}

/// Memory with many people, each with ten messages of their own.
async fn weigh(options: &Options) -> anyhow::Result<String> {
    let line = Child::start(&["sandbox", "--listen", "127.0.0.1:0"]).await?;
    let control = Client::sandbox(&line.origin)?;
    let provider = provider(&control).await?;
    // More than one, because each may push 2,000 times a second.
    let mut channels = Vec::new();
    for _ in 0..8 {
        let (id, token) = channel(&control, &provider).await?;
        channels.push((id, Client::line(&line.origin, token)?));
    }
    let empty = line.memory()?;
    let count = options.people;
    let mut people: Vec<(&Client, String)> = Vec::new();
    for (number, (channel, client)) in (0..count).zip(channels.iter().cycle()) {
        let made = control.post("/users", json!({ "displayName": format!("friend {number}") })).await?;
        let user = text(&made, "/user")?;
        control.post(&format!("/users/{user}/follow"), json!({ "channelId": channel })).await?;
        people.push((client, text(&made, &format!("/userId/{provider}"))?));
    }
    let with_people = line.memory()?;
    for (number, (client, id)) in people.iter().enumerate() {
        for part in 0..2 {
            let messages: Vec<Value> = (0..5)
                .map(|n| json!({ "type": "text", "text": format!("{number} {part} {n}: your order is ready, come by") }))
                .collect();
            client.post("/v2/bot/message/push", json!({ "to": id, "messages": messages })).await?;
        }
    }
    Ok(format!(
        "Memory: {empty:.0} MiB empty, {with_people:.0} MiB with {count} people who are friends, {:.0} MiB with ten messages for each ({} messages).",
        line.memory()?,
        count * 10,
    ))
}
