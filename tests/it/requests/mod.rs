//! Requests and responses over whole connections in virtual time.

mod answering;
mod any;
mod asking;
mod busy;
mod gone;
mod handshake;
mod inside;
mod mixed;
mod unasked;

use std::future::Future;
use std::time::Duration;

use peermux::requests::{RequestConn, Requests, RequestsBuilder};
use peermux::{NodeId, Peer, Protocol, ProtocolError, ProtocolLimits, SecretKey, Server, messages};
use tokio::io::duplex;

const SECOND: Duration = Duration::from_secs(1);

messages! {
    /// A key-value store.
    #[derive(Debug, Clone, PartialEq)]
    enum Kv, length = 8 {
        0x00 => Get { key: String } -> Value,
        0x01 => Value(Option<String>),
        0x02 => Put { key: String, value: String } -> Stored,
        0x03 => Stored,
        0x04 => Status { genesis: u64 },
    }
}

fn get(key: &str) -> Get {
    Get { key: key.into() }
}

/// Returns a builder of [`Requests`] that answer each Get with its key.
fn echoes() -> RequestsBuilder<Kv> {
    Requests::builder()
        .answer(|_, get: Get| async move { Ok(Value(Some(get.key))) })
        .answer(|_, _: Put| async move { Ok(Stored) })
}

/// Returns a [`Requests`] that never answers.
fn silent() -> Requests<Kv> {
    let builder = Requests::builder();
    builder.answer(|_, _: Get| std::future::pending()).build()
}

fn kv(requests: &Requests<Kv>) -> Protocol {
    requests.protocol(Protocol::typed("kv", 1))
}

/// A message that is neither a request nor a response.
const STATUS: Kv = Kv::Status { genesis: 1 };

/// Defines a protocol whose function gets its channel at once.
fn with_limits<Fut>(
    requests: &Requests<Kv>,
    limits: ProtocolLimits,
    run: impl Fn(Peer, RequestConn<Kv>) -> Fut + Send + Sync + 'static,
) -> Protocol
where
    Fut: Future<Output = Result<(), ProtocolError>> + Send + 'static,
{
    let definition = Protocol::typed("kv", 1).limits(limits);
    requests.protocol_with(definition, move |peer, before| run(peer, before.ready()))
}

async fn server(protocol: Protocol) -> Server {
    let key = SecretKey::random(&mut rand::rng());
    let builder = Server::builder(key).protocol(protocol);
    builder.start().await.expect("starts")
}

/// Connects `ours` to `theirs`; returns each side's handle of the other.
async fn join(ours: &Server, theirs: &Server) -> (Peer, Peer) {
    let (near, far) = duplex(64 << 10);
    let key = *theirs.enode().public_key();
    let (dialled, accepted) = tokio::join!(ours.dial_over(near, &key), theirs.accept_over(far));
    (dialled.expect("dials"), accepted.expect("accepts"))
}

/// Waits until `count` requests to the peer are open.
async fn until_open(requests: &Requests<Kv>, id: &NodeId, count: usize) {
    while requests.stats(id).is_none_or(|stats| stats.open < count) {
        tokio::task::yield_now().await;
    }
}

/// Two connected nodes.
struct Pair {
    ours: Server,
    theirs: Server,
    peer: Peer,
    id: NodeId,
}

impl Pair {
    async fn of(ours: &Requests<Kv>, theirs: &Requests<Kv>) -> Self {
        Self::of_protocols(kv(ours), kv(theirs)).await
    }

    async fn of_protocols(ours: Protocol, theirs: Protocol) -> Self {
        let (ours, theirs) = (server(ours).await, server(theirs).await);
        let (peer, _) = join(&ours, &theirs).await;
        let id = theirs.id();
        Self {
            ours,
            theirs,
            peer,
            id,
        }
    }

    fn id(&self) -> &NodeId {
        &self.id
    }
}
