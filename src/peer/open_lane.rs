//! A running protocol's way to the remote, for those outside its function.

use std::any::TypeId;

use crate::channel::{MessageTap, ProtocolSender, WeakInbox, WeakLane};
use crate::message::{Message, WireMessage};

/// A running protocol's way to the remote.
#[derive(Debug)]
pub(crate) struct OpenLane {
    /// Which set of messages the protocol has.
    pub(crate) messages: TypeId,
    /// Not the lane itself: a handle on a peer that has ended keeps no memory of its connection.
    pub(crate) lane: WeakLane,
    pub(crate) inbox: WeakInbox,
    pub(crate) tap: MessageTap,
}

impl OpenLane {
    /// Whether its protocol has messages of this type, which raw ones are of any.
    pub(super) fn carries<M: WireMessage>(&self) -> bool {
        self.is_of::<M>() || TypeId::of::<M>() == TypeId::of::<Message>()
    }

    /// Whether its protocol was registered with messages of this type.
    pub(super) fn is_of<M: WireMessage>(&self) -> bool {
        self.messages == TypeId::of::<M>()
    }

    /// A sender, unless the connection is gone.
    pub(super) fn sender<M: WireMessage>(&self, length: u64) -> Option<ProtocolSender<M>> {
        Some(ProtocolSender::to_lane(self.lane.upgrade()?, length))
    }
}
