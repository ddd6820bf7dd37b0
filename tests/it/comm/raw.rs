//! A client that builds its own messages.

use peermux::comm::IdentityProvider;
use peermux::rlp::RlpStream;
use peermux::{Bytes, Direction, Message, NodeId, Peer, Protocol, ProtocolConn, ProtocolError};
use tokio::sync::{oneshot, watch};

use super::*;

/// A proof of identity that a test may change before it is sent. The struct also says what to send
/// after the proof.
pub(super) struct Proof {
    pub(super) code: u64,
    pub(super) id: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) delay: Duration,
    /// A message to send instead of the proof.
    pub(super) instead: Option<Message>,
    /// Whether to send messages of 1 MiB after the proof until sending fails.
    pub(super) flood: bool,
    /// Whether to send a malformed message after the first one.
    pub(super) garbage: bool,
    binding: [u8; 32],
    statement: Vec<u8>,
    identity: Secp256k1Identity,
}

impl Proof {
    /// Claims another connection in a signed proof.
    pub(super) fn rebind(&mut self, binding: [u8; 32]) {
        let end = self.statement.len() - 64;
        self.statement[end - 32..end].copy_from_slice(&binding);
        self.binding = binding;
        self.signature = self.identity.sign(&self.statement).unwrap().to_vec();
    }
}

pub(super) struct Client {
    pub(super) node: NodeId,
    pub(super) identity: Secp256k1Identity,
    /// The first message of the other side.
    pub(super) heard: watch::Receiver<Option<Bytes>>,
    /// How many messages were sent before sending failed.
    pub(super) sent: oneshot::Receiver<usize>,
}

/// Starts a client that sends a changed proof, then one message.
pub(super) fn client(net: &Net, change: fn(&mut Proof)) -> Client {
    let (node_key, identity) = (key(), Secp256k1Identity::new(key()));
    let node = node_key.public_key().node_id();
    let (hear, heard) = watch::channel(None);
    let (tell, sent) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let provider = identity.clone();
    let protocol = Protocol::builder("comm", 1, 4).run(move |peer, mut conn| {
        let (identity, hear) = (provider.clone(), hear.clone());
        let tell = tell.lock().unwrap().take();
        async move {
            assert_eq!(peer.direction(), Direction::Outbound);
            let mut proof = prove(
                &identity,
                node,
                peer.id(),
                peer.channel_binding().as_bytes(),
            );
            change(&mut proof);
            tokio::time::sleep(proof.delay).await;
            let first = proof.instead.take().unwrap_or_else(|| encode(&proof));
            conn.send(&first).await?;
            let theirs = conn.recv().await?;
            hear.send_replace(theirs.map(|message| message.into_inner().payload));
            conn.send(&data(10)).await?;
            if proof.garbage {
                conn.send(&Message::new(1, vec![0xc1, 0x01])).await?;
            }
            let mut sent = 0;
            while proof.flood && conn.send_and_flush(&data(1 << 20)).await.is_ok() {
                sent += 1;
            }
            if let Some(tell) = tell {
                let _ = tell.send(sent);
            }
            peer.ending().await;
            Ok(())
        }
    });
    net.join(node_key, vec![protocol]);
    Client {
        node,
        identity,
        heard,
        sent,
    }
}

fn prove(
    identity: &Secp256k1Identity,
    dialler: NodeId,
    listener: NodeId,
    binding: &[u8; 32],
) -> Proof {
    let own = identity.identity();
    let statement = [
        b"peermux/comm/1/establish".as_slice(),
        &[0, 0],
        dialler.as_bytes(),
        listener.as_bytes(),
        binding,
        &own,
    ]
    .concat();
    Proof {
        code: 0,
        id: identity.id_of(&own).unwrap().as_bytes().to_vec(),
        signature: identity.sign(&statement).unwrap().to_vec(),
        delay: Duration::ZERO,
        instead: None,
        flood: false,
        garbage: false,
        binding: *binding,
        statement,
        identity: identity.clone(),
    }
}

fn encode(proof: &Proof) -> Message {
    let mut out = RlpStream::new_list(5);
    out.append(&proof.id).append(&proof.identity.identity());
    out.append(&proof.binding.as_slice()).append(&0u8);
    out.append(&proof.signature);
    Message::new(proof.code, out.out().freeze())
}

/// Returns a Data message that requests no Ack.
pub(super) fn data(size: usize) -> Message {
    let mut out = RlpStream::new_list(5);
    out.append(&0u8).append(&0u8).append(&1u8);
    out.append(&vec![1u8; size]).append_empty_data();
    Message::new(1, out.out().freeze())
}

/// Starts a node that speaks `comm/1` with `run` instead of the real handler.
pub(super) fn impostor<F, Fut>(net: &Net, run: F) -> RemotePeer
where
    F: Fn(Peer, ProtocolConn) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), ProtocolError>> + Send + 'static,
{
    let protocol = Protocol::builder("comm", 1, 4).run(run);
    net.join(key(), vec![protocol])
}

/// Starts a node that speaks `comm/1` and sends nothing.
pub(super) fn mute(net: &Net) -> RemotePeer {
    impostor(net, |peer, conn| async move {
        peer.ending().await;
        drop(conn);
        Ok(())
    })
}
