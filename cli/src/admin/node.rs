//! Carries out the requests to a running node.

use std::net::SocketAddr;

use peermux::recorder::Recording;
use peermux::server::BanInfo;
use peermux::{NodeId, Server};
use peermux_cli::config::Config;
use peermux_cli::log_filter::{BadFilter, LogFilter};
use peermux_cli::request::{Change, Changed, DiscoveryInfo, Named, Query, TableInfo, Target};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::EndedPeer;
use crate::bans;
use crate::kept_nodes::KeptNodes;
use crate::last_events::LastEvents;
use crate::logs;
use crate::settings::reconfigure;

/// The node that requests are about.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) server: Server,
    /// Cancelled by a request to stop.
    pub(crate) stop: CancellationToken,
    /// The list of added and trusted nodes, if the node has a data directory.
    pub(crate) kept: Option<KeptNodes>,
    /// The address at which metrics are served.
    pub(crate) metrics: Option<SocketAddr>,
    /// The last events of the node.
    pub(crate) events: LastEvents,
}

impl Node {
    /// Returns the answer to a query.
    pub(super) async fn answer(&self, query: Query) -> Result<Value, String> {
        let answer = match query {
            Query::Peers {} => serde_json::to_value(self.server.peers_info()),
            Query::NodeInfo {} => serde_json::to_value(self.server.node_info()),
            Query::Bans {} => serde_json::to_value(self.server.bans()),
            Query::StaticNodes {} => {
                let nodes = self.server.static_nodes().await;
                serde_json::to_value(nodes.map_err(|error| error.to_string())?)
            }
            Query::Recording { node, ended } => {
                serde_json::to_value(self.recording(&node.0, ended)?)
            }
            Query::Config {} => {
                let server = self.server.config();
                let log_level = logs::current_filter();
                serde_json::to_value(Config::new(server, self.metrics, log_level))
            }
            Query::Recordings {} => {
                let all = self.server.recordings();
                let ended: Vec<_> = all.iter().map(EndedPeer::of).collect();
                serde_json::to_value(ended)
            }
            Query::Discovery {} => serde_json::to_value(self.discovery().await?),
            Query::Events { after } => serde_json::to_value(self.events.after(after)),
        };
        answer.map_err(|error| error.to_string())
    }

    async fn discovery(&self) -> Result<DiscoveryInfo, String> {
        let v4 = match self.server.discv4() {
            Some(v4) => {
                let table = v4.table().await.map_err(|error| error.to_string())?;
                Some(TableInfo {
                    nodes: table.len(),
                    live: table.iter().filter(|entry| entry.answers > 0).count(),
                })
            }
            None => None,
        };
        #[cfg(feature = "discv5")]
        let v5 = self.server.discv5().map(|v5| {
            let table = v5.table();
            TableInfo {
                nodes: table.len(),
                live: table.iter().filter(|(_, answered)| *answered).count(),
            }
        });
        #[cfg(not(feature = "discv5"))]
        let v5 = None;
        Ok(DiscoveryInfo { v4, v5 })
    }

    /// Returns the recording of a node's connection, or of its last `ended` connection.
    fn recording(&self, id: &NodeId, ended: bool) -> Result<Recording, String> {
        if ended {
            let recording = self.server.ended_recording(id);
            return recording.ok_or_else(|| format!("{id} is not among the peers that ended last"));
        }
        let recording = self.server.recording(id);
        recording
            .ok_or_else(|| format!("{id} is neither connected nor among the peers that ended last"))
    }

    /// Makes a change.
    pub(super) async fn change(&self, change: Change) -> Result<Changed, String> {
        let server = &self.server;
        let mut ban = None;
        let kept = match change {
            Change::Add { enode } => {
                let ips = bans::ips(&enode);
                ban = bans::of_node_at(&server.bans(), &enode.node_id(), ips);
                let added = server.add_static(enode.clone()).await;
                added.map_err(|error| error.to_string())?;
                self.keep(|kept| kept.add(&enode))?
            }
            Change::Remove { node } => match server.remove_static(&node.0).await {
                Ok(true) => {
                    let configured = server.config();
                    let mut configured = configured.static_nodes().iter();
                    let returns = configured.any(|known| known.node_id() == node.0);
                    self.keep(|kept| kept.remove(&node.0))? && !returns
                }
                Ok(false) => return Err(format!("{} is no static node", node.0)),
                Err(error) => return Err(error.to_string()),
            },
            Change::Trust { node } => {
                ban = self.ban(&node).await;
                server.trust(node.id());
                self.keep(|kept| kept.trust(node.id()))?
            }
            Change::Distrust { node } => {
                server.distrust(node.0);
                let configured = server.config();
                let mut configured = configured.trusted_nodes().iter();
                let returns = configured.any(|known| known.node_id() == node.0);
                self.keep(|kept| kept.distrust(&node.0))? && !returns
            }
            Change::Kick { node } => {
                if !server.kick(&node.0) {
                    return Err(format!("{} is not connected", node.0));
                }
                false
            }
            Change::Ban {
                target,
                time,
                reason,
            } => {
                let time = time.into();
                match target {
                    Target::Node(id) => server.ban(&id, time, &reason),
                    Target::Ip(ip) => server.ban_ip(ip, time, &reason),
                }
                // With a data directory, the address book keeps the ban.
                self.kept.is_some()
            }
            Change::Unban { target } => {
                let lifted = match target {
                    Target::Node(id) => server.unban(&id),
                    Target::Ip(ip) => server.unban_ip(ip),
                };
                if !lifted {
                    return Err(format!("{target} is not banned"));
                }
                self.kept.is_some()
            }
            Change::Reconfigure { settings } => {
                reconfigure(server, settings).await?;
                if let Some(kept) = &self.kept {
                    kept.apply(server).await;
                }
                false
            }
            Change::LogLevel { filter } => {
                let filter: LogFilter = filter
                    .parse()
                    .map_err(|error: BadFilter| error.to_string())?;
                logs::set_filter(&filter)?;
                false
            }
        };
        Ok(Changed { kept, ban })
    }

    /// Returns the ban of a node, or of one of its known addresses.
    async fn ban(&self, node: &Named) -> Option<BanInfo> {
        let (server, id) = (&self.server, node.id());
        // A server that ends has no static nodes any more.
        let kept = server.static_nodes().await.unwrap_or_default();
        let config = server.config();
        let named = node.enode();
        let known = named.iter().chain(kept.iter().map(|kept| &kept.node));
        let known = known.chain(config.trusted_nodes());
        let known = known.filter(|known| known.node_id() == id);
        // The address of the present connection, or of the last one.
        let last = server.recording(&id).and_then(|last| last.remote_addr());
        let ips = known.flat_map(bans::ips).chain(last.map(|addr| addr.ip()));
        bans::of_node_at(&server.bans(), &id, ips)
    }

    /// Writes a change to the node's list. Returns false if the node has no list.
    fn keep(&self, write: impl FnOnce(&KeptNodes) -> Result<(), String>) -> Result<bool, String> {
        match &self.kept {
            Some(kept) => write(kept).map(|()| true),
            None => Ok(false),
        }
    }
}
