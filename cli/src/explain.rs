//! Explains in one line why a connection failed.

use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use peermux::p2p::CodecError;
use peermux::rlpx::HandshakeError;
use peermux::setup::{FailureInfo, SetupError};
use peermux::{DialError, DisconnectReason, Fault, PeerError, Stage};
use serde::Serialize;

use crate::output::{CapabilityReport, list, reason_text};

/// The reason why a connection could not be made, or why it ended.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "failed")]
pub(crate) struct Trouble {
    /// The reason in the Disconnect that was sent or received.
    reason: Option<DisconnectReason>,
    error: FailureInfo,
}

impl Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailureInfo {
            stage, fault, text, ..
        } = &self.error;
        f.write_str(text)?;
        if let (Some(stage), Some(fault)) = (stage, fault) {
            write!(f, " [stage: {stage}, fault: {}]", fault_text(*fault))?;
        }
        Ok(())
    }
}

impl Trouble {
    fn new(stage: Stage, fault: Fault, reason: Option<DisconnectReason>, text: String) -> Self {
        Self {
            reason,
            error: FailureInfo::new(stage, fault, reason, text),
        }
    }

    pub(crate) fn error(&self) -> &FailureInfo {
        &self.error
    }

    /// The TCP connection to `addr` failed.
    pub(crate) fn connecting(addr: SocketAddr, kind: io::ErrorKind, error: &dyn Display) -> Self {
        let why = match kind {
            io::ErrorKind::ConnectionRefused => "connection refused, no program listens there",
            io::ErrorKind::TimedOut => "no answer",
            _ => &error.to_string(),
        };
        Self::new(
            Stage::Dial,
            Fault::Io,
            None,
            format!("cannot connect to {addr}: {why}"),
        )
    }

    /// The node at `addr` could not be set up as a peer.
    pub(crate) fn setting_up(addr: SocketAddr, error: &SetupError) -> Self {
        Self::new(
            error.stage(),
            error.fault(),
            error.reason(),
            setup_text(addr, error),
        )
    }

    /// The dial of a node failed.
    pub(crate) fn dialling(error: &DialError) -> Self {
        match error {
            DialError::Connect {
                addr: Some(addr),
                source,
                ..
            } => Self::connecting(*addr, source.kind(), source),
            DialError::Setup {
                addr: Some(addr),
                source,
                ..
            } => Self::setting_up(*addr, source),
            error => Self::new(
                error.stage(),
                error.fault(),
                error.reason(),
                error.to_string(),
            ),
        }
    }

    /// The node at `addr` disconnected.
    pub(crate) fn disconnected(addr: SocketAddr, reason: Option<DisconnectReason>) -> Self {
        Self::new(
            Stage::Message,
            Fault::Remote,
            reason,
            format!("{addr} disconnected: {}", reason_text(reason)),
        )
    }

    /// The connection with the node at `addr` failed.
    pub(crate) fn broken(addr: SocketAddr, error: &CodecError) -> Self {
        Self::new(
            Stage::Frame,
            error.fault(),
            None,
            format!("the connection with {addr} broke: {error}"),
        )
    }

    /// The node at `addr` closed the connection without a Disconnect.
    pub(crate) fn closed(addr: SocketAddr) -> Self {
        Self::new(
            Stage::Frame,
            Fault::Io,
            None,
            format!("{addr} closed the connection without a Disconnect"),
        )
    }

    /// The node at `addr` does not answer a Ping.
    pub(crate) fn no_pong(addr: SocketAddr, limit: Duration, speaks_eth: bool) -> Self {
        let hint = if speaks_eth {
            "; some nodes that speak eth answer only after they have received its Status"
        } else {
            ""
        };
        Self::new(
            Stage::Message,
            Fault::Io,
            None,
            format!("{addr} sent no Pong within {limit:?}{hint}"),
        )
    }

    /// The connection to a peer ended while it was still needed.
    pub(crate) fn peer_ended(error: &PeerError) -> Self {
        Self::new(
            error.stage(),
            error.fault(),
            error.reason(),
            format!("the connection ended: {}", ending(error)),
        )
    }
}

/// Describes how the connection to a peer ended, with the reason in the Disconnect.
pub(crate) fn ending(error: &PeerError) -> String {
    match (error, error.reason()) {
        (PeerError::Remote(reason), _) => format!("it disconnected: {}", reason_text(*reason)),
        (PeerError::Local(reason), _) => format!("we disconnected: {}", reason_text(Some(*reason))),
        (error, Some(reason)) => format!("{error}; we disconnected: {}", reason_text(Some(reason))),
        (error, None) => error.to_string(),
    }
}

fn setup_text(addr: SocketAddr, error: &SetupError) -> String {
    match error {
        SetupError::Refused(reason) => {
            format!("{addr} refused the connection: {}", reason_text(*reason))
        }
        SetupError::NothingShared { ours, theirs } => {
            let [ours, theirs] = [ours, theirs].map(|all| {
                let all: Vec<CapabilityReport> = all.iter().map(Into::into).collect();
                list(&all)
            });
            format!("{addr} shares none of the protocols needed here ({ours}); it speaks: {theirs}")
        }
        SetupError::TimedOut {
            stage: Stage::Auth | Stage::Ack,
            after,
        } => format!(
            "{addr} does not seem to speak RLPx: it accepted the connection and did not answer within {after:?}"
        ),
        SetupError::Handshake {
            source:
                source @ (HandshakeError::PacketTooLarge { .. } | HandshakeError::PacketTooSmall { .. }),
            ..
        } => format!("{addr} does not speak RLPx: its answer is not a handshake packet ({source})"),
        SetupError::Handshake { source, .. } => {
            format!("{addr} sent a wrong answer to the handshake: {source}")
        }
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

/// Explains a close during the handshake.
///
/// A node closes the connection if it throttles our address, or if it cannot read our packet. The packet is
/// encrypted for the key in the URL, so a node with another key cannot read it.
fn other_key(addr: SocketAddr) -> String {
    format!(
        "{addr} closed the connection during the handshake: its key is not the one in the enode URL, it does not speak RLPx, or this address has just connected to it (many nodes accept no second connection within 30 s)"
    )
}

/// Returns the name of a fault, for programs.
pub(crate) fn fault_text(fault: Fault) -> &'static str {
    match fault {
        Fault::Local => "local",
        Fault::Remote => "remote",
        Fault::Io => "io",
    }
}
