//! What an address book admits.

use std::net::IpAddr;
use std::time::SystemTime;

use super::{Group, Reach, Source};
use crate::node::{Endpoint, Enode, Host, NodeId};
use crate::settings::settings;

settings! {
    /// What a [`Book`](super::Book) admits.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct BookConfig {
        /// Whether addresses of private networks and of this machine are admitted too. Default: no.
        /// Set this for a network of your own; on the internet it lets strangers point our dials at
        /// machines beside us.
        private_networks / with_private_networks: bool = false;
        /// Our own node's id, which is never admitted. Default: none.
        own_id / with_own_id: Option<NodeId> => &Option<NodeId> = None;
    }
}

impl BookConfig {
    /// The endpoint of an enode that may enter the book, and its group.
    pub(super) fn admit<'a>(
        &self,
        enode: &'a Enode,
        source: &Source,
    ) -> Result<(&'a Endpoint, Group), AddError> {
        let endpoint = enode.endpoint().ok_or(AddError::NoEndpoint)?;
        if endpoint.tcp == 0 {
            return Err(AddError::NoPort);
        }
        if self.own_id == Some(enode.node_id()) {
            return Err(AddError::OwnNode);
        }
        match (&endpoint.host, source) {
            (Host::Ip(ip), _) => self.admit_ip(*ip)?,
            (Host::Dns(name), Source::Ip(by)) => {
                return Err(AddError::NameFromStranger {
                    name: name.clone(),
                    by: *by,
                });
            }
            (Host::Dns(_), Source::Own) => {}
        }
        Ok((endpoint, Group::of(&endpoint.host)))
    }

    fn admit_ip(&self, ip: IpAddr) -> Result<(), AddError> {
        match Reach::of(ip) {
            Reach::Public => Ok(()),
            Reach::Private | Reach::Local if self.private_networks => Ok(()),
            Reach::Private | Reach::Local => Err(AddError::Private { ip }),
            Reach::Unroutable => Err(AddError::Unroutable { ip }),
        }
    }
}

/// Why an address was not taken into the book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The enode does not tell where the node is.
    #[error("the enode has no endpoint")]
    NoEndpoint,
    /// The node takes no connections: its TCP port is 0.
    #[error("the node's TCP port is 0")]
    NoPort,
    /// The address can be dialled from nowhere.
    #[error("{ip} is not routable")]
    Unroutable {
        /// The address.
        ip: IpAddr,
    },
    /// The address belongs to a private network or to this machine, which this book does not
    /// admit.
    #[error("{ip} belongs to a private network or to this machine")]
    Private {
        /// The address.
        ip: IpAddr,
    },
    /// A DNS name that another node told of: to look it up would let that node choose what we ask
    /// and whom.
    #[error("{by} told of the DNS name {name:?}, and names are taken from our side only")]
    NameFromStranger {
        /// The name.
        name: String,
        /// Who told of it.
        by: IpAddr,
    },
    /// It is our own node.
    #[error("the node is our own")]
    OwnNode,
    /// Another node is known at this host and port, and nothing speaks against it so far.
    #[error("node {holder} is known at {endpoint}")]
    EndpointTaken {
        /// Who is there.
        holder: NodeId,
        /// The host and port.
        endpoint: Endpoint,
    },
    /// The node is known at another host or port, and nothing speaks against that so far.
    #[error("the node is known at {endpoint}")]
    KnownElsewhere {
        /// Where the node is known to be.
        endpoint: Endpoint,
    },
    /// The node or its address is banned.
    #[error("banned: {reason}")]
    Banned {
        /// Why.
        reason: String,
        /// When the ban ends.
        until: SystemTime,
    },
}
