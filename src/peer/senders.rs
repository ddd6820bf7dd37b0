//! Sending to a peer from outside its protocols' functions.

use super::Peer;
use crate::channel::{Lane, ProtocolSender};
use crate::message::WireMessage;

impl Peer {
    /// Returns a sender for the running protocol whose messages are `M`.
    ///
    /// It is for use outside the protocol's function, and uses the same queue as the function.
    /// Returns `None` if no protocol with these messages runs with this peer, or if the connection
    /// is ending. If several protocols use them, this returns the sender of the first by name;
    /// [`sender_of`](Self::sender_of) selects by name.
    ///
    /// The remote receives these messages interleaved with those of the function. A protocol that
    /// begins with its own handshake should therefore hand out its sender only after it.
    #[must_use]
    pub fn sender<M: WireMessage>(&self) -> Option<ProtocolSender<M>> {
        let mut lanes = self.open_lanes();
        let (shared, lane) = lanes.find(|(_, lane)| lane.is_of::<M>())?;
        lane.sender(shared.length)
    }

    /// Returns a sender for the running protocol called `name`.
    ///
    /// It works like the one from [`sender`](Self::sender). Any protocol's messages can be sent
    /// raw, as [`Message`](crate::Message)s; otherwise `M` must be the protocol's own type.
    #[must_use]
    pub fn sender_of<M: WireMessage>(&self, name: &str) -> Option<ProtocolSender<M>> {
        let mut lanes = self.open_lanes();
        let (shared, lane) =
            lanes.find(|(shared, lane)| shared.capability.name() == name && lane.carries::<M>())?;
        lane.sender(shared.length)
    }

    /// Returns the lane and number of codes of the running protocol with messages `M`.
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
