//! `trunkline sandbox`.

use std::net::SocketAddr;

use anyhow::Context as _;
use line_sandbox::{Config, Sandbox};

use crate::{lifecycle, say, settings};

/// Serves a local LINE until a signal.
///
/// # Errors
/// The address is taken.
pub(crate) async fn run(listen: SocketAddr) -> anyhow::Result<()> {
    let signal = lifecycle::stop_on_signal()?;
    let listener = lifecycle::bind(listen).await?;
    let origin = settings::origin(listener.local_addr()?)?;
    // As people write addresses: what they append begins with the slash.
    let origin = origin.as_str().trim_end_matches('/');
    say(format!("The sandbox, a local LINE, is ready at {origin}"));
    say(format!(
        "Point a hub at it: trunkline serve --line-api-url {origin} --line-data-url {origin} --line-access-url {origin}"
    ));
    Sandbox::new(Config::default())
        .serve(listener, signal.cancelled_owned())
        .await
        .context("the sandbox failed")
}
