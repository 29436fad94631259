//! `trunkline demo`: a hub and a local LINE in one process, with a small tea shop and its friends in them, and two systems
//! behind its relay.
//!
//! Nothing here goes around the doors: friends act through the sandbox's controls, their messages reach the hub as signed
//! webhooks; the account is connected and the answers are given through the hub's API.

mod picture;
mod story;
mod systems;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use hub::app::Hub;
use hub::config::LineHosts;
use hub::ids::UserId;
use hub::scope::Scope;
use hub::start::{self, Parts};
use hub::team::{self, Actor, NewUser, Role, Tenant};
use line_sandbox::Sandbox;
use url::Url;

use crate::admin::told;
use crate::http::Client;
use crate::settings::{self, Settings};
use crate::{lifecycle, say};

const ACTOR: Actor = Actor::System("demo");
const EMAIL: &str = "owner@demo.example";
const AGENT_EMAIL: &str = "mei@demo.example";
const AGENT: &str = "小美";
/// The key that connects the account and answers: the tablet on Mei's counter, by its name.
const KEY_NAME: &str = "小美的平板";

/// Serves hub and sandbox until a signal.
///
/// # Errors
/// An address is taken, or the data folder cannot be used.
pub(crate) async fn run(mut settings: Settings, sandbox_listen: SocketAddr) -> anyhow::Result<ExitCode> {
    let signal = lifecycle::stop_on_signal()?;
    let listener = lifecycle::bind(settings.listen).await?;
    let sandbox_listener =
        lifecycle::bind(sandbox_listen).await.context("the local LINE (--sandbox-listen)")?;
    let line = settings::origin(sandbox_listener.local_addr()?)?;
    // Gone with the demo, unless the operator wants to keep what happens in it.
    let scratch = if settings.data_dir_given { None } else { Some(tempfile::tempdir()?) };
    if let Some(scratch) = &scratch {
        scratch.path().clone_into(&mut settings.data_dir);
    }
    settings.line = LineHosts::sandbox(&line);
    settings.public_url = None;
    // The systems behind the relay are programs of the demo, on loopback.
    settings.allow_private_destinations = hub::guard::Inside::All;
    let systems = systems::Systems::bind().await?;
    let others = systems.origin.clone();
    let running = start::start(Parts::system(settings.config(listener.local_addr()?)?)).await?;

    let sandbox = Sandbox::new(line_sandbox::Config::default());
    let sandbox_stop = running.hub.stop.clone();
    let sandbox = tokio::spawn(sandbox.serve(sandbox_listener, sandbox_stop.cancelled_owned()));

    let systems_stop = running.hub.stop.clone();
    let systems = tokio::spawn(systems.serve(systems_stop.cancelled_owned()));

    let hub = running.hub.clone();
    let forgets = scratch.is_some();
    let ready = async move {
        say("Trunkline demo: setting up a tea shop …");
        let links = set_up(&hub, &line, &others).await.context("the demo could not be set up")?;
        say(format!(
            "\n  Inbox   {}\n          (signs this browser in, once; {EMAIL} is the owner)\n  Phone   {}\n          (a friend's phone; others at {})\n  Systems {}\n          (they stand behind the relay; tell them there how to answer)\n\n\
             Write on the phone, answer in the inbox. Ctrl+C ends the demo{}.",
            links.inbox,
            links.phone,
            line.as_str().trim_end_matches('/'),
            others.as_str().trim_end_matches('/'),
            if forgets { " and forgets it" } else { "" }
        ));
        Ok(())
    };
    let code = lifecycle::serve_hub(running, listener, signal, ready).await?;
    sandbox.await.context("the sandbox panicked")?.context("the sandbox failed")?;
    systems.await.context("the other systems panicked")??;
    // Only now: the hub wrote into it to the end.
    drop(scratch);
    Ok(code)
}

struct Links {
    inbox: String,
    phone: String,
}

/// The person of an address, made at the first run.
async fn person(hub: &Hub, tenant: &Tenant, email: &str, name: &str, role: Role) -> anyhow::Result<UserId> {
    let scope = Scope::tenant_wide(tenant.id.clone());
    let members = team::service::members(hub, &scope).await.map_err(told)?;
    if let Some(member) = members.into_iter().find(|member| member.email == email) {
        return Ok(member.id);
    }
    let password = hub.entropy.token();
    let user = NewUser { email, name, role, password: &password };
    team::service::create_user(hub, &tenant.id, &user, &ACTOR).await.map_err(told)
}

async fn set_up(hub: &Hub, line: &Url, others: &Url) -> anyhow::Result<Links> {
    let tenant = match team::service::tenant_for(hub, None, false, &ACTOR).await {
        // The shop is in Taipei, wherever this machine is.
        Err(error) if error.code == "not_found" => {
            team::service::create_tenant(hub, story::SHOP, Some("Asia/Taipei"), &ACTOR).await
        }
        found => found,
    }
    .map_err(told)?;
    let scope = Scope::tenant_wide(tenant.id.clone());
    let owner = person(hub, &tenant, EMAIL, "店長 阿嵐", Role::Owner).await?;
    let mei = person(hub, &tenant, AGENT_EMAIL, AGENT, Role::Agent).await?;
    for key in team::service::api_keys(hub, &scope).await.map_err(told)? {
        if key.name == KEY_NAME {
            team::service::revoke_api_key(hub, &scope, &key.id, &ACTOR).await.map_err(told)?;
        }
    }
    let (_, key) =
        team::service::create_api_key(hub, &tenant.id, KEY_NAME, &[], &ACTOR).await.map_err(told)?;
    let api = Client::api(&hub.config.public_url, key)?;
    let phone = story::tell(&Client::sandbox(line)?, &api, others).await?;
    let accounts = team::service::grantable_accounts(hub, &scope).await.map_err(told)?;
    let accounts: Vec<String> = accounts.into_iter().map(|(id, _)| id).collect();
    team::service::change_member(hub, &scope, &mei, Role::Agent, &accounts, &ACTOR).await.map_err(told)?;
    let inbox = team::service::entry_link(hub, &tenant.id, &owner).await.map_err(told)?;
    Ok(Links { inbox, phone: format!("{}{phone}", line.as_str().trim_end_matches('/')) })
}
