//! Reads the configuration file again at SIGHUP.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use peermux::server::StaticNodeError;
use peermux::setup::FailureInfo;
use peermux::{Enode, NodeId, Server, ServerConfig};
use serde::Serialize;
use tokio::sync::watch;

use super::told::Reporter;
use super::{Args, Settings};
use crate::failure::Failure;
use crate::output::printable;
use crate::service_manager::{self, State};
use crate::settings::{changed, differing};

/// The arguments of a node, from which its configuration is read again at each SIGHUP.
pub(super) struct Reload {
    pub(super) args: Args,
    /// The configuration that was read last.
    pub(super) config: ServerConfig,
    /// The address at which the node serves metrics.
    pub(super) metrics: Option<SocketAddr>,
    pub(super) hangups: watch::Receiver<u64>,
}

/// The outcome of a reload.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Reloaded {
        /// The settings that have changed.
        changed: Vec<String>,
        /// The settings that differ in the file but were not changed, each with the reason.
        left: BTreeMap<String, String>,
    },
    ReloadFailed {
        error: FailureInfo,
    },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reloaded { changed, left } => {
                f.write_str("reloaded")?;
                if changed.is_empty() {
                    f.write_str(", nothing changed")?;
                } else {
                    write!(f, ", changed {}", changed.join(", "))?;
                }
                for (setting, why) in left {
                    write!(f, "; {setting} is left: {}", printable(why))?;
                }
                Ok(())
            }
            Self::ReloadFailed { error } => write!(f, "not reloaded: {}", printable(&error.text)),
        }
    }
}

/// Reads the configuration again at each SIGHUP, unless `reload` is `None`. Never returns.
pub(super) async fn run(
    reload: Option<Reload>,
    server: &Server,
    to: &Reporter<'_>,
) -> Result<(), Failure> {
    if let Some(reload) = reload
        && let Err(error) = reload.run(server, to).await
    {
        // This failure does not end the node. A failed write to the output is not among the causes:
        // it ends the node cleanly elsewhere.
        tracing::error!(?error, "the configuration will not be read again");
    }
    std::future::pending().await
}

impl Reload {
    /// Reads the configuration at each SIGHUP, until the process ends.
    async fn run(mut self, server: &Server, to: &Reporter<'_>) -> Result<(), Failure> {
        while self.hangups.changed().await.is_ok() {
            service_manager::notify(State::Reloading);
            let line = match self.args.config().await {
                Ok(settings) => self.apply(server, settings).await?,
                Err(error) => Line::ReloadFailed {
                    error: FailureInfo::of_text(error.text().unwrap_or_default()),
                },
            };
            to.report(vec![line])?;
            service_manager::notify(State::Ready(&server.enode().to_string()));
        }
        Ok(())
    }

    /// Changes each setting separately, so that a rejected setting does not affect the others.
    async fn apply(&mut self, server: &Server, new: Settings) -> Result<Line, Failure> {
        let (mut done, mut left) = (Vec::new(), BTreeMap::new());
        if new.metrics != self.metrics {
            let why = "it cannot change while the node runs".to_owned();
            left.insert("metrics".to_owned(), why);
        }
        let new = new.server;
        for (name, value) in differing(&self.config, &new).map_err(Failure::because)? {
            let result = match name.as_str() {
                "static_nodes" => self.change_static(server, new.static_nodes()).await,
                "trusted_nodes" => {
                    self.change_trusted(server, new.trusted_nodes());
                    Ok(())
                }
                _ => match changed(&server.config(), [(name.clone(), value)]) {
                    Ok(config) => {
                        let done = server.reconfigure(config).await;
                        done.map_err(|error| error.to_string())
                    }
                    Err(error) => Err(error),
                },
            };
            match result {
                Ok(()) => done.push(name),
                Err(why) => {
                    left.insert(name, why);
                }
            }
        }
        self.config = new;
        Ok(Line::Reloaded {
            changed: done,
            left,
        })
    }

    async fn change_static(&self, server: &Server, new: &[Enode]) -> Result<(), String> {
        for node in missing(self.config.static_nodes(), new) {
            let removed = server.remove_static(&node.node_id()).await;
            removed.map_err(|error| error.to_string())?;
        }
        for node in new {
            match server.add_static(node.clone()).await {
                // The node's own entry is ignored, as at the start, because several nodes may share a list
                // that contains all of them.
                Ok(()) | Err(StaticNodeError::Itself { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    fn change_trusted(&self, server: &Server, new: &[Enode]) {
        for node in missing(self.config.trusted_nodes(), new) {
            server.distrust(node.node_id());
        }
        for node in new {
            server.trust(node.node_id());
        }
    }
}

/// Returns the nodes of `old` that are not in `new`.
fn missing<'a>(old: &'a [Enode], new: &[Enode]) -> impl Iterator<Item = &'a Enode> {
    let new: Vec<NodeId> = new.iter().map(Enode::node_id).collect();
    old.iter()
        .filter(move |node| !new.contains(&node.node_id()))
}
