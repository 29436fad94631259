//! The binary `trunkline`: the hub served, a local LINE, both together as a demo, and what an operator does by command.
//!
//! `cli` is the list of commands, `settings` what they are set by; `serve`, `sandbox` and `demo` run until a signal
//! (`lifecycle`), `admin` holds the short acts, `doctor` the checks, `bench` the measurements.

mod admin;
mod bench;
mod cli;
mod demo;
mod doctor;
mod http;
mod lifecycle;
mod sandbox;
mod serve;
mod settings;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => Err(anyhow::Error::new(error).context("the asynchronous runtime cannot start")),
    };
    result.unwrap_or_else(|error| {
        // The one line that tells the operator what to do.
        let _ = writeln!(std::io::stderr(), "trunkline: {error:#}");
        ExitCode::FAILURE
    })
}

/// Tells the person at the terminal; a closed terminal is not a failure.
fn say(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
}
