//! A hub in a process of its own, and what its parent asks of it.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hub::app::Hub;
use hub::journal::{Commit, cursors};
use hub::start::{self, Parts};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};
use url::Url;

use crate::settings::Settings;
use crate::{lifecycle, say};

/// How long a hub may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// `trunkline bench serve`: the hub, storing as `commit` says; answers the line `drain` on standard input with
/// `drained <entries in the journal>` once its consumers have read everything. The consumers may be paused; then the relay is
/// too, unless it is told to go on alone.
pub(super) async fn serve(
    settings: &Settings,
    commit: &str,
    (paused, relay): (bool, bool),
) -> anyhow::Result<ExitCode> {
    let commit = match commit {
        "group" => Commit::Group,
        "each" => Commit::Each,
        "never" => Commit::Never,
        other => bail!("--commit {other} must be group, each or never"),
    };
    let signal = lifecycle::stop_on_signal()?;
    let listener = lifecycle::bind(settings.listen).await?;
    let parts = Parts { commit, ..Parts::system(settings.config(listener.local_addr()?)?) };
    let running = start::start(parts).await?;
    running.hub.journal.pause_consumers(paused);
    if relay {
        running.hub.relay.go_on_alone();
    }
    let hub = running.hub.clone();
    let ready = async move {
        say(format!("ready at {}", hub.config.public_url));
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line == "drain" {
                say(format!("drained {}", drain(&hub, paused).await?));
            }
        }
        Ok(())
    };
    lifecycle::serve_hub(running, listener, signal, ready).await
}

async fn drain(hub: &Hub, paused: bool) -> anyhow::Result<i64> {
    loop {
        let head = hub.journal.head().await?;
        let positions = cursors::positions(&hub.db).await?;
        if paused || positions.iter().all(|(_, position)| *position >= head) {
            return Ok(hub.journal.count().await?);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Processor time of a process, in seconds: `/proc` counts hundredths.
pub(super) fn cpu(process: &str) -> anyhow::Result<f64> {
    let stat =
        std::fs::read_to_string(format!("/proc/{process}/stat")).context("read from /proc, on Linux")?;
    let figures = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split_whitespace();
    // The 14th and 15th of the whole line, of which two stand before the brackets' end.
    let ticks: f64 = figures.skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

/// Where a hub's data is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The data folder.
    pub(super) data_dir: std::path::PathBuf,
    /// PostgreSQL; SQLite in the folder where `None`.
    pub(super) postgres: Option<String>,
    /// LINE's address.
    pub(super) line: Url,
}

impl Place {
    fn flags(&self, listen: Option<&str>) -> Vec<String> {
        let mut flags = vec!["--data-dir".to_owned(), self.data_dir.display().to_string()];
        if let Some(url) = &self.postgres {
            flags.extend(["--database-url".to_owned(), url.clone()]);
        }
        for name in ["--line-api-url", "--line-data-url", "--line-access-url"] {
            flags.extend([name.to_owned(), self.line.to_string()]);
        }
        if let Some(listen) = listen {
            flags.extend(["--listen".to_owned(), listen.to_owned()]);
        }
        // Destinations of the measurements are on this machine.
        flags.extend(["--allow-private-destinations".to_owned(), "true".to_owned()]);
        flags.extend(["--destinations-max".to_owned(), "10".to_owned()]);
        flags.extend(["--log".to_owned(), "warn".to_owned()]);
        flags
    }

    pub(super) fn command(
        &self,
        words: &[&str],
        listen: Option<&str>,
    ) -> anyhow::Result<tokio::process::Command> {
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        // Another file of settings in the working folder must not change what is measured.
        command.args(words).args(self.flags(listen)).args(["--config", "/dev/null"]).kill_on_drop(true);
        Ok(command)
    }

    /// Makes a tenant and an API key by the command line.
    pub(super) async fn key(&self) -> anyhow::Result<String> {
        // The database of an earlier run may hold the tenant.
        let tenant = format!("bench {}", std::process::id());
        let run = async |words: &[&str]| {
            let output = self.command(words, None)?.output().await?;
            if !output.status.success() {
                bail!("{words:?} failed: {}", String::from_utf8_lossy(&output.stderr));
            }
            anyhow::Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let tenants = run(&["tenant", "add", "--name", &tenant]).await;
        // The same place is asked once for each kind of hub.
        if let Err(error) = tenants
            && !error.to_string().contains("already")
        {
            return Err(error);
        }
        run(&["api-key", "add", "--name", "bench", "--tenant", &tenant]).await
    }

    /// Starts a hub and kills it after a while, ready or not.
    pub(super) async fn start_and_kill(
        &self,
        words: &[&str],
        listen: &str,
        after: Duration,
    ) -> anyhow::Result<()> {
        let mut process = self.command(words, Some(listen))?.stdout(Stdio::null()).spawn()?;
        tokio::time::sleep(after).await;
        Ok(process.kill().await?)
    }

    /// Starts a hub and waits until it is ready. `words` are its command; `listen` its address.
    pub(super) async fn start(&self, words: &[&str], listen: &str) -> anyhow::Result<Child> {
        let begun = Instant::now();
        let mut process =
            self.command(words, Some(listen))?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = process.stdin.take().context("the hub has no standard input")?;
        let stdout = process.stdout.take().context("the hub has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the hub does not start")??;
        let line = first.with_context(|| "the hub ended at its start; its log is above".to_owned())?;
        let origin = line.split_whitespace().next_back().and_then(|word| Url::parse(word).ok());
        let origin = origin.with_context(|| format!("the hub said {line:?}"))?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let address = origin.join("readyz")?;
        loop {
            let answer = http.get(address.clone()).timeout(Duration::from_secs(5)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            if begun.elapsed() > PATIENCE {
                bail!("the hub does not become ready");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(Child { process, stdin, lines, origin, started_in: begun.elapsed() })
    }
}

/// A hub that runs; killed when dropped.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// Its address.
    pub(super) origin: Url,
    /// From the start of the process to the first `/readyz` that says yes.
    pub(super) started_in: Duration,
}

impl Child {
    /// Waits until the consumers have read everything; gives the number of entries in the journal.
    pub(super) async fn drain(&mut self) -> anyhow::Result<i64> {
        self.stdin.write_all(b"drain\n").await?;
        let line = tokio::time::timeout(Duration::from_secs(600), self.lines.next_line()).await??;
        let entries = line.as_deref().and_then(|line| line.strip_prefix("drained ")).map(str::parse);
        entries.with_context(|| format!("the hub said {line:?}"))?.context("a number")
    }

    /// A figure of the process from `/proc`, in MiB: `VmHWM` (the most so far) or `VmRSS` (now).
    pub(super) fn memory(&self, name: &str) -> anyhow::Result<f64> {
        let id = self.process.id().context("the hub has ended")?;
        let path = format!("/proc/{id}/status");
        let status =
            std::fs::read_to_string(Path::new(&path)).context("memory is read from /proc, on Linux")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib =
            line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse::<f64>().ok());
        Ok(kib.context("no such figure")? / 1024.0)
    }

    /// Processor time that it has used, in seconds.
    pub(super) fn cpu(&self) -> anyhow::Result<f64> {
        cpu(&self.process.id().context("the hub has ended")?.to_string())
    }

    /// Kills it, as a power failure would.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}
