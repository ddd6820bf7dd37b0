use std::fmt;

use peermux::Peer;
use peermux::rlp::Raw;
use tokio::sync::mpsc;

use super::{Block, BlockId, BlockRange, HandshakeError, PooledHashes, Status};

/// Something that a peer announces of its own accord.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Announcement {
    /// New blocks.
    BlockHashes(Vec<BlockId>),
    /// A new block, whole.
    Block(Block),
    /// Transactions, whole: a list each, or, of types that came later, a byte string.
    Transactions(Vec<Raw>),
    /// Transactions that can be asked for.
    Pooled(PooledHashes),
    /// The blocks that the peer has from now on. From `eth/69` on.
    Range(BlockRange),
}

/// Something that happened with a peer.
#[non_exhaustive]
pub enum Event {
    /// A peer is on the same chain, and can be asked.
    Joined {
        /// The peer.
        peer: Peer,
        /// What it says about itself.
        status: Status,
    },
    /// A peer was refused, and ends.
    Refused {
        /// The peer.
        peer: Peer,
        /// What it says about itself, if it said something.
        status: Option<Status>,
        /// Why it was refused.
        error: HandshakeError,
    },
    /// A peer that had joined announces something.
    Announced(Announced),
    /// A peer that had joined is gone.
    Left {
        /// The peer.
        peer: Peer,
    },
}

/// What a peer announces. Until it is dropped it takes room in the bounds of the peer's messages.
pub struct Announced {
    /// The peer.
    pub peer: Peer,
    /// What it announces.
    pub announcement: Announcement,
    pub(super) _room: Box<dyn Send>,
}

/// What happens with the peers, in order.
#[derive(Debug)]
pub struct Events(pub(super) mpsc::Receiver<Event>);

impl Events {
    /// The next event, or `None` once no clone of the [`Eth`](super::Eth) is left. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Event {
    /// The peer.
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
