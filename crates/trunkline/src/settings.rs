//! What the operator sets: flag, then environment, then file, then default; a name or value nobody knows is refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use hub::config::{Config, LineHosts};
use hub::db;
use hub::guard::Inside;
use hub::mail::Mail;
use hub::secrets::Secret;
use hub::web::Proxies;
use url::Url;

/// The settings as flags; each has a variable of the same name, `TRUNKLINE_LISTEN` for `--listen`.
#[derive(Debug, Default, Args)]
pub(crate) struct Flags {
    /// The file of settings; trunkline.toml in the working folder when that exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The address people and LINE reach the hub at
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Where databases, media and the key file are
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// postgres://… or sqlite:FOLDER; SQLite in the data folder when left out
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The file of the master key
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<String>,
    /// LINE's Messaging API
    #[arg(long, value_name = "URL")]
    line_api_url: Option<String>,
    /// LINE's media
    #[arg(long, value_name = "URL")]
    line_data_url: Option<String>,
    /// LINE's sign-in pages
    #[arg(long, value_name = "URL")]
    line_access_url: Option<String>,
    /// LINE's LIFF apps
    #[arg(long, value_name = "URL")]
    liff_url: Option<String>,
    /// The largest webhook body, in bytes
    #[arg(long, value_name = "BYTES")]
    webhook_max: Option<String>,
    /// Which addresses inside your network may be reached: true, false, or networks set apart by commas
    #[arg(long, value_name = "LIST")]
    allow_private_destinations: Option<String>,
    /// How many destinations an account may have
    #[arg(long, value_name = "NUMBER")]
    destinations_max: Option<String>,
    /// The reverse proxies whose X-Forwarded-For is believed: addresses and networks, set apart by commas
    #[arg(long, value_name = "LIST")]
    trusted_proxies: Option<String>,
    /// Days without use after which a person has to sign in again
    #[arg(long, value_name = "DAYS")]
    session_days: Option<String>,
    /// The sender of e-mail: an address, with or without a name before it
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// What is logged: error, warn, info, debug, or a filter such as hub=debug,warn
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How it is logged: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// One setting's name, default, and whether its value is secret.
struct Known {
    name: &'static str,
    default: &'static str,
    secret: bool,
}

const fn known(name: &'static str, default: &'static str) -> Known {
    Known { name, default, secret: false }
}

/// All settings. The master key itself has no flag: other users of a machine can read the flags of a process.
const KNOWN: [Known; 19] = [
    known("listen", "127.0.0.1:8080"),
    known("public_url", ""),
    known("data_dir", "./trunkline-data"),
    Known { name: "database_url", default: "", secret: true },
    Known { name: "master_key", default: "", secret: true },
    known("master_key_file", ""),
    known("line_api_url", "https://api.line.me"),
    known("line_data_url", "https://api-data.line.me"),
    known("line_access_url", "https://access.line.me"),
    known("liff_url", "https://liff.line.me"),
    known("webhook_max", "1048576"),
    known("allow_private_destinations", "false"),
    known("destinations_max", "5"),
    known("trusted_proxies", Proxies::LOOPBACK),
    known("session_days", "30"),
    Known { name: "smtp_url", default: "", secret: true },
    known("mail_from", ""),
    known("log", "info"),
    known("log_format", "text"),
];

/// Variables with our prefix that mean something elsewhere: to the build, and to the tests.
const ELSEWHERE: [&str; 3] = ["TRUNKLINE_CONFIG", "TRUNKLINE_ASSETS_DIR", "TRUNKLINE_TEST_DATABASE_URL"];

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Default,
    File,
    Environment,
    Flag,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// The settings, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// The public address; that of the listener when `None`.
    pub(crate) public_url: Option<Url>,
    /// The data folder.
    pub(crate) data_dir: PathBuf,
    /// Whether the operator chose the data folder.
    pub(crate) data_dir_given: bool,
    /// LINE's hosts.
    pub(crate) line: LineHosts,
    /// Whether other hosts than the usual ones were set.
    pub(crate) allow_private_destinations: Inside,
    destinations_max: usize,
    trusted_proxies: Proxies,
    database_url: String,
    master_key: Option<Secret>,
    master_key_file: Option<PathBuf>,
    webhook_max: usize,
    session_life: Duration,
    mail: Option<Mail>,
    log: String,
    json: bool,
    shown: Vec<(&'static str, String, Source)>,
    unknown_variables: Vec<String>,
}

type Values = BTreeMap<&'static str, (String, Source)>;

impl Settings {
    /// Reads all sources.
    ///
    /// # Errors
    /// A file that cannot be read, and unknown names and impossible values, named.
    pub(crate) fn read(flags: &Flags) -> anyhow::Result<Self> {
        // The one place where the environment is read.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with("TRUNKLINE_"))
            .map(|(name, value)| match value.into_string() {
                Ok(value) => Ok((name, value)),
                Err(_) => Err(anyhow!("{name} is not valid UTF-8")),
            })
            .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        let named = flags.config.clone().or_else(|| environment.get("TRUNKLINE_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from("trunkline.toml"));
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        Self::merge(flags, &environment, &file).map_err(|error| match path.to_str() {
            Some(path) if !file.is_empty() => anyhow!("{}", error.to_string().replace("the file", path)),
            _ => error,
        })
    }

    fn merge(flags: &Flags, environment: &BTreeMap<String, String>, file: &str) -> anyhow::Result<Self> {
        let mut values: Values =
            KNOWN.iter().map(|known| (known.name, (known.default.to_owned(), Source::Default))).collect();
        let table: toml::Table = file.parse().map_err(|error| anyhow!("the file is not TOML: {error}"))?;
        for (name, value) in table {
            let known = KNOWN.iter().find(|known| known.name == name);
            let known = known.ok_or_else(|| anyhow!("{name} in the file is not a setting"))?;
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                _ => bail!("{name} in the file must be a text, a number, true or false"),
            };
            values.insert(known.name, (text, Source::File));
        }
        for known in &KNOWN {
            if let Some(value) = environment.get(&variable(known.name)) {
                values.insert(known.name, (value.clone(), Source::Environment));
            }
        }
        for (name, value) in flags.given() {
            values.insert(name, (value.clone(), Source::Flag));
        }
        let known = |name: &str| KNOWN.iter().any(|known| variable(known.name) == *name);
        let unknown_variables = environment
            .keys()
            .filter(|name| !known(name) && !ELSEWHERE.contains(&name.as_str()))
            .cloned()
            .collect();
        Self::check(&values, unknown_variables)
    }

    fn check(values: &Values, unknown_variables: Vec<String>) -> anyhow::Result<Self> {
        let get = |name: &str| values.get(name).map_or("", |(value, _)| value.as_str());
        let wrong = |name: &str, expected: &str| {
            let source = values.get(name).map_or(Source::Default, |(_, source)| *source);
            anyhow!("{name} ({}) must be {expected}", source.name())
        };
        let path = |name: &str| Some(get(name)).filter(|text| !text.is_empty()).map(PathBuf::from);
        let address = |name: &str| {
            let url = Url::parse(get(name)).ok();
            url.filter(|url| {
                matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
            })
            .ok_or_else(|| wrong(name, "an address that begins with http:// or https://, without query"))
        };
        let data_dir = path("data_dir").ok_or_else(|| wrong("data_dir", "a folder"))?;
        db::Url::parse(get("database_url"), &data_dir).map_err(|error| anyhow!("database_url: {error}"))?;
        let public_url = if get("public_url").is_empty() { None } else { Some(address("public_url")?) };
        let destinations_max = get("destinations_max").parse().ok().filter(|max| (1..=100).contains(max));
        let webhook_max = get("webhook_max").parse().ok().filter(|max| (1024..=64 << 20).contains(max));
        let days = get("session_days").parse::<u64>().ok().filter(|days| (1..=365).contains(days));
        let log = get("log");
        tracing_subscriber::EnvFilter::try_new(log).map_err(|error| anyhow!("log: {error}"))?;
        Ok(Self {
            listen: get("listen")
                .parse()
                .map_err(|_| wrong("listen", "an address with a port, such as 127.0.0.1:8080"))?,
            public_url,
            data_dir_given: values.get("data_dir").is_some_and(|(_, source)| *source != Source::Default),
            data_dir,
            line: LineHosts {
                api: address("line_api_url")?,
                data: address("line_data_url")?,
                access: address("line_access_url")?,
                liff: address("liff_url")?,
            },
            allow_private_destinations: get("allow_private_destinations").parse().map_err(|error| {
                let expected = format!("true, false, or a list of private networks: {error}");
                wrong("allow_private_destinations", &expected)
            })?,
            destinations_max: destinations_max
                .ok_or_else(|| wrong("destinations_max", "a number from 1 to 100"))?,
            trusted_proxies: get("trusted_proxies").parse().map_err(|error| {
                wrong("trusted_proxies", &format!("a list of addresses and networks: {error}"))
            })?,
            database_url: get("database_url").to_owned(),
            master_key: Some(get("master_key")).filter(|key| !key.is_empty()).map(Secret::from),
            master_key_file: path("master_key_file"),
            webhook_max: webhook_max.ok_or_else(|| wrong("webhook_max", "a number from 1024 to 67108864"))?,
            session_life: Duration::from_secs(
                24 * 3600 * days.ok_or_else(|| wrong("session_days", "a number from 1 to 365"))?,
            ),
            mail: match (get("smtp_url"), get("mail_from")) {
                ("", "") => None,
                ("", _) => bail!("mail_from is set, but smtp_url is not: both are needed to send e-mail"),
                (_, "") => bail!("smtp_url is set, but mail_from is not: both are needed to send e-mail"),
                (url, from) => Some(Mail::parse(url, from).map_err(anyhow::Error::msg)?),
            },
            log: log.to_owned(),
            json: match get("log_format") {
                "text" => false,
                "json" => true,
                _ => return Err(wrong("log_format", "text or json")),
            },
            shown: KNOWN
                .iter()
                .filter_map(|known| {
                    let (value, source) = values.get(known.name)?;
                    Some((known.name, if known.secret { mask(value) } else { value.clone() }, *source))
                })
                .collect(),
            unknown_variables,
        })
    }

    /// The hub's settings, once it is known where it listens.
    ///
    /// # Errors
    /// None that `read` did not report.
    pub(crate) fn config(&self, listening: SocketAddr) -> anyhow::Result<Config> {
        let public_url = match &self.public_url {
            Some(url) => url.clone(),
            None => origin(listening)?,
        };
        Ok(Config {
            public_url,
            data_dir: self.data_dir.clone(),
            database: db::Url::parse(&self.database_url, &self.data_dir).map_err(anyhow::Error::msg)?,
            line: self.line.clone(),
            master_key: self.master_key.clone(),
            master_key_file: self.master_key_file.clone(),
            webhook_max: self.webhook_max,
            allow_private_destinations: self.allow_private_destinations.clone(),
            destinations_max: self.destinations_max,
            trusted_proxies: self.trusted_proxies.clone(),
            mail: self.mail.clone(),
            session_life: self.session_life,
        })
    }

    /// Every setting, its value (secrets masked) and its source, as lines.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for (name, value, source) in &self.shown {
            let _ = writeln!(text, "{name:<27} {:<38} {}", format!("{value:?}"), source.name());
        }
        text.trim_end().to_owned()
    }

    /// Starts the log on standard error.
    ///
    /// # Errors
    /// It was started before.
    pub(crate) fn start_log(&self) -> anyhow::Result<()> {
        let log = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::try_new(&self.log)?)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        let started = if self.json { log.json().try_init() } else { log.try_init() };
        started.map_err(|error| anyhow!("the log cannot be started: {error}"))?;
        for name in &self.unknown_variables {
            tracing::warn!("{name} is set, but there is no such setting");
        }
        Ok(())
    }

    /// Sets what is logged where the operator said nothing.
    pub(crate) fn default_log(&mut self, filter: &str) {
        if self.shown.iter().any(|(name, _, source)| *name == "log" && *source == Source::Default) {
            filter.clone_into(&mut self.log);
        }
    }
}

impl Flags {
    fn given(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("listen", &self.listen),
            ("public_url", &self.public_url),
            ("data_dir", &self.data_dir),
            ("database_url", &self.database_url),
            ("master_key_file", &self.master_key_file),
            ("line_api_url", &self.line_api_url),
            ("line_data_url", &self.line_data_url),
            ("line_access_url", &self.line_access_url),
            ("liff_url", &self.liff_url),
            ("webhook_max", &self.webhook_max),
            ("allow_private_destinations", &self.allow_private_destinations),
            ("destinations_max", &self.destinations_max),
            ("trusted_proxies", &self.trusted_proxies),
            ("session_days", &self.session_days),
            ("mail_from", &self.mail_from),
            ("log", &self.log),
            ("log_format", &self.log_format),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
}

/// The origin of a listener as a browser on this machine writes it.
///
/// # Errors
/// None: an address makes an origin.
pub(crate) fn origin(listening: SocketAddr) -> anyhow::Result<Url> {
    let mut shown = listening;
    if listening.ip().is_unspecified() {
        shown.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(Url::parse(&format!("http://{shown}"))?)
}

fn variable(name: &str) -> String {
    format!("TRUNKLINE_{}", name.to_uppercase())
}

/// Tells that there is a value, and of an address everything but the password.
fn mask(value: &str) -> String {
    match Url::parse(value) {
        Ok(mut url) if url.has_host() => {
            let masked = url.password().is_none() || url.set_password(Some("***")).is_ok();
            if masked { url.into() } else { "***".to_owned() }
        }
        _ if value.is_empty() || value.starts_with("sqlite:") => value.to_owned(),
        _ => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let file = "listen = \"127.0.0.1:1\"\nwebhook_max = 2048\nsession_days = 7";
        let variables =
            environment(&[("TRUNKLINE_LISTEN", "127.0.0.1:2"), ("TRUNKLINE_WEBHOOK_MAX", "4096")]);
        let flags = Flags { listen: Some("127.0.0.1:3".to_owned()), ..Flags::default() };
        let settings = Settings::merge(&flags, &variables, file).unwrap();
        assert_eq!(settings.listen.port(), 3);
        assert_eq!(settings.webhook_max, 4096);
        assert_eq!(settings.session_life, Duration::from_secs(7 * 24 * 3600));
        let table = settings.table();
        for line in ["listen", "webhook_max", "session_days", "log "] {
            assert!(table.contains(line), "{table}");
        }
        let source =
            |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap().split(' ').next_back();
        assert_eq!(source("listen"), Some("flag"));
        assert_eq!(source("webhook_max"), Some("environment"));
        assert_eq!(source("session_days"), Some("file"));
        assert_eq!(source("data_dir"), Some("default"));
    }

    #[test]
    fn unknown_names_and_impossible_values_are_refused_by_name() {
        let none = BTreeMap::new();
        let refused = |file: &str| Settings::merge(&Flags::default(), &none, file).unwrap_err().to_string();
        assert_eq!(refused("lisen = \"x\""), "lisen in the file is not a setting");
        assert!(refused("listen = \"here\"").starts_with("listen (file) must be"));
        assert!(refused("webhook_max = \"big\"").starts_with("webhook_max (file)"));
        assert!(refused("public_url = \"hub.example\"").starts_with("public_url (file)"));
        assert!(refused("database_url = \"mysql://x\"").starts_with("database_url"));
        assert!(refused("log_format = \"xml\"").starts_with("log_format (file)"));
        assert!(refused("allow_private_destinations = \"maybe\"").starts_with("allow_private_destinations"));
        let list = refused("allow_private_destinations = \"10.0.0.0/8, 8.8.8.8\"");
        assert!(
            list.starts_with("allow_private_destinations (file)") && list.contains("\"8.8.8.8\""),
            "{list}"
        );
        assert!(refused("trusted_proxies = \"10.0.0.1/8\"").starts_with("trusted_proxies (file) must be"));
        assert!(refused("listen = [1]").starts_with("listen in the file"));
        assert!(refused("= =").starts_with("the file is not TOML"));
        let typo = environment(&[("TRUNKLINE_LITSEN", "x")]);
        assert_eq!(
            Settings::merge(&Flags::default(), &typo, "").unwrap().unknown_variables,
            ["TRUNKLINE_LITSEN"]
        );
    }

    #[test]
    fn secrets_are_masked() {
        let variables = environment(&[
            ("TRUNKLINE_MASTER_KEY", "c2VjcmV0"),
            ("TRUNKLINE_DATABASE_URL", "postgres://hub:hunter2@db.example/hub"),
        ]);
        let settings = Settings::merge(&Flags::default(), &variables, "").unwrap();
        let table = settings.table();
        assert!(!table.contains("c2VjcmV0") && !table.contains("hunter2"), "{table}");
        assert!(table.contains("db.example"), "{table}");
        assert!(!format!("{settings:?}").contains("c2VjcmV0"));
    }

    #[test]
    fn the_public_address_is_the_listener_where_none_is_set() {
        let settings = Settings::merge(&Flags::default(), &BTreeMap::new(), "").unwrap();
        let config = settings.config("0.0.0.0:8080".parse().unwrap()).unwrap();
        assert_eq!(config.public_url.as_str(), "http://127.0.0.1:8080/");
        assert_eq!(config.webhook_url("k"), "http://127.0.0.1:8080/webhooks/line/k");
    }
}
