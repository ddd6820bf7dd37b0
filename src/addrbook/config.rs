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
        /// Whether addresses of private networks and of this machine are admitted too.
        ///
        /// Set this for your own private network. On the internet, this setting lets strangers
        /// direct our dials at machines near us. Default: no.
        private_networks / with_private_networks: bool = false;
        /// Our own node's id, which is never admitted. Default: none.
        own_id / with_own_id: Option<NodeId> => &Option<NodeId> = None;
    }
}

impl BookConfig {
    /// Returns an enode's endpoint and its group, if it may enter the book.
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

/// Why the book rejected an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The enode has no endpoint.
    #[error("the enode has no endpoint")]
    NoEndpoint,
    /// The node accepts no connections: its TCP port is 0.
    #[error("the node's TCP port is 0")]
    NoPort,
    /// The address is not routable.
    #[error("{ip} is not routable")]
    Unroutable {
        /// The address.
        ip: IpAddr,
    },
    /// The book does not admit addresses of private networks or of this machine.
    #[error("{ip} belongs to a private network or to this machine")]
    Private {
        /// The address.
        ip: IpAddr,
    },
    /// Another node reported a DNS name.
    ///
    /// A lookup of the name would let that node choose which server we ask, and for what.
    #[error("{by} reported the DNS name {name:?}; names are accepted from our own side only")]
    NameFromStranger {
        /// The name.
        name: String,
        /// The address of the node that reported the name.
        by: IpAddr,
    },
    /// The address belongs to our own node.
    #[error("the node is our own")]
    OwnNode,
    /// Another node is known at this host and port, and its entry stays.
    #[error("node {holder} is known at {endpoint}")]
    EndpointTaken {
        /// The node that is known there.
        holder: NodeId,
        /// The host and port.
        endpoint: Endpoint,
    },
    /// The node is known at another host or port, and that entry stays.
    #[error("the node is known at {endpoint}")]
    KnownElsewhere {
        /// The host and port at which the node is known.
        endpoint: Endpoint,
    },
    /// The node or its address is banned.
    #[error("banned: {reason}")]
    Banned {
        /// The reason of the ban.
        reason: String,
        /// When the ban ends.
        until: SystemTime,
    },
}
