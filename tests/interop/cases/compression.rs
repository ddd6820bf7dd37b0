//! Snappy: compressible content takes few bytes on the wire, in both directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peermux::transport::{Generic, Transport};
use peermux::{Endpoint, Enode, Peer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::io::{InspectReader, InspectWriter};

use super::Case;
use crate::foreign::Foreign;
use crate::node::Node;

/// The size of a message's content. The content repeats every 251 bytes, so every Snappy encoder
/// shrinks it to about a twentieth.
const CONTENT: usize = 1 << 20;
const AT_MOST: usize = CONTENT / 10;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("we_dial::snappy", we_dial),
        Case::new("they_dial::snappy", they_dial),
    ]
}

/// Counters of the bytes on a stream.
#[derive(Default)]
struct Counted {
    read: AtomicUsize,
    written: AtomicUsize,
}

impl Counted {
    /// Puts the counters between a node and its socket.
    fn stream(self: &Arc<Self>, stream: TcpStream) -> impl Transport {
        let (reading, writing) = (Arc::clone(self), Arc::clone(self));
        let reader = InspectReader::new(stream, move |bytes| {
            reading.read.fetch_add(bytes.len(), Ordering::Relaxed);
        });
        Generic::new(InspectWriter::new(reader, move |bytes| {
            writing.written.fetch_add(bytes.len(), Ordering::Relaxed);
        }))
    }

    /// Sends messages that the remote returns. Checks that the messages are compressed in both
    /// directions.
    fn assert_compressed(&self, node: &Node, peer: &Peer) {
        assert_eq!(peer.hello().version, 5, "the first version with Snappy");
        node.round_trips(peer, &[CONTENT]);
        for count in [&self.read, &self.written] {
            let count = count.load(Ordering::Relaxed);
            assert!(count < AT_MOST, "{count} bytes on the wire");
        }
    }
}

fn we_dial(foreign: &Foreign) {
    let (_theirs, enode) = foreign.serve(&[]);
    let enode: Enode = enode.parse().expect("an enode URL");
    let (node, counted) = (Node::start(), Arc::new(Counted::default()));
    let peer = node.block_on(async {
        let addr = enode.endpoint().and_then(Endpoint::socket_addr);
        let stream = TcpStream::connect(addr.expect("an address"))
            .await
            .expect("connects");
        let dial = node
            .server
            .dial_over(counted.stream(stream), enode.public_key());
        dial.await.expect("a peer")
    });
    counted.assert_compressed(&node, &peer);
}

fn they_dial(foreign: &Foreign) {
    let (node, counted) = (Node::start(), Arc::new(Counted::default()));
    let listener = node
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let enode = Enode::new(*node.server.enode().public_key(), addr).to_string();
    let _theirs = foreign.drive(&enode, "hold", &[]);
    let peer = node.block_on(async {
        let (stream, _) = listener.accept().await.expect("a connection");
        let accept = node.server.accept_over(counted.stream(stream));
        accept.await.expect("a peer")
    });
    counted.assert_compressed(&node, &peer);
}
