//! What the relay is measured against: a bare loop of the same HTTP client, and the design with a row and a commit for each delivery.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use hub::app::Hub;
use hub::ids::{DestinationId, TenantId};
use hub::start::{self, Parts};

use super::child::cpu;
use super::load;
use crate::say;
use crate::settings::{Flags, Settings};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to
    urls: Vec<String>,
    /// For how long
    #[arg(long)]
    seconds: u64,
    /// Calls at once to each
    #[arg(long, default_value_t = 16)]
    lanes: usize,
    /// Write a row for each call, and commit it
    #[arg(long)]
    naive: bool,
    #[command(flatten)]
    settings: Flags,
}

/// Posts 1 KB events to all destinations until the time is over.
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let hub = if options.naive {
        let settings = Settings::read(&options.settings)?;
        Some(start::open(Parts::system(settings.config(([127, 0, 0, 1], 0).into())?)).await?)
    } else {
        None
    };
    let http = reqwest::Client::builder().no_proxy().build()?;
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let number = Arc::new(AtomicI64::new(1));
    let mut lanes = Vec::new();
    for url in &options.urls {
        let whose = hub.as_ref().map(|hub| (hub.clone(), hub.id::<TenantId>(), hub.id::<DestinationId>()));
        for _ in 0..options.lanes {
            let (http, url, number, whose) = (http.clone(), url.clone(), Arc::clone(&number), whose.clone());
            lanes.push(tokio::spawn(async move { lane(&http, &url, &number, whose.as_ref(), end).await }));
        }
    }
    for lane in lanes {
        lane.await??;
    }
    say(format!("{}", cpu("self")?));
    Ok(ExitCode::SUCCESS)
}

async fn lane(
    http: &reqwest::Client,
    url: &str,
    number: &AtomicI64,
    whose: Option<&(Hub, TenantId, DestinationId)>,
    end: Instant,
) -> anyhow::Result<()> {
    while Instant::now() < end {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let body = load::body("U0123456789abcdef0123456789abcdef", "Uabcdef", number.unsigned_abs());
        if let Some((hub, tenant, destination)) = whose {
            hub::relay::naive::note(hub, (tenant, destination), number, "Uabcdef").await?;
        }
        // With as many headers as the relay's calls have.
        let call = http
            .post(url)
            .header("content-type", "application/json; charset=utf-8")
            .header("user-agent", "LineBotWebhook/2.0")
            .header("x-line-signature", "0123456789abcdef0123456789abcdef0123456789a=")
            .header("x-trunkline-delivery", "dlv_01K00000000000000000000000")
            .header("x-trunkline-attempt", "1")
            .header("x-trunkline-received-at", "2026-01-01T00:00:00Z")
            .header("x-trunkline-hub", "0123456789abcdef");
        call.body(body).send().await?.bytes().await?;
    }
    Ok(())
}
