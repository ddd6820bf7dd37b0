//! Bounds on what peers make a server hold.

use bytes::Bytes;
use peermux::{MemoryLimits, Message, PeerConfig, PeerError, ProtocolLimits};

use super::*;

const MIB: usize = 1 << 20;

/// Returns a protocol that sends 1 MiB repeatedly to each peer that asks.
fn generous() -> Protocol {
    Protocol::builder("bulk", 1, 1).run(|_, mut conn| async move {
        conn.recv().await?;
        let payload = Bytes::from(vec![7; MIB]);
        loop {
            let message = Message {
                code: 0,
                payload: payload.clone(),
            };
            conn.send(&message).await?;
        }
    })
}

/// Returns a protocol that echoes each message.
fn echo() -> Protocol {
    Protocol::builder("echo", 1, 1).run(|_, mut conn| async move {
        while let Some(message) = conn.recv().await? {
            conn.send(&message).await?;
        }
        Ok(())
    })
}

/// Returns a protocol that sends requests and never reads the answers.
fn greedy() -> Protocol {
    let narrow = ProtocolLimits::default().with_queue_messages(1);
    Protocol::builder("bulk", 1, 1)
        .limits(narrow)
        .run(|peer, conn| async move {
            conn.send(&Message::new(0, "please")).await?;
            peer.ending().await;
            drop(conn);
            Ok(())
        })
}

#[tokio::test(start_paused = true)]
async fn unsent_messages_are_bounded_in_total_and_the_largest_holder_ends_first() {
    let limits = MemoryLimits::default().with_per_node(MemoryLimits::MIN);
    let node = Server::builder(key()).protocol(generous()).protocol(echo());
    let node = node.configure(|config| config.with_memory(limits));
    let node = node.start().await.unwrap();
    let patient = PeerConfig::default()
        .with_stall_limit(LONG)
        .with_message_timeout(LONG);
    let mut greedy_ones = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..8 {
        let builder = Server::builder(key()).protocol(greedy());
        let builder = builder.configure(|config| config.with_peer(patient));
        let greedy = builder.start().await.unwrap();
        peers.push(call(&greedy, &node).await.1.expect("connects"));
        greedy_ones.push(greedy);
    }
    let (report, mut echoed) = tokio::sync::mpsc::channel(1);
    let asks = Protocol::builder("echo", 1, 1).run(move |_, mut conn| {
        let report = report.clone();
        async move {
            loop {
                conn.send(&Message::new(0, vec![1; MIB])).await?;
                conn.recv().await?;
                report.send(()).await.ok();
            }
        }
    });
    let honest = Server::builder(key()).protocol(asks).start().await.unwrap();
    let guest = call(&honest, &node).await.1.expect("connects");
    let budget = node.memory().clone();
    let mut most = 0;
    for _ in 0..60 {
        timeout(LONG, echoed.recv()).await.expect("is served");
        most = most.max(budget.used());
    }
    // Each peer may exceed the limit by the one message that it seals.
    assert!(most > 24 * MIB, "{most}");
    assert!(most < MemoryLimits::MIN + 9 * (MIB + MIB / 4), "{most}");
    assert!(!guest.is_ending());
    let ended = peers.iter().filter_map(Peer::outcome);
    let evicted = ended.filter(|outcome| matches!(outcome.error, PeerError::Evicted));
    assert!(evicted.count() >= 1);

    for server in greedy_ones {
        server.shutdown(LONG).await.unwrap();
    }
    for peer in peers {
        peer.ended().await;
    }
    guest.disconnect(peermux::DisconnectReason::REQUESTED);
    guest.ended().await;
    assert_eq!(budget.used(), 0);
}
