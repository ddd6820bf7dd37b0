use std::fmt;

use peermux::Peer;
use peermux::rlp::Raw;
use tokio::sync::mpsc;

use super::{Block, BlockId, BlockRange, HandshakeError, PooledHashes, Status};

/// An unsolicited announcement by a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Announcement {
    /// New blocks.
    BlockHashes(Vec<BlockId>),
    /// A new block with its transactions.
    Block(Block),
    /// Transactions: RLP lists, or byte strings for the newer types.
    Transactions(Vec<Raw>),
    /// Transactions that can be requested.
    Pooled(PooledHashes),
    /// The blocks that the peer now has; only from `eth/69` on.
    Range(BlockRange),
}

/// An event about a peer.
#[non_exhaustive]
pub enum Event {
    /// A peer is on the same chain and accepts requests.
    Joined {
        /// The peer.
        peer: Peer,
        /// The peer's Status.
        status: Status,
    },
    /// A peer was refused and is being disconnected.
    Refused {
        /// The peer.
        peer: Peer,
        /// The peer's Status, if the peer sent one.
        status: Option<Status>,
        /// Why it was refused.
        error: HandshakeError,
    },
    /// A joined peer sent an announcement.
    Announced(Announced),
    /// The connection to a joined peer has ended.
    Left {
        /// The peer.
        peer: Peer,
    },
}

/// A peer's announcement.
///
/// Until it is dropped, it counts towards the bounds on the peer's received messages.
pub struct Announced {
    /// The peer.
    pub peer: Peer,
    /// The announcement.
    pub announcement: Announcement,
    pub(super) _room: Box<dyn Send>,
}

/// The events of all peers, in order.
#[derive(Debug)]
pub struct Events(pub(super) mpsc::Receiver<Event>);

impl Events {
    /// Returns the next event, or `None` once no [`Eth`](super::Eth) is left.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Event {
    /// Returns the peer.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        match self {
            Self::Joined { peer, .. } | Self::Refused { peer, .. } | Self::Left { peer } => peer,
            Self::Announced(announced) => &announced.peer,
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer().id();
        match self {
            Self::Joined { status, .. } => write!(f, "Joined({peer}, {status:?})"),
            Self::Refused { error, .. } => write!(f, "Refused({peer}, {error:?})"),
            Self::Announced(announced) => announced.fmt(f),
            Self::Left { .. } => write!(f, "Left({peer})"),
        }
    }
}

impl fmt::Debug for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            peer, announcement, ..
        } = self;
        write!(f, "Announced({}, {announcement:?})", peer.id())
    }
}
