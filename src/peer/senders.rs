//! Senders to a peer, for use outside its protocols' functions.

use super::Peer;
use crate::channel::{Lane, ProtocolSender};
use crate::message::WireMessage;

impl Peer {
    /// Returns a sender for the running protocol whose messages are `M`.
    ///
    /// The sender is for use outside the protocol's function, and puts messages into the same queue
    /// as the function. Returns `None` if no protocol with these messages runs with this peer, or
    /// if the connection is ending. If several protocols use these messages, this returns a sender
    /// for the first of them by name; [`sender_of`](Self::sender_of) selects by name.
    ///
    /// The remote receives these messages interleaved with those of the function. A protocol that
    /// begins with its own handshake should therefore hand out its sender only after the handshake.
    #[must_use]
    pub fn sender<M: WireMessage>(&self) -> Option<ProtocolSender<M>> {
        let mut lanes = self.open_lanes();
        let (shared, lane) = lanes.find(|(_, lane)| lane.is_of::<M>())?;
        lane.sender(shared.length)
    }

    /// Returns a sender for the running protocol called `name`.
    ///
    /// The sender works like the one from [`sender`](Self::sender). `M` must be either the
    /// protocol's own type, or [`Message`](crate::Message), which sends raw messages with any
    /// protocol.
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
