//! An open connection, as the table holds it.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::comm::acks::AckTable;
use crate::comm::send_queue::SendQueue;
use crate::comm::{CommError, ConnInfo, ConnectionEnd};
use crate::node::NodeId;
use crate::peer::Peer;

/// The number of a connection, which is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnId(pub(super) u64);

/// Asks a connection to end.
#[derive(Debug, Default)]
pub(crate) struct ConnControl {
    closing: CancellationToken,
    pub(super) reason: OnceLock<ConnectionEnd>,
}

impl ConnControl {
    /// Requests the end; only the first reason counts.
    pub(crate) fn close(&self, reason: ConnectionEnd) {
        self.reason.get_or_init(|| reason);
        self.closing.cancel();
    }

    pub(crate) async fn closed(&self) -> ConnectionEnd {
        self.closing.cancelled().await;
        let reason = self.reason.get().cloned();
        reason.unwrap_or(ConnectionEnd::TransportEnded)
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) conn: ConnId,
    pub(crate) info: Arc<ConnInfo>,
    pub(crate) peer: Peer,
    pub(crate) queue: Arc<SendQueue>,
    /// Shared with the connection that replaces this one, because Acks may arrive over either.
    pub(crate) acks: Arc<AckTable>,
    pub(crate) control: Arc<ConnControl>,
    pub(super) dialler: NodeId,
    pub(super) opened: Instant,
}

impl Entry {
    /// Fails all waiting messages, and all waits for Acks.
    pub(super) fn fail(&self, reason: &ConnectionEnd) {
        let error = CommError::PeerClosed(reason.clone());
        self.queue.fail(&error);
        self.acks.fail(&error);
    }
}
