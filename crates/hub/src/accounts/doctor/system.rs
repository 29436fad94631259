//! What can be wrong with the machine itself, before any account: LINE's hosts, the clock, the public address and its
//! certificate, the databases, the data folder, the master key (S3-02).

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use line_client::{Host, LineError, Probe};
use reqwest::Method;
use reqwest::tls::TlsInfo;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::model::{Code, Finding, State};
use super::tls::{self, Fault};
use crate::accounts::service::Deadline;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{self, DbResult, Durability};
use crate::guard::{GuardError, Inside};
use crate::secrets::Keyring;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A host of LINE that takes longer makes answers to friends slow.
const SLOW: Duration = Duration::from_secs(2);
/// A `Date` is to the second and as old as its way here; what is more is the clock.
const CLOCK_OFF: i64 = 10;
/// From here on signed tokens are refused and ages are wrong.
const CLOCK_FAR_OFF: i64 = 120;
/// Certificates are renewed a month before their end as a rule; so late somebody has to look.
const DAYS_SOON: i64 = 21;
/// And so late it fails.
const DAYS_LATE: i64 = 7;
/// Free room in MiB below which a person should make some, and below which it is a matter of hours.
const ROOM: (i64, i64) = (2048, 256);
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The last findings about the machine, shared by all accounts.
#[derive(Debug, Default)]
pub(super) struct Machine(Mutex<Option<(Instant, Vec<Finding>)>>);

impl Machine {
    /// The findings of [`Code::SYSTEM`], looked for anew unless the last are younger than `age`. What is not found by the
    /// deadline is unknown.
    pub(super) async fn findings(&self, hub: &Hub, age: Duration, deadline: Deadline) -> Vec<Finding> {
        let later = |code: &Code| Finding::new(*code, State::Unknown, "any-later", hub.now());
        let found = deadline.within(self.looked(hub, age)).await;
        found.unwrap_or_else(|| Code::SYSTEM.iter().map(later).collect())
    }

    async fn looked(&self, hub: &Hub, age: Duration) -> Vec<Finding> {
        let mut last = self.0.lock().await;
        if let Some((at, findings)) = &*last
            && at.elapsed() < age
        {
            return findings.clone();
        }
        let findings = look(hub).await;
        *last = Some((Instant::now(), findings.clone()));
        findings
    }
}

async fn look(hub: &Hub) -> Vec<Finding> {
    let hosts = join_all(Host::ALL.map(|host| ask(hub, host)));
    let (hosts, public, storage) = tokio::join!(hosts, public(hub), storage(hub));
    let clock = clock(hub.now(), hosts.iter().find_map(|asked| asked.date()));
    let mut findings: Vec<Finding> = hosts.iter().map(|asked| asked.finding(hub.now())).collect();
    findings.extend(public);
    findings.extend([clock, storage, data_dir(hub).await, master_key(hub)]);
    findings
}

/// What came of asking one of LINE's hosts.
struct Asked {
    code: Code,
    name: String,
    /// What an answer proves, as the words' choice.
    checked: &'static str,
    outcome: Result<Probe, Fault>,
}

async fn ask(hub: &Hub, host: Host) -> Asked {
    let code = match host {
        Host::Api => Code::LineApi,
        Host::Data => Code::LineData,
        Host::Access => Code::LineAccess,
    };
    let address = hub.line.host(host);
    let (name, checked) = (address.host_str().unwrap_or_default().to_owned(), checked(address));
    let outcome = match timeout(PATIENCE, hub.line.probe_host(host)).await {
        Ok(Ok(probe)) => Ok(probe),
        Ok(Err(error)) => Err(cause(&error)),
        Err(_) => Err(Fault::Silent),
    };
    Asked { code, name, checked, outcome }
}

/// What an answer from an address proves: https needs TLS, a name needs DNS.
fn checked(address: &url::Url) -> &'static str {
    match (address.scheme(), address.domain().is_some()) {
        ("https", true) => "dns-tls",
        ("https", false) => "tls",
        (_, true) => "dns",
        (_, false) => "none",
    }
}

fn cause(error: &LineError) -> Fault {
    match error {
        LineError::NotSent { cause, .. } | LineError::Unknown { cause, .. } => tls::fault(cause),
        _ => Fault::Silent,
    }
}

impl Asked {
    fn date(&self) -> Option<&str> {
        self.outcome.as_ref().ok()?.date.as_deref()
    }

    fn finding(&self, now: Timestamp) -> Finding {
        let (state, variant) = match &self.outcome {
            Ok(probe) if probe.took > SLOW => (State::Warning, "slow"),
            Ok(_) => (State::Ok, "reached"),
            Err(Fault::Name) => (State::Failed, "name"),
            Err(Fault::Silent) => (State::Failed, "silent"),
            Err(Fault::Chain | Fault::Expired | Fault::OtherName | Fault::Tls) => (State::Failed, "tls"),
        };
        let took = self
            .outcome
            .as_ref()
            .map_or(0, |probe| i64::try_from(probe.took.as_millis()).unwrap_or(i64::MAX));
        let finding = Finding::new(self.code, state, variant, now);
        finding.with("host", self.name.as_str()).with("ms", took).with("checked", self.checked)
    }
}

/// Our clock against LINE's.
pub(super) fn clock(now: Timestamp, date: Option<&str>) -> Finding {
    let unknown = Finding::new(Code::Clock, State::Unknown, "unread", now);
    let Some(theirs) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) else { return unknown };
    let off = now.millis().div_euclid(1000) - theirs.timestamp().as_second();
    let (state, variant) = match off.abs() {
        off if off >= CLOCK_FAR_OFF => (State::Failed, "far-off"),
        off if off >= CLOCK_OFF => (State::Warning, "off"),
        _ => (State::Ok, "right"),
    };
    Finding::new(Code::Clock, state, variant, now).with("seconds", off.abs())
}

/// The public address and its certificate, by calling it as everybody does.
async fn public(hub: &Hub) -> [Finding; 2] {
    let (now, config) = (hub.now(), &hub.config);
    let address = config.public_url.as_str().trim_end_matches('/').to_owned();
    let found =
        |code, state, variant| Finding::new(code, state, variant, now).with("address", address.as_str());
    let url = |state, variant| found(Code::PublicUrl, state, variant);
    let certificate = |state, variant| found(Code::Certificate, state, variant);
    if config.is_loopback() {
        return [url(State::Unknown, "loopback"), certificate(State::Unknown, "loopback")];
    }
    if !config.is_https() {
        return [url(State::Failed, "not-https"), certificate(State::Unknown, "not-https")];
    }
    // The operator's own address may well resolve into the operator's own network.
    let Ok(request) = hub.guard.request(Method::GET, &format!("{address}/healthz"), &Inside::All) else {
        return [url(State::Unknown, "own-network"), certificate(State::Unknown, "not-reached")];
    };
    match request.timeout(PATIENCE).send().await {
        Ok(response) => {
            let end = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
            let certificate = days(now, end.and_then(tls::not_after), certificate);
            let status = i64::from(response.status().as_u16());
            let is_hub = status == 200 && response.text().await.is_ok_and(|body| body == "ok\n");
            let url = if is_hub {
                url(State::Ok, "reached")
            } else {
                url(State::Failed, "other-answers").with("status", status)
            };
            [url, certificate]
        }
        Err(error) => {
            let error = GuardError::Unreachable(error.without_url());
            match tls::fault(&error) {
                Fault::Name => [url(State::Failed, "name"), certificate(State::Unknown, "not-reached")],
                Fault::Silent => {
                    [url(State::Warning, "not-reached"), certificate(State::Unknown, "not-reached")]
                }
                fault => {
                    let variant = match fault {
                        Fault::Chain => "chain",
                        Fault::Expired => "expired",
                        Fault::OtherName => "other-name",
                        _ => "handshake",
                    };
                    [url(State::Unknown, "see-certificate"), certificate(State::Failed, variant)]
                }
            }
        }
    }
}

/// How long a trusted certificate lasts.
pub(super) fn days(
    now: Timestamp,
    end: Option<Timestamp>,
    found: impl Fn(State, &'static str) -> Finding,
) -> Finding {
    let Some(end) = end else { return found(State::Ok, "trusted") };
    let days = (end.millis() - now.millis()).div_euclid(DAY_MS);
    let (state, variant) = match days {
        days if days < 0 => (State::Failed, "expired"),
        days if days <= DAYS_LATE => (State::Failed, "late"),
        days if days <= DAYS_SOON => (State::Warning, "soon"),
        _ => (State::Ok, "fine"),
    };
    found(state, variant).with("days", days).with("until", end)
}

/// Both databases' settings, and the room on the disk.
async fn storage(hub: &Hub) -> Finding {
    let durability: DbResult<[Durability; 2]> =
        async { Ok([hub.db.durability().await?, hub.journal.durability().await?]) }.await;
    let folder = match &hub.config.database {
        db::Url::Sqlite(dir) => dir,
        db::Url::Postgres(_) => &hub.config.data_dir,
    };
    kept(hub.now(), hub.db.is_postgres(), durability, free(folder).await)
}

pub(super) fn kept(
    now: Timestamp,
    is_postgres: bool,
    durability: DbResult<[Durability; 2]>,
    free: Option<i64>,
) -> Finding {
    let found = |state, variant| Finding::new(Code::Storage, state, variant, now);
    let durability = match durability {
        Ok(durability) => durability,
        Err(error) => return found(State::Failed, "silent").with("reason", error.to_string()),
    };
    let engine = if is_postgres { "PostgreSQL" } else { "SQLite" };
    match (durability.into_iter().find_map(|one| one.weak), free) {
        (_, Some(room)) if room < ROOM.1 => found(State::Failed, "full").with("free", room),
        (Some((name, value)), _) => {
            found(State::Warning, "weak").with("engine", engine).with("name", name).with("value", value)
        }
        (None, Some(room)) if room < ROOM.0 => found(State::Warning, "low").with("free", room),
        (None, Some(room)) => found(State::Ok, "fine").with("engine", engine).with("free", room / 1024),
        (None, None) => found(State::Ok, "kept").with("engine", engine),
    }
}

/// Free room in MiB where a folder lies, as `df` tells (POSIX); `None` where there is no `df`.
async fn free(folder: &Path) -> Option<i64> {
    let mut command = tokio::process::Command::new("df");
    command.arg("-Pk").arg(folder).env_clear().env("LC_ALL", "C").kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let output = timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    read_df(&String::from_utf8_lossy(&output.stdout))
}

fn read_df(text: &str) -> Option<i64> {
    let free: i64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(free / 1024)
}

async fn data_dir(hub: &Hub) -> Finding {
    let folder = &hub.config.data_dir;
    let path = folder.join(format!(".doctor-{}", hub.entropy.token()));
    let tried = async {
        tokio::fs::write(&path, b"x").await?;
        tokio::fs::remove_file(&path).await
    };
    let found = |state, variant| {
        Finding::new(Code::DataDir, state, variant, hub.now()).with("path", folder.display().to_string())
    };
    match tried.await {
        Ok(()) => found(State::Ok, "writable"),
        Err(error) => found(State::Failed, "not-writable").with("reason", error.to_string()),
    }
}

/// The file's rights; a hub with a key that cannot be read would not have started.
fn master_key(hub: &Hub) -> Finding {
    use std::os::unix::fs::PermissionsExt as _;
    let found = |state, variant| Finding::new(Code::MasterKey, state, variant, hub.now());
    if hub.config.master_key.is_some() {
        return found(State::Ok, "environment");
    }
    let path = hub.config.master_key_file.clone().unwrap_or_else(|| Keyring::default_file(&hub.config));
    let text = path.display().to_string();
    match std::fs::metadata(&path) {
        Ok(file) if file.permissions().mode() & 0o077 != 0 => {
            let mode = format!("{:o}", file.permissions().mode() & 0o777);
            found(State::Failed, "open").with("path", text).with("mode", mode)
        }
        Ok(_) => found(State::Ok, "closed").with("path", text),
        Err(error) => found(State::Failed, "missing").with("path", text).with("reason", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::START;

    #[test]
    fn an_answer_proves_no_more_than_it_needed() {
        for (address, proven) in [
            ("https://api.line.me", "dns-tls"),
            ("https://127.0.0.1", "tls"),
            ("http://sandbox:8001", "dns"),
            ("http://127.0.0.1:8001", "none"),
            ("http://[::1]:8001", "none"),
        ] {
            assert_eq!(checked(&address.parse().unwrap()), proven, "{address}");
        }
    }

    #[test]
    fn two_clocks_are_compared() {
        let judged = |seconds: i64| {
            let found = clock(START.plus(Duration::from_secs(500)), Some(&date(500 - seconds)));
            (found.state, found.variant.into_owned())
        };
        fn date(seconds: i64) -> String {
            let at = jiff::Timestamp::from_millisecond(START.millis() + seconds * 1000).unwrap();
            at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        }
        assert_eq!(judged(0), (State::Ok, "right".to_owned()));
        assert_eq!(judged(9), (State::Ok, "right".to_owned()));
        assert_eq!(judged(-11), (State::Warning, "off".to_owned()));
        assert_eq!(judged(121), (State::Failed, "far-off".to_owned()));
        assert_eq!(clock(START, None).state, State::Unknown);
        assert_eq!(clock(START, Some("odd")).state, State::Unknown);
    }

    #[test]
    fn a_certificate_is_told_of_before_it_ends() {
        let judged = |days_left: i64| {
            let end = Timestamp(START.millis() + days_left * DAY_MS + 5);
            let found = days(START, Some(end), |state, variant| {
                Finding::new(Code::Certificate, state, variant, START)
            });
            (found.state, found.variant.into_owned())
        };
        assert_eq!(judged(60), (State::Ok, "fine".to_owned()));
        assert_eq!(judged(21), (State::Warning, "soon".to_owned()));
        assert_eq!(judged(7), (State::Failed, "late".to_owned()));
        assert_eq!(judged(-1), (State::Failed, "expired".to_owned()));
    }

    #[test]
    fn a_full_disk_comes_before_a_weak_setting() {
        let good = || Durability { settings: Vec::new(), weak: None };
        let weak = || Durability { settings: Vec::new(), weak: Some(("fsync", "off".to_owned())) };
        let judged = |two: [Durability; 2], free| kept(START, true, Ok(two), free).variant.into_owned();
        assert_eq!(judged([good(), good()], Some(50_000)), "fine");
        assert_eq!(judged([good(), good()], None), "kept");
        assert_eq!(judged([good(), good()], Some(2000)), "low");
        assert_eq!(judged([good(), weak()], Some(50_000)), "weak");
        assert_eq!(judged([weak(), good()], Some(100)), "full");
        let df =
            "Filesystem 1024-blocks Used Available Capacity Mounted on\noverlay 263174212 1 10485760 50% /\n";
        assert_eq!(read_df(df), Some(10_240));
        assert_eq!(read_df("df: x: No such file"), None);
    }
}
