//! The operator's short acts. They work beside a hub that serves the same data.

use std::io::Read as _;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use hub::app::Hub;
use hub::clock::{Entropy, Timestamp};
use hub::error::AppError;
use hub::secrets::Keyring;
use hub::start::{self, Parts};
use hub::team::{self, Actor, KeyScope, NewUser, Role};

use crate::say;
use crate::settings::Settings;

/// Who the audit log names.
const ACTOR: Actor = Actor::System("command line");

/// A service's refusal in words for a terminal; the cause, which a page would not show, belongs to the operator.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
pub(crate) fn told(error: AppError) -> anyhow::Error {
    let source = error.source().map(|source| {
        let mut text = source.to_string();
        let mut next = source.source();
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        text
    });
    match source {
        Some(source) => anyhow::anyhow!("{}: {source}", error.detail),
        None => anyhow::anyhow!("{}", error.detail),
    }
}

pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Hub> {
    // Nothing is served here; the address only stands in links.
    let listening: SocketAddr = settings.listen;
    start::open(Parts::system(settings.config(listening)?)).await
}

pub(crate) async fn close(hub: Hub) {
    hub.stop.cancel();
    hub.tasks.close();
    hub.tasks.wait().await;
    hub.journal.close().await;
    hub.db.close().await;
}

/// `trunkline migrate`.
pub(crate) async fn migrate(settings: Settings) -> anyhow::Result<()> {
    let (hub, journal) = start::databases(&settings.config(settings.listen)?).await?;
    hub.close().await;
    journal.close().await;
    say("The database is up to date.");
    Ok(())
}

/// `trunkline tenant add`.
pub(crate) async fn add_tenant(settings: Settings, name: &str) -> anyhow::Result<()> {
    let hub = open(&settings).await?;
    let tenant = team::service::create_tenant(&hub, name, None, &ACTOR).await.map_err(told)?;
    say(format!("Tenant {} is {}.", tenant.name, tenant.id));
    close(hub).await;
    Ok(())
}

/// `trunkline tenant set`.
pub(crate) async fn set_tenant(
    settings: Settings,
    tenant: Option<&str>,
    expires: &str,
) -> anyhow::Result<()> {
    let expires_at = match expires {
        "never" => None,
        date => {
            let at = Timestamp::parse(&format!("{date}T00:00:00Z"));
            Some(at.with_context(|| format!("--expires {date} must be a date such as 2027-12-31, or never"))?)
        }
    };
    let hub = open(&settings).await?;
    let tenant = team::service::tenant_for(&hub, tenant, false, &ACTOR).await.map_err(told)?;
    team::company::set_expiry(&hub, &tenant.id, expires_at, &ACTOR).await.map_err(told)?;
    say(format!("The service of tenant {} ends: {expires}.", tenant.name));
    close(hub).await;
    Ok(())
}

/// `trunkline user add`: the password is the first line of standard input.
pub(crate) async fn add_user(
    settings: Settings,
    email: &str,
    role: &str,
    tenant: Option<&str>,
) -> anyhow::Result<()> {
    let Some(role) = Role::parse(role) else { bail!("--role must be owner or agent") };
    let mut input = String::new();
    std::io::stdin().take(4096).read_to_string(&mut input).context("the password cannot be read")?;
    let password = input.lines().next().unwrap_or_default();
    let hub = open(&settings).await?;
    let tenant = team::service::tenant_for(&hub, tenant, true, &ACTOR).await.map_err(told)?;
    let user = NewUser { email, name: "", role, password };
    team::service::create_user(&hub, &tenant.id, &user, &ACTOR).await.map_err(told)?;
    say(format!("{email} can sign in at {}", hub.config.public_url));
    close(hub).await;
    Ok(())
}

/// `trunkline api-key add`: prints the key, and nothing else, so that a script can take it.
pub(crate) async fn add_api_key(
    settings: Settings,
    name: &str,
    scopes: &[String],
    tenant: Option<&str>,
) -> anyhow::Result<()> {
    let scopes = scopes
        .iter()
        .map(|scope| {
            KeyScope::parse(scope).with_context(|| format!("--scope {scope} must be read, send or manage"))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let hub = open(&settings).await?;
    let tenant = team::service::tenant_for(&hub, tenant, false, &ACTOR).await.map_err(told)?;
    let (_, key) =
        team::service::create_api_key(&hub, &tenant.id, name, &scopes, &ACTOR).await.map_err(told)?;
    say(key);
    close(hub).await;
    Ok(())
}

/// `trunkline secrets rotate`.
pub(crate) async fn rotate_secrets(settings: Settings) -> anyhow::Result<()> {
    let config = settings.config(settings.listen)?;
    // The first `open` makes the key file of an empty hub.
    close(open(&settings).await?).await;
    if config.master_key.is_none() {
        let path = config.master_key_file.clone().unwrap_or_else(|| Keyring::default_file(&config));
        Keyring::rotate(&path, &Entropy::system())?;
        say(format!("A new version of the master key is in {}.", path.display()));
    }
    let hub = open(&settings).await?;
    let sealed = hub::accounts::service::reseal(&hub).await.map_err(told)?;
    let sealed = sealed + hub::alerts::reseal(&hub).await.map_err(told)?;
    let sealed = sealed + hub::relay::service::reseal(&hub).await.map_err(told)?;
    say(format!(
        "{sealed} secrets were sealed with the newest version. Start a hub that serves again, so that it reads it."
    ));
    close(hub).await;
    Ok(())
}
