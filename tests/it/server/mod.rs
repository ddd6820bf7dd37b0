//! Whole servers: which nodes they dial, accept, keep and disconnect.
//!
//! Most tests run on in-memory streams in virtual time.

mod admission;
mod automatic;
mod bans;
mod broadcast;
mod claims;
mod configuration;
mod dialling;
mod discovery;
mod ending;
mod extremes;
mod from_outside;
mod lifecycle;
mod memory;
mod nat;
mod networks;
mod node_store;
mod panics;
mod probes;
mod proxy;
mod reconfigure;
mod record_filter;
mod replay;
mod seats;
mod services;
mod shutdown;
mod static_nodes;
mod transports;

use std::net::SocketAddr;
use std::time::Duration;

use peermux::connmgr::Listener;
use peermux::server::ConnectionEvent;
use peermux::setup::SetupError;
use peermux::testing::{DialScript, PendingDial, ScriptedDialer, dial_script};
use peermux::{
    DialError, Enode, EventStream, Peer, PeerEvent, Protocol, SecretKey, Server, ServerBuilder,
};
use tokio::io::duplex;
use tokio::net::TcpListener;
use tokio::time::timeout;

const SECOND: Duration = Duration::from_secs(1);
/// A time longer than any wait of a server.
const LONG: Duration = Duration::from_secs(1000);

fn key() -> SecretKey {
    SecretKey::random(&mut rand::rng())
}

fn idle(name: &str) -> Protocol {
    Protocol::builder(name, 1, 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    })
}

/// Returns a server whose dials the test decides.
fn scripted() -> (
    ServerBuilder<ScriptedDialer<Enode>, TcpListener>,
    DialScript<Enode>,
) {
    let (dialer, script) = dial_script();
    let builder = Server::builder(key()).protocol(idle("test"));
    (builder.dialer(dialer), script)
}

/// Starts a node that can be reached only through the test's streams.
async fn remote() -> Server {
    let builder = Server::builder(key()).protocol(idle("test"));
    builder.start().await.expect("starts")
}

/// Returns an enode URL of `server` at this address.
fn at(server: &Server, addr: &str) -> Enode {
    Enode::new(
        *server.enode().public_key(),
        addr.parse().expect("an address"),
    )
}

/// Returns an enode URL of a node that does not exist.
fn stranger(addr: &str) -> Enode {
    Enode::new(key().public_key(), addr.parse().expect("an address"))
}

/// Returns a public address in its own network.
fn public(number: u8) -> String {
    format!("20.{number}.1.1:30303")
}

async fn next_dial(script: &mut DialScript<Enode>) -> PendingDial<Enode> {
    let dial = timeout(LONG, script.next()).await;
    dial.expect("in time").expect("the server runs")
}

/// Checks that nothing is dialled for `time`.
async fn no_dial(script: &mut DialScript<Enode>, time: Duration) {
    let dial = timeout(time, script.next()).await;
    assert!(dial.is_err(), "dialled {dial:?}");
}

/// Connects a pending dial to `server`.
fn reach(dial: PendingDial<Enode>, server: &Server) {
    let (stream, server) = (dial.succeed(), server.clone());
    tokio::spawn(async move {
        // The dialling side reports the error.
        server.accept_over(stream).await.ok();
    });
}

async fn added(feed: &mut EventStream<PeerEvent>) -> Peer {
    loop {
        let event = timeout(LONG, feed.recv()).await.expect("in time");
        if let PeerEvent::Added { peer } = event.expect("the feed is open").expect("none is missed")
        {
            return peer;
        }
    }
}

async fn dropped(feed: &mut EventStream<PeerEvent>) -> Peer {
    loop {
        let event = timeout(LONG, feed.recv()).await.expect("in time");
        if let PeerEvent::Dropped { peer, .. } =
            event.expect("the feed is open").expect("none is missed")
        {
            return peer;
        }
    }
}

async fn told(feed: &mut EventStream<ConnectionEvent>) -> ConnectionEvent {
    let event = timeout(LONG, feed.recv()).await.expect("in time");
    event.expect("the feed is open").expect("none is missed")
}

/// Connects two servers over a new stream; returns the results of both sides.
async fn call(from: &Server, to: &Server) -> (Result<Peer, DialError>, Result<Peer, SetupError>) {
    let (near, far) = duplex(64 << 10);
    let remote = *to.enode().public_key();
    tokio::join!(from.dial_over(near, &remote), to.accept_over(far))
}

/// Starts a server that the test calls from any address.
async fn called<L>(builder: ServerBuilder, listener: L) -> Server
where
    L: Listener<Addr = SocketAddr, Io = tokio::io::DuplexStream>,
{
    let builder = builder.protocol(idle("test")).listener(listener);
    builder.start().await.expect("starts")
}
