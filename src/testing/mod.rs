//! In-memory peers and a scripted remote, to test protocols without a network.
//!
//! | what | for |
//! |---|---|
//! | [`ProtocolConn::pair`](crate::ProtocolConn::pair) | one handler against messages of the test's own |
//! | [`peer`] | a [`Peer`](crate::Peer) handle where a handler wants one |
//! | [`connect`] | two whole peers, with everything between two handlers but a socket |
//! | [`link`] | a stream with a latency, for whole nodes on the two ends of a long way |
//! | [`FnDialer`], [`dial_script`], [`memory_listener`] | a [connection manager](crate::connmgr) without sockets |
//! | [`Scripted`] | one peer against frames of the test's own, malformed ones too |
//! | [`Replay`] | one peer against what a [recording](crate::recorder) says that another remote had sent |
//!
//! All of them run on tokio's clock, which tests can pause: time-outs then take no time.

mod connected;
mod handle;
mod link;
mod replay;
mod scripted;
mod sockets;

pub use connected::{Connected, Settings, connect, establish};
pub use handle::peer;
pub use link::link;
pub use replay::{Replay, ReplayedMessage};
pub use scripted::{Scripted, ScriptedFrame};
pub use sockets::{
    Caller, DialScript, FnDialer, MemoryListener, PendingDial, ScriptedDialer, dial_script,
    memory_listener,
};
