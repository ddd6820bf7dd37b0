//! The communication layer, over in-memory streams in virtual time.

mod acks;
mod basics;
mod connections;
mod counting;
mod demux;
mod messages;
mod net;
mod proofs;
mod raw;
mod reaching;
mod revocation;
mod settings;
mod sockets;
mod storms;
mod streams;
mod x509;

use std::time::Duration;

use futures::StreamExt;
use peermux::EventStream;
use peermux::comm::{
    AckPolicy, Comm, CommError, CommEvent, Config, ConnectionEnd, Delivery, Envelope,
    EstablishError, Overflow, ReceivedMessage, RemotePeer, Secp256k1Identity, Subscription,
    SubscriptionConfig,
};
use tokio::time::{Instant, timeout};

use net::{Net, Node, key};

/// A virtual time longer than anything that these tests wait for.
const SOON: Duration = Duration::from_secs(30);

fn text(content: &str) -> Envelope {
    Envelope::new(1, content.to_owned())
}

fn numbered(nonce: u64) -> Envelope {
    text("numbered").with_nonce(nonce)
}

fn policy(min: usize, millis: u64) -> AckPolicy {
    AckPolicy::new(min, Duration::from_millis(millis))
}

fn everything(comm: &Comm) -> Subscription<ReceivedMessage> {
    let large = SubscriptionConfig::default().with_messages(100_000);
    comm.accept_with(large, |_| true)
}

async fn next(stream: &mut Subscription<ReceivedMessage>) -> ReceivedMessage {
    let received = timeout(SOON, stream.next()).await;
    received.expect("in time").expect("the stream is open")
}

fn content(message: &ReceivedMessage) -> &str {
    std::str::from_utf8(&message.envelope().payload).unwrap()
}

/// Makes a node acknowledge everything that it receives.
fn acknowledge_all(node: &Node) {
    let mut inbox = everything(&node.comm);
    tokio::spawn(async move {
        while let Some(message) = inbox.next().await {
            if message.wants_ack() {
                message.ack(Ok(())).await.expect("acknowledged once");
            }
        }
    });
}

fn org(name: &'static str) -> Secp256k1Identity {
    Secp256k1Identity::in_organisation(key(), name.as_bytes())
}

/// Returns a subscription that loses no message. When it is full, it stalls the connection.
fn patient(comm: &Comm) -> Subscription<ReceivedMessage> {
    let config = SubscriptionConfig::default().with_overflow(Overflow::Wait(SOON));
    comm.accept_with(config, |_| true)
}

async fn event(events: &mut EventStream<CommEvent>) -> CommEvent {
    let event = timeout(SOON, events.recv()).await.expect("in time");
    event.expect("the feed is open").expect("none was lost")
}

/// Returns the events that are already queued.
fn told(events: &mut EventStream<CommEvent>) -> impl Iterator<Item = CommEvent> {
    std::iter::from_fn(|| events.try_recv()).map(|event| event.expect("none was lost"))
}

async fn refusal(events: &mut EventStream<CommEvent>) -> EstablishError {
    loop {
        if let CommEvent::Refused { error, .. } = event(events).await {
            return error;
        }
    }
}
