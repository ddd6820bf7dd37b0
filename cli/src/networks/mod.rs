//! Public networks by name: their bootnodes, and their lists in the DNS.
//!
//! A network is used only if the user names it.

use std::fmt;

use clap::ValueEnum;
use peermux::Node;
use peermux::dns::{EntryError, Link};
use peermux_cli::form;

use crate::failure::Failure;

/// A public network of Ethereum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    Mainnet,
    Sepolia,
    Hoodi,
}

impl Network {
    fn name(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Sepolia => "sepolia",
            Self::Hoodi => "hoodi",
        }
    }

    fn listed(self) -> &'static str {
        match self {
            Self::Mainnet => include_str!("mainnet.txt"),
            Self::Sepolia => include_str!("sepolia.txt"),
            Self::Hoodi => include_str!("hoodi.txt"),
        }
    }

    /// Returns the bootnodes of the network.
    pub(crate) fn bootnodes(self) -> Result<Vec<Node>, Failure> {
        let lines = self.listed().lines();
        lines
            .filter(|line| !line.starts_with('#'))
            .map(|line| form::any(line).map_err(Failure::because))
            .collect()
    }

    /// Returns the link to the DNS list of all nodes of the network.
    ///
    /// The Ethereum Foundation maintains the list (<https://github.com/ethereum/discv4-dns-lists>).
    pub(crate) fn list(self) -> Result<Link, EntryError> {
        let key = "AKA3AM6LPBYEUDMVNU3BSVQJ5AD45Y7YPOHJLEF6W26QOE4VTUDPE";
        format!("enrtree://{key}@all.{}.ethdisco.net", self.name()).parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_nodes_and_a_list() {
        for network in Network::value_variants() {
            let nodes = network.bootnodes().expect("they are written well");
            assert!(nodes.len() >= 5, "{network}");
            for node in nodes {
                let endpoint = node.to_enode().endpoint().cloned();
                assert!(endpoint.is_some_and(|endpoint| endpoint.udp != 0));
            }
            let link = network.list().expect("it is written well");
            assert!(link.to_string().ends_with(".ethdisco.net"), "{link}");
        }
    }
}
