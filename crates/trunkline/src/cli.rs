//! The commands.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Flags, Settings};
use crate::{admin, bench, demo, doctor, sandbox, serve};

/// A self-hosted hub for LINE Official Accounts.
///
/// Settings come from flags, then the environment (TRUNKLINE_…), then trunkline.toml, then their defaults; `trunkline
/// config show` lists them.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the hub
    Serve(Flags),
    /// Serve a hub and a local LINE together, with a small tea shop in them
    Demo(DemoFlags),
    /// Serve a local LINE alone
    Sandbox {
        /// The address to listen on
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
        /// A folder that keeps the sandbox; without it, it is gone at the end
        #[arg(long, value_name = "FOLDER")]
        data_dir: Option<PathBuf>,
        /// A number that decides every generated id, or a JSON file that sets an empty sandbox up
        #[arg(long, value_name = "NUMBER|FILE")]
        seed: Option<String>,
    },
    /// Bring the tables of the database up to date
    Migrate(Flags),
    /// Check the machine and every connected account; the exit status is 1 when a check failed
    Doctor {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Flags,
    },
    /// Tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Users
    #[command(subcommand)]
    User(UserCommand),
    /// Keys for the API
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// The encryption of secrets at rest
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// The settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Measurements
    #[command(subcommand)]
    Bench(bench::Command),
}

#[derive(Debug, Args)]
pub(crate) struct DemoFlags {
    #[command(flatten)]
    pub(crate) settings: Flags,
    /// Where the local LINE listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    pub(crate) sandbox_listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
enum TenantCommand {
    /// Add a tenant
    Add {
        /// Its name
        #[arg(long)]
        name: String,
        #[command(flatten)]
        settings: Flags,
    },
    /// Set when the service of a tenant ends, as its people see it; nothing is switched off
    Set {
        /// The tenant, by name or id; needed only when there are several
        #[arg(long)]
        tenant: Option<String>,
        /// A date such as 2027-12-31, or never
        #[arg(long, value_name = "DATE")]
        expires: String,
        #[command(flatten)]
        settings: Flags,
    },
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user; the password is read from standard input
    Add {
        /// The address to sign in with
        #[arg(long)]
        email: String,
        /// What the user may do: owner or agent
        #[arg(long)]
        role: String,
        /// The tenant, by name or id; needed only when there are several
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        settings: Flags,
    },
}

#[derive(Debug, Subcommand)]
enum ApiKeyCommand {
    /// Add a key and print it, once
    Add {
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it may be used for: read, send, manage; all when none is given
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// The tenant, by name or id; needed only when there are several
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        settings: Flags,
    },
}

#[derive(Debug, Subcommand)]
enum SecretsCommand {
    /// Make a new version of the master key and seal every stored secret with it
    Rotate(Flags),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show every setting, its value and where it comes from
    Show(Flags),
}

/// Runs the command.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(flags) => return serve::run(read(&flags)?).await,
        Command::Demo(flags) => {
            let mut settings = Settings::read(&flags.settings)?;
            // The two links must not drown in the log.
            settings.default_log("warn");
            settings.start_log()?;
            return demo::run(settings, flags.sandbox_listen).await;
        }
        Command::Sandbox { listen, data_dir, seed } => sandbox::run(listen, data_dir, seed).await?,
        Command::Migrate(flags) => admin::migrate(read(&flags)?).await?,
        Command::Doctor { json, settings } => return doctor::run(read(&settings)?, json).await,
        Command::Tenant(TenantCommand::Add { name, settings }) => {
            admin::add_tenant(read(&settings)?, &name).await?;
        }
        Command::Tenant(TenantCommand::Set { tenant, expires, settings }) => {
            admin::set_tenant(read(&settings)?, tenant.as_deref(), &expires).await?;
        }
        Command::User(UserCommand::Add { email, role, tenant, settings }) => {
            admin::add_user(read(&settings)?, &email, &role, tenant.as_deref()).await?;
        }
        Command::ApiKey(ApiKeyCommand::Add { name, scopes, tenant, settings }) => {
            admin::add_api_key(read(&settings)?, &name, &scopes, tenant.as_deref()).await?;
        }
        Command::Secrets(SecretsCommand::Rotate(flags)) => admin::rotate_secrets(read(&flags)?).await?,
        Command::Config(ConfigCommand::Show(flags)) => crate::say(Settings::read(&flags)?.table()),
        Command::Bench(command) => return bench::run(command).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the settings and starts the log.
fn read(flags: &Flags) -> anyhow::Result<Settings> {
    let settings = Settings::read(flags)?;
    settings.start_log()?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
