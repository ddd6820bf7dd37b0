//! The attacks.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use peermux::comm::{IdentityProvider, Secp256k1Identity, X509Identity};
use peermux::p2p::RawMessage;
use peermux::{Capability, Enode, SecretKey};

use crate::certificates::untrusted;
use crate::connect::{capabilities, comm};
use crate::messages::{
    announcements, ask, auth, authors, echoes, empty_capabilities, false_auth, half_an_auth,
    many_capabilities, noise, ping, requests, small_echoes, small_talk, tiny, unread,
};
use crate::node::FOR_STRANGERS;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) how: How,
    /// The wait before the attacker reconnects.
    pub(crate) away: Duration,
}

pub(crate) enum How {
    /// Sends these bytes and nothing more.
    Unproven(fn(&Enode) -> Vec<u8>),
    /// Sends these bytes, is refused by a node without seats, and keeps its sockets open.
    Refused(fn(&Enode) -> Vec<u8>),
    /// Becomes a peer with the capabilities of the `Talk`, and repeats its messages.
    Peer(Talk),
    /// Becomes a peer and leaves, repeatedly.
    Passing,
    /// Becomes a peer as often as possible from one address, and stays.
    Seats,
}

pub(crate) struct Talk {
    pub(crate) capabilities: fn() -> Vec<Capability>,
    /// The identity that the attacker proves first in comm.
    pub(crate) identity: Option<fn() -> Arc<dyn IdentityProvider>>,
    pub(crate) beat: fn() -> Vec<RawMessage>,
    /// Whether each connection has its own messages.
    pub(crate) own: bool,
    /// How many of the messages only the first attacker sends. It sends each of them only once.
    pub(crate) once: usize,
    /// The pause between two beats.
    pub(crate) pause: Duration,
    /// How many bytes are written per beat.
    pub(crate) at_once: usize,
    /// Whether the attacker reads what the node sends.
    pub(crate) reads: bool,
    /// The memory of one connection outside the budgets, in bytes.
    pub(crate) allowance: usize,
}

const PEER: Talk = Talk {
    capabilities,
    identity: None,
    beat: Vec::new,
    own: false,
    once: 0,
    pause: SECOND,
    at_once: usize::MAX,
    reads: false,
    allowance: 64 << 10,
};

/// A peer that makes the node send messages and does not read them. The budget does not count one
/// message per waiting sender, and messages that are being sealed may exceed it.
const ASKER: Talk = Talk {
    allowance: (64 << 10) + 2 * FOR_STRANGERS,
    ..PEER
};

const MEMBER: Talk = Talk {
    capabilities: comm,
    identity: Some(|| Arc::new(Secp256k1Identity::new(SecretKey::generate()))),
    ..PEER
};

impl Attack {
    /// Returns the node's number of seats, which depends on the attack.
    pub(crate) fn seats(&self, attackers: usize) -> usize {
        match self.how {
            How::Passing => 50,
            How::Refused(_) => 0,
            _ => attackers + 100,
        }
    }

    /// Returns the messages of a beat, or none if each peer sends its own.
    pub(crate) fn messages(&self) -> Vec<RawMessage> {
        match &self.how {
            How::Peer(talk) if !talk.own => (talk.beat)(),
            _ => Vec::new(),
        }
    }

    /// Returns the memory that the node keeps for an ended connection, in bytes. The node keeps at
    /// most 4,096 identities, each for an hour.
    pub(crate) fn remembered(&self) -> usize {
        match &self.how {
            How::Peer(talk) if talk.identity.is_some() => 2 << 10,
            _ => 0,
        }
    }

    /// Returns the memory of a connection outside the budgets, in bytes.
    pub(crate) fn allowance(&self) -> usize {
        match &self.how {
            How::Unproven(_) | How::Refused(_) => 16 << 10,
            How::Peer(talk) => talk.allowance,
            _ => 64 << 10,
        }
    }
}

pub(crate) fn all() -> impl Iterator<Item = Attack> {
    let attack = |name, how, away| Attack { name, how, away };
    let peer = |name, talk| attack(name, How::Peer(talk), SECOND);
    let talk = |beat, pause, reads| Talk {
        beat,
        pause,
        reads,
        ..PEER
    };
    let asks = |beat| Talk { beat, ..ASKER };
    let says = |beat, pause| Talk {
        beat,
        pause,
        reads: true,
        ..MEMBER
    };
    let introduces = |capabilities| Talk {
        capabilities,
        ..talk(|| vec![ping()], SECOND, false)
    };
    [
        attack("silent", How::Unproven(|_| Vec::new()), SECOND),
        attack("half an auth", How::Unproven(half_an_auth), SECOND),
        attack("false auths", How::Unproven(false_auth), 100 * MS),
        attack("refused", How::Refused(auth), SECOND),
        attack("passing", How::Passing, 250 * MS),
        attack("one address", How::Seats, 100 * MS),
        peer("long Hello", introduces(many_capabilities)),
        peer("too long Hello", introduces(empty_capabilities)),
        peer("pings", talk(|| vec![ping(); 10], 100 * MS, true)),
        peer("asks", asks(|| vec![ask(), ping()])),
        peer("echoes of zeros", asks(echoes)),
        peer("unread", talk(unread, SECOND, false)),
        peer("tiny and unread", talk(tiny, 100 * MS, true)),
        peer(
            "slow message",
            Talk {
                at_once: 16 << 10,
                ..talk(|| vec![noise()], 100 * MS, false)
            },
        ),
        peer("small echoes", talk(small_echoes, 100 * MS, true)),
        peer(
            "gossip Requests",
            Talk {
                once: 1,
                reads: false,
                ..says(requests, 200 * MS)
            },
        ),
        peer(
            "gossip authors",
            Talk {
                own: true,
                at_once: 32 << 10,
                ..says(authors, 100 * MS)
            },
        ),
        peer(
            "gossip news",
            Talk {
                own: true,
                ..says(announcements, SECOND)
            },
        ),
        peer("comm flood", says(small_talk, 100 * MS)),
        attack(
            "false chains",
            How::Peer(Talk {
                identity: Some(|| FALSE_CHAIN.clone()),
                ..says(Vec::new, SECOND)
            }),
            100 * MS,
        ),
    ]
    .into_iter()
}

/// The message is shared by all attackers, since making it takes a while.
static FALSE_CHAIN: LazyLock<Arc<X509Identity>> = LazyLock::new(|| Arc::new(untrusted()));
