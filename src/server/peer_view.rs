//! What is told about a peer, without copying it first.
//!
//! It writes the fields of [`PeerInfo`](crate::peer::PeerInfo) once more, by hand: that one owns its
//! texts, since it is read too, and to make one allocates two dozen times, for each peer of a table
//! that is written while thousands of peers are served. A test holds the two together.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

use crate::peer::Peer;
use crate::peer::Protocol;
use crate::setup::Direction;

/// Serialises as the [`PeerInfo`](crate::peer::PeerInfo) of a peer, as it is at that moment, in a
/// fraction of the time that it takes to make one.
///
/// ```
/// # tokio_test::block_on(async {
/// use peermux::peer::PeerInfo;
/// use peermux::{SecretKey, Server};
///
/// let server = Server::builder(SecretKey::generate()).start().await?;
/// for view in server.peer_views() {
///     let line = serde_json::to_string(&view)?;
///     let info: PeerInfo = serde_json::from_str(&line)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct PeerView<'a> {
    peer: Peer,
    protocols: &'a [Protocol],
}

impl<'a> PeerView<'a> {
    pub(super) fn new(peer: Peer, protocols: &'a [Protocol]) -> Self {
        Self { peer, protocols }
    }
}

impl Serialize for PeerView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let peer = &self.peer;
        let mut object = serializer.serialize_struct("PeerInfo", 6)?;
        object.serialize_field("enode", &peer.enode())?;
        object.serialize_field("id", &peer.id())?;
        object.serialize_field("name", &peer.full_name())?;
        object.serialize_field("caps", &Caps(peer))?;
        object.serialize_field("network", &Network(peer))?;
        object.serialize_field("protocols", &Protocols(self))?;
        object.end()
    }
}

/// A value as its text.
struct Text<T>(T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Caps<'a>(&'a Peer);

impl Serialize for Caps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let caps = self.0.capabilities();
        let mut list = serializer.serialize_seq(Some(caps.len()))?;
        for cap in caps {
            list.serialize_element(&Text(cap))?;
        }
        list.end()
    }
}

struct Network<'a>(&'a Peer);

impl Serialize for Network<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let peer = self.0;
        let mut object = serializer.serialize_struct("NetworkInfo", 5)?;
        for (name, addr) in [
            ("localAddress", peer.local_addr()),
            ("remoteAddress", peer.remote_addr()),
        ] {
            match addr {
                Some(addr) => object.serialize_field(name, &Text(addr))?,
                None => object.serialize_field(name, "")?,
            }
        }
        let inbound = peer.direction() == Direction::Inbound;
        object.serialize_field("inbound", &inbound)?;
        object.serialize_field("trusted", &peer.is_trusted())?;
        object.serialize_field("static", &peer.is_static())?;
        object.end()
    }
}

struct Protocols<'a>(&'a PeerView<'a>);

impl Serialize for Protocols<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PeerView { peer, protocols } = self.0;
        let mut map = serializer.serialize_map(None)?;
        // They come in the order of their names, each name once.
        for shared in peer.shared_capabilities() {
            let Some(protocol) = protocols.get(shared.local) else {
                continue;
            };
            let name = shared.capability.name();
            map.serialize_entry(name, &protocol.info().of_peer(peer.id()))?;
        }
        map.end()
    }
}
