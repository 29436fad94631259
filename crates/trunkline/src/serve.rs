//! `trunkline serve`.

use std::process::ExitCode;

use hub::start::{self, Parts};
use hub::team;

use crate::settings::Settings;
use crate::{lifecycle, say};

/// Serves the hub until a signal.
///
/// # Errors
/// The address is taken, the data folder is served by another process, or something in it cannot be used.
pub(crate) async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    let signal = lifecycle::stop_on_signal()?;
    let listener = lifecycle::bind(settings.listen).await?;
    let config = settings.config(listener.local_addr()?)?;
    let public_url = config.public_url.clone();
    let running = start::start(Parts::system(config)).await?;
    let hub = running.hub.clone();
    let ready = async move {
        say(format!("Trunkline is ready at {public_url}"));
        if let Some(link) = team::service::first_owner_link(&hub).await.map_err(crate::admin::told)? {
            say(format!("Nobody works here yet. The first owner signs up, once, at {link}"));
        }
        Ok(())
    };
    lifecycle::serve_hub(running, listener, signal, ready).await
}
