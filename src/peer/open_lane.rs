//! Access to a running protocol's lane from outside the protocol's function.

use std::any::TypeId;

use crate::channel::{MessageTap, ProtocolSender, WeakInbox, WeakLane};
use crate::message::{Message, WireMessage};

/// A handle to a running protocol's lane.
#[derive(Debug)]
pub(crate) struct OpenLane {
    /// The type of the protocol's messages.
    pub(crate) messages: TypeId,
    /// Weak, so that the handle of a disconnected peer keeps none of its connection's memory.
    pub(crate) lane: WeakLane,
    pub(crate) inbox: WeakInbox,
    pub(crate) tap: MessageTap,
}

impl OpenLane {
    /// Whether the protocol can send messages of this type. Raw messages can always be sent.
    pub(super) fn carries<M: WireMessage>(&self) -> bool {
        self.is_of::<M>() || TypeId::of::<M>() == TypeId::of::<Message>()
    }

    /// Whether the protocol was registered with messages of this type.
    pub(super) fn is_of<M: WireMessage>(&self) -> bool {
        self.messages == TypeId::of::<M>()
    }

    /// Returns a sender, unless the connection is gone.
    pub(super) fn sender<M: WireMessage>(&self, length: u64) -> Option<ProtocolSender<M>> {
        Some(ProtocolSender::to_lane(self.lane.upgrade()?, length))
    }
}
