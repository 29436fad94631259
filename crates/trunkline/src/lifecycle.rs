//! From the first listener to the last answer: binding, signals, serving, and the end.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use hub::start::Running;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long requests and loops may take to end after the first signal.
const GRACE: Duration = Duration::from_secs(20);

/// Takes an address.
///
/// # Errors
/// It is taken, or not this machine's: one line that says so.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!(
                "{address} is taken by another program; stop it, or choose another address with --listen"
            )
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    })
}

/// A token that the first SIGINT or SIGTERM cancels; the second ends the process at once.
///
/// # Errors
/// The operating system takes no handlers.
pub(crate) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be received")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if told.is_cancelled() {
                std::process::exit(130);
            }
            told.cancel();
        }
    });
    Ok(stop)
}

/// Serves the hub until a signal or until one of its loops dies. `ready` runs once requests are answered.
///
/// The first signal ends accepting; what was begun is answered, the journal's queue is written, the loops finish.
///
/// # Errors
/// The listener fails.
pub(crate) async fn serve_hub(
    running: Running,
    listener: TcpListener,
    signal: CancellationToken,
    ready: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<ExitCode> {
    let stop = running.hub.stop.clone();
    running.hub.guard.refuse_listener(listener.local_addr()?);
    running.spawn_loops();
    let server = tokio::spawn(serve(listener, running.router.clone(), stop.clone()));
    let told = tokio::select! {
        told = ready => told,
        () = signal.cancelled() => Ok(()),
    };
    if told.is_ok() {
        tokio::select! {
            () = signal.cancelled() => {}
            () = stop.cancelled() => {}
        }
    }
    tracing::info!("stopping: no new connections, what was begun is finished");
    stop.cancel();
    match tokio::time::timeout(GRACE, server).await {
        Ok(served) => served.context("the server panicked")?.context("the server failed")?,
        Err(_) => tracing::warn!("some connections did not end in time"),
    }
    let failure = running.failure();
    running.stop(GRACE).await;
    told?;
    Ok(match failure {
        Some(name) => {
            tracing::error!(name, "stopped because a part of the hub died");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    })
}

/// Serves routes until `stop`.
///
/// # Errors
/// What the listener reports.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Without it small answers wait for the client's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
    });
    // Who signs in too often is known by the address.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}
