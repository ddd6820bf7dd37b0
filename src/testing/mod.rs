//! In-memory peers and a scripted remote, to test protocols without a network.
//!
//! | what | for |
//! |---|---|
//! | [`ProtocolConn::pair`](crate::ProtocolConn::pair) | one handler against the test's own messages |
//! | [`peer`] | a [`Peer`](crate::Peer) handle for a handler that needs one |
//! | [`connect`] | two whole peers, with everything between two handlers except a socket |
//! | [`link`] | a stream with a latency, for whole nodes that are far apart |
//! | [`FnDialer`], [`dial_script`], [`memory_listener`] | a [connection manager](crate::connmgr) without sockets |
//! | [`Scripted`] | one peer against the test's own frames, including malformed ones |
//! | [`Replay`] | one peer against the messages that a [recording](crate::recorder) has of its remote |
//!
//! All of them run on tokio's clock. Tests can pause it, so that time-outs take no time.

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
