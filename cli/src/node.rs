//! Starts, dials and ends nodes, for several commands.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use peermux::connmgr::{ConnectError, Dialer};
use peermux::p2p::MAX_HELLO;
use peermux::server::NodeDialer;
use peermux::setup::{Established, SetupError, initiate};
use peermux::transport::{TcpTransport, Transport};
use peermux::{
    Capability, DialError, Endpoint, Enode, Hello, PublicKey, SecretKey, Server, ServerBuilder,
    Stage, StartError,
};
use peermux_cli::form;
use tokio::time::{Instant, timeout, timeout_at};

use crate::explain::Trouble;
use crate::failure::Failure;
use crate::refused::Refused;

/// The client name of commands that dial.
const CLIENT: &str = concat!("peermux/v", env!("CARGO_PKG_VERSION"));

/// How long a node may take to disconnect its peers.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(5);

/// Ends a node. Sends each peer its queued messages and a Disconnect.
pub(crate) async fn shut_down(server: &Server) {
    if let Err(error) = server.shutdown(SHUTDOWN).await {
        tracing::warn!(%error, "unclean end");
    }
}

/// Ends a node at once, and closes its connections.
pub(crate) async fn abort(server: &Server) {
    // Ignore the error: it only counts what was aborted, and the caller wants to abort everything.
    let _ = server.shutdown(Duration::ZERO).await;
}

/// Reads a node that has an address to dial.
pub(crate) fn dialable(text: &str) -> Result<Enode, Box<dyn Error + Send + Sync>> {
    let node = form::node(text)?;
    check_dialable(&node)?;
    Ok(node)
}

pub(crate) fn check_dialable(node: &Enode) -> Result<(), &'static str> {
    match node.tcp_endpoint() {
        Some(_) => Ok(()),
        None => Err("it names no host and TCP port to dial"),
    }
}

/// Returns all addresses of `HOST:PORT`.
pub(crate) async fn resolve_all(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Failure> {
    let found = NodeDialer::resolve(endpoint).await;
    found.map_err(|error| Failure::because(error.to_string()))
}

fn no_address() -> Failure {
    Failure::because("the name has no address")
}

/// Starts a node on the first of these addresses that it can listen on.
///
/// Several addresses are tried, because a name may have an address of a family that this machine does not
/// support. `describe` returns the node to start, and a value that is returned with the started node.
pub(crate) async fn start<T>(
    addrs: &[SocketAddr],
    mut describe: impl FnMut() -> (ServerBuilder, T),
) -> Result<(Server, T), Failure> {
    let mut failed = None;
    for addr in addrs {
        let (node, with) = describe();
        match node.listen(*addr).start().await {
            Err(error @ StartError::Listen { .. }) => {
                tracing::debug!(%error, "trying the next address");
                failed = Some(error);
            }
            started => return Ok((started.map_err(Failure::because)?, with)),
        }
    }
    Err(match failed {
        Some(StartError::Listen { addr, source }) => {
            let why = Refused::Listen.text(&source);
            Failure::because(format!("cannot listen on {addr}: {why}"))
        }
        Some(error) => Failure::because(error),
        None => no_address(),
    })
}

/// Connects to the first of a node's addresses that answers. Returns the connection and the
/// address.
pub(crate) async fn connect(
    node: &Enode,
    limit: Duration,
) -> Result<(TcpTransport, SocketAddr), Failure> {
    let dialled = timeout(limit, NodeDialer::default().dial(node)).await;
    let dialled = dialled.unwrap_or(Err(ConnectError::Timeout));
    let stream = dialled.map_err(|source| {
        let known = || node.endpoint().and_then(Endpoint::socket_addr);
        Trouble::dialling(&DialError::Connect {
            id: node.node_id(),
            addr: source.addr().or_else(known),
            source,
        })
    })?;
    let addr = stream.remote_addr();
    let addr = addr.ok_or_else(|| Failure::because("the connection has closed".to_owned()))?;
    Ok((stream, addr))
}

/// Sets up a connection with any node.
///
/// Announces the same capabilities as the remote. Otherwise the remote could disconnect this side as a
/// "useless peer".
pub(crate) async fn set_up(
    stream: TcpTransport,
    key: &SecretKey,
    remote: &PublicKey,
    limit: Duration,
) -> Result<Established<TcpTransport>, SetupError> {
    let answer = |theirs: &Hello| greeting(CLIENT, theirs.capabilities.clone(), key);
    set_up_with(stream, key, remote, limit, answer).await
}

/// Like [`set_up`], but `answer` makes our Hello from the remote's.
pub(crate) async fn set_up_with(
    stream: TcpTransport,
    key: &SecretKey,
    remote: &PublicKey,
    limit: Duration,
    answer: impl FnOnce(&Hello) -> Hello,
) -> Result<Established<TcpTransport>, SetupError> {
    let deadline = Instant::now() + limit;
    let timed_out = |stage| {
        move |_| SetupError::TimedOut {
            stage,
            after: limit,
        }
    };
    let authenticate = timeout_at(deadline, initiate(stream, key, remote)).await;
    let authenticated = authenticate.map_err(timed_out(Stage::Ack))??;
    timeout_at(deadline, authenticated.answer_hello(answer))
        .await
        .map_err(timed_out(Stage::Hello))?
}

/// Makes a Hello with these capabilities, or as many of them as fit.
pub(crate) fn greeting(client: &'static str, offered: Vec<Capability>, key: &SecretKey) -> Hello {
    let mut hello = Hello::new(client, offered, key.public_key());
    // The capabilities come from a Hello that was not too large, but ours may be too large with a longer
    // client name.
    while hello.encode().len() > MAX_HELLO && hello.capabilities.pop().is_some() {}
    hello
}
