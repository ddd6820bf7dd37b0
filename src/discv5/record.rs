//! Converts node records between the crate `discv5` and this one.
//!
//! The two crates use the same text form, through which records are converted.

use std::net::IpAddr;

use discv5::Enr;
use enr::{CombinedKey, NodeId as TheirId};

use super::Discv5Error;
use crate::node::{NodeId, NodeRecord, Reach, SecretKey};

/// Converts a record for the crate.
pub(super) fn to_enr(record: &NodeRecord) -> Result<Enr, Discv5Error> {
    let enr = record.to_string().parse::<Enr>();
    enr.map_err(|why| Discv5Error::Record {
        node: record.node_id(),
        why,
    })
}

/// Converts a record of the crate.
///
/// `None` if the record is signed in a way that RLPx does not use.
pub(super) fn from_enr(enr: &Enr) -> Option<NodeRecord> {
    enr.to_base64().parse().ok()
}

/// Returns whether all addresses in a record can be dialled from the internet.
pub(super) fn is_public(enr: &Enr) -> bool {
    let v4 = enr.ip4().map(IpAddr::from);
    let mut ips = v4.into_iter().chain(enr.ip6().map(IpAddr::from));
    ips.all(|ip| Reach::of(ip) == Reach::Public)
}

pub(super) fn to_id(id: &NodeId) -> TheirId {
    TheirId::new(id.as_bytes())
}

pub(super) fn from_id(id: &TheirId) -> NodeId {
    NodeId::from_bytes(id.raw())
}

/// Converts the node's key for the crate.
pub(super) fn to_key(key: &SecretKey, own: &NodeId) -> Result<CombinedKey, Discv5Error> {
    let mut bytes = key.to_bytes();
    CombinedKey::secp256k1_from_bytes(&mut bytes[..]).map_err(|error| Discv5Error::Record {
        node: *own,
        why: error.to_string(),
    })
}
