//! Changes a running node.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::Subcommand;
use peermux::server::BanInfo;
use peermux::{Enode, NodeId};
use peermux_cli::request::{self, BanTime, Changed, Query, Target, Whom};
use serde::Serialize;
use serde_json::Value;

use crate::admin::{Chosen, Client};
use crate::bans;
use crate::failure::Failure;
use crate::human;
use crate::node;
use crate::output::{Output, printable};

#[derive(Debug, Subcommand)]
pub(super) enum Change {
    /// Keep a node connected from now on
    Add {
        /// The node: its enode URL or record
        #[arg(value_parser = node::dialable)]
        node: Enode,
    },
    /// No longer keep a node connected, and disconnect it
    Remove {
        /// The node: its id or first digits, its enode URL or its record
        node: Chosen,
    },
    /// Accept a node even above the limit on peers
    Trust {
        /// The node: its id or first digits, its enode URL or its record
        node: Chosen,
    },
    /// No longer trust a node
    Distrust {
        /// The node: its id or first digits, its enode URL or its record
        node: Chosen,
    },
    /// Disconnect a node; it may come back
    Kick {
        /// The node: its id or first digits, its enode URL or its record
        node: Chosen,
    },
    /// Disconnect a node, or all nodes at an IP address, and reject them
    Ban {
        /// The node, or the address
        target: ChosenTarget,
        /// The duration, such as 30m or 1d, in whole seconds
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = bans::time)]
        time: BanTime,
        /// The reason, for people
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Lift a ban
    Unban {
        /// The node, or the address
        target: ChosenTarget,
    },
    /// Change settings of the configuration file, all that are given or none
    Reconfigure {
        /// A setting and its new value, such as max_peers=10
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = setting)]
        settings: Vec<(String, Value)>,
    },
    /// Change the log level: error, warn, info, debug, trace, or a filter
    ///
    /// A filter is for instance peermux::server=debug.
    LogLevel {
        /// The level or filter
        filter: String,
    },
}

/// Parses a setting. A value that is not TOML is taken as a string.
fn setting(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is needed")?;
    let read = toml::from_str::<BTreeMap<String, Value>>(&format!("value = {value}"));
    let value = match read {
        Ok(mut read) => read.remove("value").unwrap_or_default(),
        Err(_) => value.into(),
    };
    Ok((name.trim().to_owned(), value))
}

/// The report on a change that was made.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Done<'a> {
    Added {
        node_id: NodeId,
        kept: bool,
        ban: Option<BanInfo>,
    },
    Removed {
        node_id: NodeId,
        kept: bool,
    },
    Trusted {
        node_id: NodeId,
        kept: bool,
        ban: Option<BanInfo>,
    },
    Distrusted {
        node_id: NodeId,
        kept: bool,
    },
    Kicked {
        node_id: NodeId,
    },
    Banned {
        target: Target,
        kept: bool,
    },
    Unbanned {
        target: Target,
        kept: bool,
    },
    Reconfigured {
        settings: &'a BTreeMap<String, Value>,
    },
    LogLevel {
        filter: &'a str,
    },
}

impl fmt::Display for Done<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, kept) = match self {
            Self::Added { node_id, kept, .. } => (format!("added {node_id}"), *kept),
            Self::Removed { node_id, kept } => (format!("removed {node_id}"), *kept),
            Self::Trusted { node_id, kept, .. } => (format!("trusted {node_id}"), *kept),
            Self::Distrusted { node_id, kept } => (format!("distrusted {node_id}"), *kept),
            Self::Kicked { node_id } => (format!("kicked {node_id}"), true),
            Self::Banned { target, kept } => (format!("banned {target}"), *kept),
            Self::Unbanned { target, kept } => (format!("unbanned {target}"), *kept),
            Self::Reconfigured { settings } => {
                let names: Vec<_> = settings.keys().map(String::as_str).collect();
                (format!("changed {}", names.join(", ")), false)
            }
            Self::LogLevel { filter } => (format!("logs {filter}"), false),
        };
        f.write_str(&printable(&what))?;
        if !kept {
            f.write_str(", until the node ends")?;
        }
        match self {
            Self::Added { ban: Some(ban), .. } | Self::Trusted { ban: Some(ban), .. } => {
                write!(f, "; but {}", printable(&bans::notice(ban)))
            }
            _ => Ok(()),
        }
    }
}

impl Change {
    pub(super) async fn make(self, node: &mut Client, out: &Output) -> Result<(), Failure> {
        let change = self.request(node).await?;
        let changed = node.ask(change.clone()).await?;
        out.tell(&Done::of(&change, changed))
    }

    async fn request(self, client: &mut Client) -> Result<request::Change, Failure> {
        Ok(match self {
            Self::Add { node } => request::Change::Add { enode: node },
            Self::Remove { node } => request::Change::Remove {
                node: Whom(node.resolve(client).await?),
            },
            Self::Trust { node } => request::Change::Trust {
                node: node.name(client).await?,
            },
            Self::Distrust { node } => request::Change::Distrust {
                node: Whom(node.resolve(client).await?),
            },
            Self::Kick { node } => request::Change::Kick {
                node: Whom(node.resolve(client).await?),
            },
            Self::Ban {
                target,
                time,
                reason,
            } => request::Change::Ban {
                target: target.resolve(client).await?,
                time,
                reason,
            },
            Self::Unban { target } => request::Change::Unban {
                target: target.resolve(client).await?,
            },
            Self::Reconfigure { settings } => request::Change::Reconfigure {
                settings: settings.into_iter().collect(),
            },
            Self::LogLevel { filter } => request::Change::LogLevel { filter },
        })
    }
}

/// A node or an IP address.
#[derive(Debug, Clone)]
pub(super) enum ChosenTarget {
    Node(Chosen),
    Ip(IpAddr),
}

impl FromStr for ChosenTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let node = text.parse().map(Self::Node);
        node.map_err(|error| format!("no IP address, and {error}"))
    }
}

impl ChosenTarget {
    async fn resolve(&self, node: &mut Client) -> Result<Target, Failure> {
        Ok(match self {
            Self::Node(chosen) => Target::Node(chosen.resolve(node).await?),
            Self::Ip(ip) => Target::Ip(*ip),
        })
    }
}

impl<'a> Done<'a> {
    /// Makes the report on a change.
    pub(crate) fn of(change: &'a request::Change, Changed { kept, ban }: Changed) -> Self {
        match change {
            request::Change::Add { enode } => Self::Added {
                node_id: enode.node_id(),
                kept,
                ban,
            },
            request::Change::Remove { node } => Self::Removed {
                node_id: node.0,
                kept,
            },
            request::Change::Trust { node } => Self::Trusted {
                node_id: node.id(),
                kept,
                ban,
            },
            request::Change::Distrust { node } => Self::Distrusted {
                node_id: node.0,
                kept,
            },
            request::Change::Kick { node } => Self::Kicked { node_id: node.0 },
            request::Change::Ban { target, .. } => Self::Banned {
                target: *target,
                kept,
            },
            request::Change::Unban { target } => Self::Unbanned {
                target: *target,
                kept,
            },
            request::Change::Reconfigure { settings } => Self::Reconfigured { settings },
            request::Change::LogLevel { filter } => Self::LogLevel { filter },
        }
    }
}

/// The report on a node that has ended.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "stopped")]
pub(super) struct Stopped {}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "ban")]
struct BanLine {
    #[serde(flatten)]
    ban: BanInfo,
}

impl fmt::Display for BanLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BanInfo {
            node_id,
            ip,
            left_ms,
            reason,
            ..
        } = &self.ban;
        match (node_id, ip) {
            (Some(id), _) => write!(f, "{id}")?,
            (None, Some(ip)) => write!(f, "{ip}")?,
            (None, None) => {}
        }
        write!(f, " for {}", human::time(Duration::from_millis(*left_ms)))?;
        match reason.as_str() {
            "" => Ok(()),
            reason => write!(f, ": {}", printable(reason)),
        }
    }
}

pub(super) async fn show_bans(node: &mut Client, out: &Output) -> Result<(), Failure> {
    let bans: Vec<BanInfo> = node.ask(Query::Bans {}).await?;
    if bans.is_empty() {
        out.remark("no bans");
    }
    let lines = bans.into_iter().map(|ban| BanLine { ban });
    out.tell_all(&lines.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_is_toml_or_a_text() {
        for (text, value) in [
            ("max_peers=10", json!(10)),
            ("memory.per_node=\"1 GiB\"", json!("1 GiB")),
            ("memory.per_node=1 GiB", json!("1 GiB")),
            ("no_dial=true", json!(true)),
            ("name=a=b", json!("a=b")),
        ] {
            let (name, _) = text.split_once('=').expect("a name");
            assert_eq!(setting(text), Ok((name.to_owned(), value)));
        }
        assert!(setting("max_peers").is_err());
    }
}
