//! What attackers do.

use std::time::Duration;

use bytes::Bytes;
use peermux::p2p::RawMessage;
use peermux::rlp::RlpStream;
use peermux::rlpx::{HandshakeRandomness, Initiator};
use peermux::{Capability, Enode, SecretKey};

use crate::connect::{BENCH, ECHO, PING, UNREAD, capabilities};
use crate::node::FOR_STRANGERS;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A byte string, about as large as a message can have it.
const LARGE: usize = (16 << 20) - (2 << 10);

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) how: How,
    /// How long it waits before it comes back.
    pub(crate) away: Duration,
}

pub(crate) enum How {
    /// Says this, and nothing more.
    Unproven(fn(&Enode) -> Vec<u8>),
    /// Becomes a peer with these capabilities, and says this again and again.
    Peer {
        capabilities: fn() -> Vec<Capability>,
        beat: fn() -> Vec<RawMessage>,
        /// How long it waits between two beats.
        pause: Duration,
        /// How many bytes are written at a beat.
        at_once: usize,
        /// Whether what the node says is read.
        reads: bool,
    },
    /// Becomes a peer and leaves when that is done, again and again.
    Passing,
}

impl Attack {
    /// How many seats the node has: a peer more has none where that is the attack.
    pub(crate) fn seats(&self, attackers: usize) -> usize {
        match self.how {
            How::Passing => 50,
            _ => attackers + 100,
        }
    }

    /// What a peer says at a beat.
    pub(crate) fn messages(&self) -> Vec<RawMessage> {
        match self.how {
            How::Peer { beat, .. } => beat(),
            _ => Vec::new(),
        }
    }

    /// What a connection may take beside the budgets, in bytes.
    pub(crate) fn allowance(&self) -> usize {
        match self.how {
            How::Unproven(_) => 16 << 10,
            _ => 64 << 10,
        }
    }
}

pub(crate) fn all() -> impl Iterator<Item = Attack> {
    let unproven = |name, says, away| Attack {
        name,
        how: How::Unproven(says),
        away,
    };
    let peer = |name, beat, pause, reads| Attack {
        name,
        how: How::Peer {
            capabilities,
            beat,
            pause,
            at_once: usize::MAX,
            reads,
        },
        away: SECOND,
    };
    [
        unproven("silent", |_| Vec::new(), SECOND),
        unproven("half an auth", half_an_auth, SECOND),
        unproven("false auths", false_auth, 100 * MS),
        Attack {
            name: "passing",
            how: How::Passing,
            away: 250 * MS,
        },
        Attack {
            name: "long Hello",
            how: How::Peer {
                capabilities: many_capabilities,
                beat: || vec![ping()],
                pause: SECOND,
                at_once: usize::MAX,
                reads: false,
            },
            away: SECOND,
        },
        peer("pings", || vec![ping(); 10], 100 * MS, true),
        peer("asks", || vec![ask(), ping()], SECOND, false),
        peer("echoes of zeros", echoes, SECOND, false),
        peer("unread", || vec![zeros(UNREAD, LARGE)], SECOND, false),
        peer("tiny and unread", tiny, 100 * MS, true),
        Attack {
            name: "slow message",
            how: How::Peer {
                capabilities,
                beat: || vec![noise()],
                pause: 100 * MS,
                at_once: 16 << 10,
                reads: false,
            },
            away: SECOND,
        },
        peer("small echoes", small_echoes, 100 * MS, true),
    ]
    .into_iter()
}

fn auth(node: &Enode) -> Vec<u8> {
    let randomness = HandshakeRandomness::random(&mut rand::rng());
    let sealed = Initiator::new(&SecretKey::generate(), node.public_key(), randomness);
    sealed.expect("sealed").1.to_vec()
}

pub(crate) fn half_an_auth(node: &Enode) -> Vec<u8> {
    let mut auth = auth(node);
    auth.truncate(auth.len() / 2);
    auth
}

/// One that is refused after the most work: its last byte is wrong.
fn false_auth(node: &Enode) -> Vec<u8> {
    let mut auth = auth(node);
    if let Some(last) = auth.last_mut() {
        *last ^= 1;
    }
    auth
}

/// As many as a Hello may have.
pub(crate) fn many_capabilities() -> Vec<Capability> {
    let more = (3..64).map(|version| Capability::new("x", version));
    capabilities().into_iter().chain(more).collect()
}

fn ping() -> RawMessage {
    RawMessage {
        id: PING,
        payload: Bytes::from_static(&[0xc0]),
    }
}

fn zeros(id: u64, size: usize) -> RawMessage {
    string(id, &vec![0; size])
}

/// One that does not compress.
pub(crate) fn noise() -> RawMessage {
    let mut bytes = vec![0; 2 << 20];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    string(UNREAD, &bytes)
}

fn string(id: u64, bytes: &[u8]) -> RawMessage {
    let mut out = RlpStream::new();
    out.append(&bytes);
    RawMessage {
        id,
        payload: out.out().freeze(),
    }
}

/// Asks for many messages of the benchmark protocol, as large as strangers get them.
pub(crate) fn ask() -> RawMessage {
    let mut out = RlpStream::new_list(2);
    out.append(&100_000u64).append(&(FOR_STRANGERS as u64));
    RawMessage {
        id: BENCH + 1,
        payload: out.out().freeze(),
    }
}

fn echoes() -> Vec<RawMessage> {
    vec![zeros(ECHO, FOR_STRANGERS); 16]
}

/// One byte for a protocol that nobody reads, and much around it for one that is read.
fn tiny() -> Vec<RawMessage> {
    let around = || std::iter::repeat_with(|| string(ECHO, &[7; 1000])).take(16);
    around()
        .chain([string(UNREAD, &[1])])
        .chain(around())
        .collect()
}

fn small_echoes() -> Vec<RawMessage> {
    std::iter::repeat_with(|| string(ECHO, &[7; 16]))
        .take(20)
        .collect()
}
