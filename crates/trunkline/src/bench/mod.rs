//! Measurements that anyone can repeat; `bench/README.md` tells the method and what was seen.

mod child;
mod faults;
mod faults_relay;
mod ingest;
mod load;
mod receivers;
mod relay;
mod relay_bare;
mod sandbox;
mod stage;
mod troubled;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::settings::{Flags, Settings};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How many webhook requests a second are stored, beside the same handler without storing and with a commit for each
    Ingest(ingest::Options),
    /// Kill the hub again and again under load, and count what was lost or came twice
    Faults(faults::Options),
    /// How many deliveries a second the relay makes to five destinations, beside a bare loop of the same client and a design with a commit for each
    Relay(relay::Options),
    /// What the local LINE sustains, beside a bare server and client of the same libraries, and what a million messages weigh
    Sandbox(sandbox::Options),
    /// The bare server
    #[command(hide = true)]
    Bare,
    /// The bare client
    #[command(hide = true)]
    BareClient {
        /// Where to
        url: String,
        /// For how long
        #[arg(long)]
        seconds: u64,
    },
    /// The bare loop of the relay's client, or the design with a commit for each
    #[command(hide = true)]
    BareRelay(Box<relay_bare::Options>),
    /// The hub as the others run it
    #[command(hide = true)]
    Serve(Box<ServeOptions>),
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    settings: Flags,
    /// group, each or never
    #[arg(long, default_value = "group")]
    commit: String,
    /// Leave the journal unread
    #[arg(long)]
    paused: bool,
    /// Let the relay read it all the same
    #[arg(long)]
    relay: bool,
}

/// Runs a measurement.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Ingest(options) => ingest::run(options).await,
        Command::Faults(options) => faults::run(options).await,
        Command::Relay(options) => Box::pin(relay::run(options)).await,
        Command::Sandbox(options) => sandbox::run(options).await,
        Command::Bare => sandbox::bare().await,
        Command::BareClient { url, seconds } => sandbox::bare_client(&url, seconds).await,
        Command::BareRelay(options) => relay_bare::run(*options).await,
        Command::Serve(options) => {
            let settings = Settings::read(&options.settings)?;
            settings.start_log()?;
            child::serve(&settings, &options.commit, (options.paused, options.relay)).await
        }
    }
}
