//! Reads the configuration file again at SIGHUP.

use std::collections::BTreeMap;
use std::fmt;

use peermux::Server;
use peermux::setup::FailureInfo;
use peermux_cli::config::Config;
use serde::Serialize;
use tokio::sync::watch;

use super::Args;
use super::told::Reporter;
use crate::failure::Failure;
use crate::kept_nodes::KeptNodes;
use crate::output::printable;
use crate::service_manager::{self, State};
use crate::settings::{differing, reconfigure};

/// The arguments of a node, from which its configuration is read again at each SIGHUP.
pub(super) struct Reload {
    pub(super) args: Args,
    /// The configuration that was read last.
    pub(super) config: Config,
    /// The nodes that were added at runtime.
    pub(super) kept: Option<KeptNodes>,
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
                Ok(settings) => self.apply(server, settings.config).await?,
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
    async fn apply(&mut self, server: &Server, new: Config) -> Result<Line, Failure> {
        let (mut done, mut left) = (Vec::new(), BTreeMap::new());
        for (name, value) in differing(&self.config, &new).map_err(Failure::because)? {
            let setting = BTreeMap::from([(name.clone(), value)]);
            match reconfigure(server, setting).await {
                Ok(()) => done.push(name),
                Err(why) => {
                    left.insert(name, why);
                }
            }
        }
        if let Some(kept) = &self.kept {
            kept.apply(server).await;
        }
        self.config = new;
        Ok(Line::Reloaded {
            changed: done,
            left,
        })
    }
}
