//! Names of nodes and addresses in requests.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use peermux::{Enode, Node, NodeId};
use serde::{Deserialize, Serialize};

use crate::form;

/// A node, with its addresses if its enode URL or its record was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[serde(into = "String")]
pub enum Named {
    /// The node with this id.
    Id(NodeId),
    /// The node of an enode URL or a record.
    Node(Box<Node>),
}

impl Named {
    /// Returns the node's id.
    pub fn id(&self) -> NodeId {
        match self {
            Self::Id(id) => *id,
            Self::Node(node) => node.node_id(),
        }
    }

    /// Returns the node with its addresses, if they were given.
    pub fn enode(&self) -> Option<Enode> {
        match self {
            Self::Id(_) => None,
            Self::Node(node) => Some(node.to_enode()),
        }
    }
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("enode://") || text.starts_with("enr:") {
            let node = form::any(text).map_err(|error| error.to_string())?;
            return Ok(Self::Node(Box::new(node)));
        }
        let id = text.parse();
        id.map(Self::Id).map_err(|error| {
            format!("neither a node id nor an enode URL nor a node record: {error}")
        })
    }
}

impl TryFrom<String> for Named {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Named> for String {
    fn from(named: Named) -> Self {
        match named {
            Named::Id(id) => id.to_string(),
            Named::Node(node) => node.to_string(),
        }
    }
}

/// A node, read from its id, its enode URL or its record.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[serde(into = "NodeId")]
pub struct Whom(
    /// The node's id.
    pub NodeId,
);

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(|named: Named| Self(named.id()))
    }
}

impl TryFrom<String> for Whom {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Whom> for NodeId {
    fn from(whom: Whom) -> Self {
        whom.0
    }
}

/// The target of a ban: a node, or all nodes at an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[serde(into = "String")]
pub enum Target {
    /// The node with this id.
    Node(NodeId),
    /// The address.
    Ip(IpAddr),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let node = text.parse::<Whom>();
        node.map(|whom| Self::Node(whom.0))
            .map_err(|error| format!("no IP address, and {error}"))
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => id.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}
