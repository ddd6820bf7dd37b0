//! The protocols of the demo: one in two versions, and one that does not read.

use peermux::{Direction, Peer, Protocol, ProtocolLimits, ProtocolSender, messages};
use tokio::sync::mpsc;

use super::nodes::SLOW_QUEUE;
use super::report::MessageReport;

messages! {
    /// `greet/1`.
    pub(super) enum GreetV1, length = 2 {
        0x00 => Hello(String),
        0x01 => Answer(String),
    }
}

messages! {
    /// `greet/2`, in which greetings are numbered.
    pub(super) enum GreetV2, length = 3 {
        0x00 => Hello { number: u64, text: String },
        0x01 => Answer { number: u64, text: String },
    }
}

messages! {
    /// `slow/1`.
    pub(super) enum Slow, length = 1 {
        0x00 => Ignored,
    }
}

/// Reports the messages that the node `name` receives.
#[derive(Clone)]
pub(super) struct Teller {
    pub(super) name: &'static str,
    pub(super) to: mpsc::Sender<MessageReport>,
}

impl Teller {
    async fn tell(&self, protocol: &'static str, code: u64, text: &str) {
        let report = MessageReport {
            to: self.name,
            protocol,
            code,
            text: text.to_owned(),
        };
        // An error is ignored, because the receiver is gone at the end of the demo.
        let _ = self.to.send(report).await;
    }
}

/// Makes `greet/1`, which greets the peers that this node dialled, and answers greetings.
pub(super) fn greet_v1(teller: Teller) -> Protocol {
    Protocol::typed::<GreetV1>("greet", 1).run(move |peer, mut conn| {
        let teller = teller.clone();
        async move {
            if peer.direction() == Direction::Outbound {
                let text = format!("hello from {}", teller.name);
                conn.send(&GreetV1::Hello(text)).await?;
            }
            while let Some(message) = conn.recv().await? {
                match &*message {
                    GreetV1::Hello(text) => {
                        teller.tell("greet/1", 0, text).await;
                        let text = format!("{} greets back", teller.name);
                        conn.send(&GreetV1::Answer(text)).await?;
                    }
                    GreetV1::Answer(text) => teller.tell("greet/1", 1, text).await,
                }
            }
            Ok(())
        }
    })
}

/// Makes `greet/2`, which is like [`greet_v1`] with numbered greetings.
pub(super) fn greet_v2(teller: Teller) -> Protocol {
    Protocol::typed::<GreetV2>("greet", 2).run(move |peer, mut conn| {
        let teller = teller.clone();
        async move {
            if peer.direction() == Direction::Outbound {
                let text = format!("hello from {}", teller.name);
                conn.send(&GreetV2::Hello { number: 1, text }).await?;
            }
            while let Some(message) = conn.recv().await? {
                match &*message {
                    GreetV2::Hello { number, text } => {
                        teller
                            .tell("greet/2", 0, &format!("#{number} {text}"))
                            .await;
                        let (number, text) = (*number, format!("{} greets back", teller.name));
                        conn.send(&GreetV2::Answer { number, text }).await?;
                    }
                    GreetV2::Answer { number, text } => {
                        teller
                            .tell("greet/2", 1, &format!("#{number} {text}"))
                            .await;
                    }
                }
            }
            Ok(())
        }
    })
}

/// Makes `slow/1`, whose handler reads nothing. If this node dialled the peer, the handler passes a
/// sender to `senders`.
pub(super) fn slow(senders: mpsc::Sender<ProtocolSender<Slow>>) -> Protocol {
    let limits = ProtocolLimits::default().with_queue_messages(SLOW_QUEUE);
    let builder = Protocol::typed::<Slow>("slow", 1).limits(limits);
    builder.run(move |peer: Peer, conn| {
        let senders = senders.clone();
        async move {
            if peer.direction() == Direction::Outbound {
                // An error is ignored, because the receiver is gone at the end of the demo.
                let _ = senders.send(conn.sender()).await;
            }
            peer.ending().await;
            Ok(())
        }
    })
}
