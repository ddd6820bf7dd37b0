//! The communication layer, over in-memory streams in virtual time.

mod basics;
mod demux;
mod net;
mod raw;
mod scenarios;
mod weaknesses;
mod x509;

use std::time::Duration;

use futures::StreamExt;
use peermux::comm::{AckPolicy, Comm, Envelope, ReceivedMessage, Subscription, SubscriptionConfig};
use tokio::time::timeout;

use net::{Net, Node, key};

/// Nothing that is waited for here takes so long, in virtual time.
const SOON: Duration = Duration::from_secs(30);

fn text(content: &str) -> Envelope {
    Envelope::new(1, content.to_owned())
}

fn numbered(nonce: u64) -> Envelope {
    text("numbered").with_nonce(nonce)
}

fn policy(min: usize, millis: u64) -> AckPolicy {
    AckPolicy {
        min,
        deadline: Duration::from_millis(millis),
    }
}

fn everything(comm: &Comm) -> Subscription<ReceivedMessage> {
    let large = SubscriptionConfig::default().with_messages(100_000);
    comm.accept_with(large, |_| true)
}

async fn next(stream: &mut Subscription<ReceivedMessage>) -> ReceivedMessage {
    let received = timeout(SOON, stream.next()).await;
    received.expect("in time").expect("the stream goes on")
}

fn content(message: &ReceivedMessage) -> &str {
    std::str::from_utf8(&message.envelope().payload).unwrap()
}

/// Has a node acknowledge all that it receives.
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
