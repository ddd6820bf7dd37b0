//! The payloads of queued messages.

use std::sync::Arc;

use bytes::Bytes;

use crate::channel::{MESSAGE_COST, NodeBudget, SharedCharge};
use crate::rlpx::{Prepared, SealError};

/// The payload of a message on its way out.
#[derive(Debug)]
pub(crate) enum Payload {
    /// A payload that belongs to this message alone.
    Own(Bytes),
    /// A payload that goes to several peers.
    Shared(Arc<SharedPayload>),
}

/// A payload that goes to several peers, but is encoded, compressed and counted only once.
#[derive(Debug)]
pub(crate) struct SharedPayload {
    data: Prepared,
    _charge: SharedCharge,
}

impl SharedPayload {
    /// Compresses a payload, and charges the plain and the compressed form to the node.
    ///
    /// Returns `None` if the node has no room for both forms.
    ///
    /// # Errors
    /// [`SealError`] if the payload is too large.
    pub(crate) fn new(payload: Bytes, node: &NodeBudget) -> Result<Option<Arc<Self>>, SealError> {
        let data = Prepared::new(payload)?;
        let charge = node.charge_shared(data.memory());
        Ok(charge.map(|charge| {
            Arc::new(Self {
                data,
                _charge: charge,
            })
        }))
    }

    pub(crate) fn data(&self) -> &Prepared {
        &self.data
    }
}

impl Payload {
    /// The payload's size in bytes, before compression.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Own(payload) => payload.len(),
            Self::Shared(shared) => shared.data.plain().len(),
        }
    }
}

impl From<Bytes> for Payload {
    fn from(payload: Bytes) -> Self {
        Self::Own(payload)
    }
}

/// The cost of messages in the budgets, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cost {
    /// The part that counts for the peer and the node.
    pub(crate) own: usize,
    /// The part that counts for the peer alone. The node counts a shared payload only once.
    pub(crate) shared: usize,
}

impl Cost {
    pub(super) fn of(payload: &Payload) -> Self {
        match payload {
            Payload::Own(payload) => Self::of_own(payload.len()),
            Payload::Shared(_) => Self {
                own: MESSAGE_COST,
                shared: payload.len(),
            },
        }
    }

    /// The cost of a message with an unshared payload of `bytes`.
    pub(super) fn of_own(bytes: usize) -> Self {
        Self {
            own: bytes.saturating_add(MESSAGE_COST),
            shared: 0,
        }
    }

    /// The total cost for the peer.
    pub(super) fn sum(self) -> usize {
        self.own.saturating_add(self.shared)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            own: self.own.saturating_add(other.own),
            shared: self.shared.saturating_add(other.shared),
        }
    }
}
