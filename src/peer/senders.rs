//! Sending to a peer from outside its protocols' functions.

use super::Peer;
use crate::channel::{Lane, ProtocolSender};
use crate::message::WireMessage;

impl Peer {
    /// Returns a sender for the running protocol whose messages are `M`.
    ///
    /// It is for use outside the protocol's function; both send through the same queue. `None` if
    /// no protocol with such messages runs with this peer, or the peer is ending. If several have
    /// them, this is the first by name; [`sender_of`](Self::sender_of) takes the name.
    ///
    /// The remote receives these messages between those of the function, so a protocol that begins
    /// with a handshake of its own should hand out its sender after it.
    #[must_use]
    pub fn sender<M: WireMessage>(&self) -> Option<ProtocolSender<M>> {
        let mut lanes = self.open_lanes();
        let (shared, lane) = lanes.find(|(_, lane)| lane.is_of::<M>())?;
        lane.sender(shared.length)
    }

    /// Returns a sender for the running protocol called `name`.
    ///
    /// It is like that of [`sender`](Self::sender). The messages of any protocol can be sent raw,
    /// as [`Message`](crate::Message)s; otherwise `M` must be the protocol's own type.
    #[must_use]
    pub fn sender_of<M: WireMessage>(&self, name: &str) -> Option<ProtocolSender<M>> {
        let mut lanes = self.open_lanes();
        let (shared, lane) =
            lanes.find(|(shared, lane)| shared.capability.name() == name && lane.carries::<M>())?;
        lane.sender(shared.length)
    }

    /// The lane and the number of codes of the running protocol whose messages are `M`.
    pub(crate) fn lane_of<M: WireMessage>(&self) -> Option<(Lane, u64)> {
        let mut lanes = self.open_lanes();
        let (shared, open) = lanes.find(|(_, lane)| lane.is_of::<M>())?;
        Some((open.lane.upgrade()?, shared.length))
    }

    /// Whether a protocol of this name runs with the peer.
    #[must_use]
    pub fn speaks(&self, name: &str) -> bool {
        let mut shared = self.shared_capabilities().iter();
        shared.any(|shared| shared.capability.name() == name)
    }
}
