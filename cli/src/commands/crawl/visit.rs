//! A visit: one connection to learn about a node.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use peermux::connmgr::{ConnectError, Dialer};
use peermux::p2p::{self, BASE_LENGTH, CodecError, RawMessage, RlpxCodec, decode_disconnect, ids};
use peermux::server::NodeDialer;
use peermux::setup::{Established, FailureInfo, Joined, SetupError};
use peermux::transport::TcpTransport;
use peermux::{
    Capability, DisconnectReason, Endpoint, Enode, Fault, Hello, Host, SecretKey, Stage,
};
use peermux_cli::node_file::{EthStatus, Outcome};
use peermux_protocols::eth;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;

use super::permitted::Permitted;
use super::visited::{About, Visited};
use crate::node;
use crate::output::reason_text;

/// The client name of the crawler.
const CLIENT: &str = concat!("peermux-crawl/v", env!("CARGO_PKG_VERSION"));

/// The size limit of messages, in bytes. A visit needs no larger message.
const MAX_MESSAGE: usize = 64 << 10;

/// How long to wait for a Pong after the node's Status of `eth`.
///
/// The wait is short because some nodes send no Pong at all: reth sends none before it has received a
/// Status, and the crawler sends no Status.
const PONG_AFTER_STATUS: Duration = Duration::from_secs(1);

/// How long a node may take to close the connection after our Disconnect.
const FAREWELL: Duration = Duration::from_secs(2);

/// Visits nodes.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) key: SecretKey,
    pub(super) permitted: Permitted,
    /// The time limit of each step: connection, handshake, answers.
    pub(super) limit: Duration,
    pub(super) dialer: NodeDialer,
    /// Cancelled when all visits must end.
    pub(super) stop: CancellationToken,
}

impl Visitor {
    /// Dials a node, collects its answers, and disconnects. Returns `None` if `stop` is cancelled before
    /// the node is met.
    pub(super) async fn visit(&self, to: &Enode) -> Option<Visited> {
        let met = self.stop.run_until_cancelled(self.meet(to)).await?;
        let (hello, established) = match met {
            Ok(established) => (established.hello().clone(), established),
            Err(visited) => return Some(visited),
        };
        let mut talk = Talk::new(&hello, established);
        let deadline = Instant::now() + self.limit;
        // The answers so far count, even if the time limit was reached.
        let talking = timeout_at(deadline, talk.listen());
        let _ = self.stop.run_until_cancelled(talking).await;
        Some(talk.leave().await)
    }

    /// Dials a node, and exchanges Hellos.
    async fn meet(&self, to: &Enode) -> Result<Established<TcpTransport>, Visited> {
        let to = timeout(self.limit, self.resolved(to)).await;
        let to = to
            .unwrap_or(Err(ConnectError::Timeout))
            .map_err(|error| not_connected(&error))?;
        if to.tcp_endpoint().is_none() {
            let why = "its name has no address that may be dialled";
            return Err(Visited::not_dialled(why));
        }
        let dialled = timeout(self.limit, self.dialer.dial(&to)).await;
        let dialled = dialled.unwrap_or(Err(ConnectError::Timeout));
        let stream = dialled.map_err(|error| not_connected(&error))?;
        let answer = |theirs: &Hello| node::greeting(CLIENT, offered(theirs), &self.key);
        let remote = to.public_key();
        let established = node::set_up_with(stream, &self.key, remote, self.limit, answer).await;
        established.map_err(|error| not_met(&error))
    }

    /// Replaces host names by their addresses, as far as these may be dialled.
    async fn resolved(&self, to: &Enode) -> Result<Enode, ConnectError> {
        let mut resolved = Enode::incomplete(*to.public_key());
        for endpoint in to.tcp_endpoints() {
            let addrs = match endpoint.host {
                Host::Ip(_) => vec![endpoint.clone()],
                Host::Dns(_) => {
                    let found = NodeDialer::resolve(endpoint).await?;
                    let found = found
                        .into_iter()
                        .filter(|addr| self.permitted.ip(addr.ip()));
                    found.map(Endpoint::from).collect()
                }
            };
            resolved = addrs.into_iter().fold(resolved, Enode::with_other_endpoint);
        }
        Ok(resolved)
    }
}

/// Returns the capabilities to offer.
///
/// A node that speaks `eth` is offered only `eth`, so that the message codes on the connection are known.
/// Other nodes are offered the capabilities that they announced. Otherwise they could disconnect the
/// crawler as a "useless peer" before they have answered.
fn offered(theirs: &Hello) -> Vec<Capability> {
    match eth_version(theirs) {
        Some(version) => vec![Capability::new(eth::NAME, version)],
        None => theirs.capabilities.clone(),
    }
}

/// Returns the highest version of `eth` that both sides support.
fn eth_version(theirs: &Hello) -> Option<u64> {
    let spoken = theirs.capabilities.iter();
    let spoken = spoken.filter(|capability| capability.name() == eth::NAME);
    let versions = spoken.map(Capability::version);
    versions
        .filter(|version| eth::VERSIONS.contains(version))
        .max()
}

/// A connection that the visit reads and writes itself.
type Connection = Framed<Joined<TcpTransport>, RlpxCodec>;

/// The exchange with a node that has sent its Hello.
struct Talk {
    framed: Connection,
    about: About,
    /// The version of `eth` whose Status is awaited.
    awaited: Option<u64>,
    /// The deadline for further messages, set when the node's Status has arrived.
    until: Option<Instant>,
    failure: Option<FailureInfo>,
    /// Whether the connection has ended.
    ended: bool,
}

impl Talk {
    fn new(hello: &Hello, established: Established<TcpTransport>) -> Self {
        let framed = established.into_framed();
        let mut framed = framed.map_codec(|codec| codec.with_max_payload(MAX_MESSAGE));
        framed.codec_mut().set_max_frame_size(MAX_MESSAGE);
        Self {
            framed,
            about: About::of(hello),
            awaited: eth_version(hello),
            until: None,
            failure: None,
            ended: false,
        }
    }

    /// Sends a Ping, and waits for the Pong and for the node's Status of `eth`.
    async fn listen(&mut self) {
        let pinged = Instant::now();
        self.send(ids::PING, &p2p::EMPTY_LIST).await;
        while !self.ended && (self.about.rtt.is_none() || self.awaited.is_some()) {
            let Some(next) = self.next().await else {
                return;
            };
            let RawMessage { id, payload } = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    self.failure.get_or_insert_with(|| broken(&error));
                    return;
                }
                None => {
                    self.ended = true;
                    return;
                }
            };
            match id {
                ids::PONG => {
                    self.about.rtt.get_or_insert(pinged.elapsed());
                }
                ids::PING => self.send(ids::PONG, &p2p::EMPTY_LIST).await,
                ids::DISCONNECT => {
                    let reason = decode_disconnect(&payload, false);
                    let text = format!("it disconnected: {}", reason_text(reason));
                    let (stage, fault) = (Stage::Message, Fault::Remote);
                    // The reason in the Disconnect replaces an earlier failure, because it explains more.
                    self.failure = Some(FailureInfo::new(stage, fault, reason, text));
                    self.ended = true;
                }
                // This is the first code after the base protocol. If `eth` is shared, it is the code of the
                // Status.
                BASE_LENGTH => self.take_status(payload),
                _ => {}
            }
        }
    }

    /// Waits for the next message; `None` after the deadline.
    async fn next(&mut self) -> Option<Option<Result<RawMessage, CodecError>>> {
        let next = self.framed.next();
        match self.until {
            Some(until) => timeout_at(until, next).await.ok(),
            None => Some(next.await),
        }
    }

    fn take_status(&mut self, payload: Bytes) {
        let Some(version) = self.awaited.take() else {
            return;
        };
        self.until = Some(Instant::now() + PONG_AFTER_STATUS);
        match eth::Status::decode(version, payload) {
            Ok(status) => self.about.eth = Some(EthStatus::from(&status)),
            Err(error) => {
                let text = format!("its Status of eth/{version}: {error}");
                let (stage, fault) = (Stage::Message, Fault::Remote);
                self.failure = Some(FailureInfo::new(stage, fault, None, text));
            }
        }
    }

    /// Sends a message. A failure is only recorded, because the remote's Disconnect may still be readable.
    async fn send(&mut self, id: u64, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(payload);
        if let Err(error) = self.framed.send(RawMessage { id, payload }).await {
            self.failure.get_or_insert_with(|| broken(&error));
        }
    }

    /// Disconnects, unless the connection has already ended.
    async fn leave(mut self) -> Visited {
        if !self.ended {
            // It makes no difference if the node does not close the connection in time.
            let _ = timeout(FAREWELL, take_leave(&mut self.framed)).await;
        }
        Visited {
            outcome: Outcome::Met,
            about: Some(self.about),
            error: self.failure,
        }
    }
}

/// Sends a Disconnect and waits until the node closes. Returns `None` if sending fails.
async fn take_leave(framed: &mut Connection) -> Option<()> {
    let reason = RawMessage {
        id: ids::DISCONNECT,
        payload: DisconnectReason::CLIENT_QUITTING.encode(),
    };
    framed.send(reason).await.ok()?;
    framed.close().await.ok()?;
    // Read until the node closes its side, which it does after it has read the Disconnect.
    while let Some(Ok(_)) = framed.next().await {}
    Some(())
}

fn not_connected(error: &ConnectError) -> Visited {
    use io::ErrorKind;
    let outcome = match (error, error.kind()) {
        (ConnectError::Resolve { .. }, _) => Outcome::NotResolved,
        (_, ErrorKind::ConnectionRefused) => Outcome::ConnectionRefused,
        (_, ErrorKind::TimedOut) => Outcome::TimedOut,
        (_, ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => Outcome::Unreachable,
        _ => Outcome::ConnectionFailed,
    };
    let fault = if error.is_local() {
        Fault::Local
    } else {
        Fault::Io
    };
    let failure = FailureInfo::new(Stage::Dial, fault, None, error.to_string());
    Visited::in_vain(outcome, failure)
}

fn not_met(error: &SetupError) -> Visited {
    let outcome = match error {
        SetupError::Refused(_) => Outcome::Refused,
        SetupError::TimedOut { .. } => Outcome::Silent,
        SetupError::Closed { .. } | SetupError::Io { .. } => Outcome::HungUp,
        SetupError::Handshake { .. } | SetupError::Frame(_) => Outcome::NotRlpx,
        _ => Outcome::BadHello,
    };
    Visited::in_vain(outcome, error.into())
}

fn broken(error: &CodecError) -> FailureInfo {
    FailureInfo::new(Stage::Frame, error.fault(), None, error.to_string())
}
