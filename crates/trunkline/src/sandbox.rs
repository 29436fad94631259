//! `trunkline sandbox`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use line_sandbox::{Config, Made, Sandbox};
use serde_json::Value;

use crate::{lifecycle, say, settings};

/// Serves a local LINE until a signal.
///
/// # Errors
/// The address is taken, the folder cannot be used, or the seed cannot be played.
pub(crate) async fn run(
    listen: SocketAddr,
    data_dir: Option<PathBuf>,
    seed: Option<String>,
) -> anyhow::Result<()> {
    let signal = lifecycle::stop_on_signal()?;
    let scenario = seed.as_deref().map(read_seed).transpose()?;
    let seed = scenario.as_ref().map_or(Ok(0), line_sandbox::seed_of).map_err(anyhow::Error::msg)?;
    let config = Config { seed, public_url: None };
    let sandbox = match &data_dir {
        None => Sandbox::new(config),
        Some(folder) => Sandbox::open(config, folder).with_context(|| folder.display().to_string())?,
    };
    let listener = lifecycle::bind(listen).await?;
    let origin = settings::origin(listener.local_addr()?)?;
    // As people write addresses: what they append begins with the slash.
    let origin = origin.as_str().trim_end_matches('/');
    say(format!("The sandbox, a local LINE, is ready at {origin}"));
    match scenario {
        Some(scenario) if sandbox.is_empty() => {
            let made = sandbox.play(&scenario).await.map_err(|why| anyhow::anyhow!("--seed: {why}"))?;
            tell(&made);
        }
        Some(_) => say("The folder holds a sandbox already; the seed is left aside."),
        None => {}
    }
    say(format!(
        "Point a hub at it: trunkline serve --line-api-url {origin} --line-data-url {origin} --line-access-url {origin}"
    ));
    sandbox.serve(listener, signal.cancelled_owned()).await.context("the sandbox failed")
}

/// A bare number, or the scenario in a file.
fn read_seed(seed: &str) -> anyhow::Result<Value> {
    if let Ok(number) = seed.parse::<u64>() {
        return Ok(serde_json::json!({ "seed": number }));
    }
    let text = std::fs::read_to_string(seed).with_context(|| format!("--seed {seed}"))?;
    serde_json::from_str(&text).with_context(|| format!("--seed {seed} is not JSON"))
}

/// What a bot needs of what the scenario made.
fn tell(made: &Made) {
    for channel in &made.channels {
        let token = channel.access_token.as_ref().map(|token| format!("  token {token}"));
        say(format!(
            "  {}  channel {}  secret {}{}",
            channel.name,
            channel.id,
            channel.secret,
            token.unwrap_or_default()
        ));
    }
    for (user, name) in &made.people {
        say(format!("  {name}  {user}"));
    }
}
