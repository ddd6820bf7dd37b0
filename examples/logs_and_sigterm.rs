//! A service that logs through `tracing` and shuts down cleanly on SIGTERM.
//!
//! `cargo run --example logs_and_sigterm`; `RUST_LOG=peermux=debug` logs more. The service sends
//! the signal to itself when three peers are connected.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::process::Command;
use std::time::Duration;

use peermux::server::PeerChange;
use peermux::{Protocol, SecretKey, Server, ServerBuilder};
use tracing_subscriber::EnvFilter;

fn node(name: &str) -> ServerBuilder {
    let quiet = Protocol::builder("quiet", 1, 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    });
    let builder = Server::builder(SecretKey::generate()).protocol(quiet);
    builder.configure(|config| config.with_name(name))
}

/// Installs handlers for SIGTERM and Ctrl-C. The returned future completes at the first signal.
#[cfg(unix)]
fn end_signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            // The order does not matter, because both arms do the same.
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn end_signals() -> io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let mut end = pin!(end_signals()?);

    let server = node("service").listen("127.0.0.1:0".parse()?);
    let server = server.start().await?;
    tracing::info!(enode = %server.enode(), "listening");
    let mut peers = server.watch_peers_with("quiet");
    let mut clients = Vec::new();
    for name in ["Ann", "Ben", "Carol"] {
        let client = node(name).start().await?;
        client.dial(&server.enode()).await?;
        clients.push(client);
    }
    let mut came = 0;
    loop {
        tokio::select! {
            // Check for the signal first, because events of peers no longer matter after it.
            biased;
            () = &mut end => break,
            Some(change) = peers.recv() => match change {
                PeerChange::Came(peer) => {
                    tracing::info!(peer = %peer.name(), "is here");
                    came += 1;
                }
                change => tracing::info!("{change:?}"),
            },
        }
        if came == 3 {
            let own = std::process::id().to_string();
            Command::new("kill").args(["-TERM", &own]).status()?;
            came = 0;
        }
    }
    tracing::info!("shutting down");
    // Each peer gets its queued messages and a Disconnect. Anything slower than 5 s is aborted.
    server.shutdown(Duration::from_secs(5)).await?;
    for client in clients {
        client.shutdown(Duration::from_secs(5)).await?;
    }
    tracing::info!("all nodes have ended");
    Ok(())
}
