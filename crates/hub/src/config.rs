//! What the operator sets: `TRUNKLINE_*`, `trunkline.toml` and flags, already merged by the command line.

use std::path::PathBuf;
use std::time::Duration;

use line_client::Secret;
use url::Url;

use crate::guard::Inside;

/// The hub's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address people and LINE reach the hub at, without a trailing slash; `http://` + the listening address when unset.
    pub public_url: Url,
    /// Where SQLite files, the key file and media are.
    pub data_dir: PathBuf,
    /// Which database.
    pub database: crate::db::Url,
    /// LINE's hosts, or the sandbox's address.
    pub line: LineHosts,
    /// `TRUNKLINE_MASTER_KEY`: the key that seals secrets at rest; `None` means a file.
    pub master_key: Option<Secret>,
    /// `TRUNKLINE_MASTER_KEY_FILE`; `None` means `master.key` in the data folder, made when it is missing.
    pub master_key_file: Option<PathBuf>,
    /// The largest webhook body accepted, in bytes (`TRUNKLINE_WEBHOOK_MAX`, default 1 MiB).
    pub webhook_max: usize,
    /// Which addresses inside the operator's network may be reached (`TRUNKLINE_ALLOW_PRIVATE_DESTINATIONS`).
    pub allow_private_destinations: Inside,
    /// How many destinations an account may have (`TRUNKLINE_DESTINATIONS_MAX`, default 5).
    pub destinations_max: usize,
    /// The reverse proxies that are believed about whom they stand for (`TRUNKLINE_TRUSTED_PROXIES`).
    pub trusted_proxies: crate::web::Proxies,
    /// How e-mail leaves (`TRUNKLINE_SMTP_URL`, `TRUNKLINE_MAIL_FROM`); `None` when no server is set.
    pub mail: Option<crate::mail::Mail>,
    /// How long a session lasts without use.
    pub session_life: Duration,
}

/// LINE's hosts.
#[derive(Debug, Clone)]
pub struct LineHosts {
    /// `https://api.line.me`
    pub api: Url,
    /// `https://api-data.line.me`
    pub data: Url,
    /// `https://access.line.me`
    pub access: Url,
    /// `https://liff.line.me`: LIFF apps open at their ID below it. A sandbox serves them at `/liff`.
    pub liff: Url,
}

impl LineHosts {
    /// All hosts at one origin: the sandbox.
    #[must_use]
    pub fn sandbox(origin: &Url) -> Self {
        let mut liff = origin.clone();
        liff.set_path("/liff");
        Self { api: origin.clone(), data: origin.clone(), access: origin.clone(), liff }
    }

    /// Where the LIFF client comes from that pages below a LIFF address load: LINE's own, or beside another host's apps
    /// (PLATFORM 24.3, 24.4).
    #[must_use]
    pub fn liff_client(&self) -> String {
        if self.liff.host_str() == Some("liff.line.me") {
            return "https://static.line-scdn.net/liff/edge/2/sdk.js".to_owned();
        }
        format!("{}/sdk.js", self.liff.as_str().trim_end_matches('/'))
    }
}

impl Config {
    /// The public address as text, without a slash at its end: what addresses given to LINE begin with.
    #[must_use]
    pub fn origin(&self) -> String {
        self.public_url.as_str().trim_end_matches('/').to_owned()
    }

    /// The webhook address of an account: `{public_url}/webhooks/line/{account_key}`.
    #[must_use]
    pub fn webhook_url(&self, account_key: &str) -> String {
        format!("{}/webhooks/line/{account_key}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Whether people reach the hub by TLS; then cookies are tied to it and browsers are told to stay with it.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    /// Whether LINE could call the hub: https, or loopback (the sandbox allows it).
    #[must_use]
    pub fn is_reachable_by_line(&self) -> bool {
        self.public_url.scheme() == "https" || self.is_loopback()
    }

    /// Whether the public address is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.public_url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
    }
}
