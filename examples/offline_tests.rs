//! Tests a protocol without a network and without waiting.
//!
//! The tests use the handler alone, two peers in memory, and a remote that breaks the rules.
//!
//! `cargo test --example offline_tests --features test-util`

use std::error::Error;
use std::time::Duration;

use peermux::channel::MessageChannel;
use peermux::{DisconnectReason, ProtocolConn, ProtocolError, messages};
use tokio::time::timeout;

messages! {
    /// `bids/1` is an auction.
    #[derive(Debug, Clone, PartialEq)]
    enum Bids, length = 2 {
        0x00 => Bid { amount: u64 },
        0x01 => Sold { amount: u64 },
    }
}

/// Sells to the highest bid when no bid has arrived for a minute. The function works both on a
/// connection and on test channels.
async fn auction(conn: &mut impl MessageChannel<Message = Bids>) -> Result<u64, ProtocolError> {
    let mut highest = 0;
    while let Ok(bid) = timeout(Duration::from_secs(60), conn.recv()).await {
        match bid?.map(peermux::Received::into_inner) {
            Some(Bids::Bid { amount }) if amount > highest => highest = amount,
            Some(_) => return Err(DisconnectReason::BREACH_OF_PROTOCOL.into()),
            None => return Ok(highest),
        }
    }
    conn.send(&Bids::Sold { amount: highest }).await?;
    Ok(highest)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut near, far) = ProtocolConn::pair();
    for amount in [3, 5, 8] {
        far.send(&Bids::Bid { amount }).await?;
    }
    drop(far);
    println!("sold for {}", auction(&mut near).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermux::testing::{Scripted, connect};
    use peermux::{Capability, Protocol, WireMessage};
    use tokio::{sync::mpsc, time::Instant};

    fn auctioneer() -> Protocol {
        Protocol::typed("bids", 1)
            .run(|_peer, mut conn| async move { auction(&mut conn).await.map(drop) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_of_silence_ends_the_auction() {
        let (mut near, mut far) = ProtocolConn::pair();
        let started = Instant::now();
        far.send(&Bids::Bid { amount: 5 }).await.unwrap();
        assert_eq!(auction(&mut near).await.unwrap(), 5);
        // The clock is paused: when all tasks wait, it jumps ahead to the next deadline.
        assert_eq!(started.elapsed(), Duration::from_secs(60));
        let sold = far.recv().await.unwrap().unwrap().into_inner();
        assert_eq!(sold, Bids::Sold { amount: 5 });
    }

    #[tokio::test(start_paused = true)]
    async fn two_peers_agree_on_the_price() {
        let (sold, mut prices) = mpsc::channel(1);
        let bidder = Protocol::typed::<Bids>("bids", 1).run(move |_peer, mut conn| {
            let sold = sold.clone();
            async move {
                conn.send(&Bids::Bid { amount: 8 }).await?;
                let price = conn.recv().await?.map(peermux::Received::into_inner);
                sold.send(price).await.map_err(ProtocolError::other)
            }
        });
        let _connected = connect(auctioneer(), bidder).await.unwrap();
        assert_eq!(prices.recv().await, Some(Some(Bids::Sold { amount: 8 })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lower_bid_is_a_breach() {
        let bids = [Capability::new("bids", 1)];
        let (_peer, mut remote) = Scripted::remote_of(auctioneer(), &bids).await.unwrap();
        for amount in [5, 4] {
            // The codes of the only protocol begin at 16.
            remote.send(16, &Bids::Bid { amount }.encode()).await;
        }
        let reason = remote.disconnected().await;
        assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
    }
}
