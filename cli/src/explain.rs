//! What went wrong with a connection, in one line for whoever wants to connect.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;

use peermux::rlpx::HandshakeError;
use peermux::setup::SetupError;
use peermux::{DialError, DisconnectReason, Stage};

use crate::output::reason_text;

/// No TCP connection came about.
pub(crate) fn connect_error(addr: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("cannot connect to {addr}: connection refused, nothing listens there")
        }
        io::ErrorKind::TimedOut => format!("cannot connect to {addr}: no answer"),
        _ => format!("cannot connect to {addr}: {error}"),
    }
}

/// The remote at `addr` is not what it was hoped to be.
pub(crate) fn setup_error(addr: &dyn Display, error: &SetupError) -> String {
    match error {
        SetupError::Refused(reason) => refused(addr, *reason),
        SetupError::TimedOut {
            stage: Stage::Auth | Stage::Ack,
            after,
        } => format!(
            "{addr} does not seem to speak RLPx: it took the connection and gave no answer within {after:?}"
        ),
        SetupError::Handshake {
            source:
                source @ (HandshakeError::PacketTooLarge { .. } | HandshakeError::PacketTooSmall { .. }),
            ..
        } => format!("{addr} does not speak RLPx: its answer is no handshake packet ({source})"),
        SetupError::Closed {
            stage: Stage::Auth | Stage::Ack,
        } => other_key(addr),
        SetupError::Io {
            stage: Stage::Auth | Stage::Ack,
            source,
        } if matches!(
            source.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ) =>
        {
            other_key(addr)
        }
        error => format!("{addr}: {error}"),
    }
}

/// What a node does that cannot read our handshake packet, made for the key in its URL.
fn other_key(addr: &dyn Display) -> String {
    format!(
        "{addr} hung up on the handshake: its key is not the one in the enode URL, or it does not speak RLPx"
    )
}

/// The remote sent a Disconnect.
pub(crate) fn refused(addr: &dyn Display, reason: Option<DisconnectReason>) -> String {
    format!("{addr} refused the connection: {}", reason_text(reason))
}

/// A node was not dialled successfully.
pub(crate) fn dial_error(error: &DialError) -> String {
    match error {
        DialError::Connect {
            addr: Some(addr),
            source,
            ..
        } => connect_error(*addr, source),
        DialError::Setup {
            addr: Some(addr),
            source,
            ..
        } => setup_error(addr, source),
        error => error.to_string(),
    }
}
