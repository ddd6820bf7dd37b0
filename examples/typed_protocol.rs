//! A subprotocol of typed messages: an enum maps codes to RLP types.
//!
//! A message that does not decode, because of an unknown code, bad RLP or too many bytes, ends the
//! connection as a breach of protocol. The error describes the fault.
//!
//! `cargo run --example typed_protocol`

use std::error::Error;
use std::time::Duration;

use peermux::{
    Peer, Protocol, ProtocolConn, ProtocolError, SecretKey, Server, ServerBuilder, messages,
};

messages! {
    /// `height/1` exchanges the heights of peers.
    pub enum Height, length = 2 {
        /// The sender's height and the hash of its newest block.
        0x00 => Status { height: u64, head: Vec<u8> },
        /// No more messages will follow.
        0x01 => Goodbye,
    }
}

/// Sends this side's height and reads the peer's; the lower side says goodbye.
async fn compare(
    height: u64,
    peer: Peer,
    mut conn: ProtocolConn<Height>,
) -> Result<(), ProtocolError> {
    let head = vec![height as u8; 32];
    conn.send(&Height::Status { height, head }).await?;
    while let Some(message) = conn.recv().await? {
        match message.into_inner() {
            Height::Status { height: theirs, .. } => {
                println!("{height}: {} is at {theirs}", peer.name());
                if height < theirs {
                    conn.send_and_flush(&Height::Goodbye).await?;
                    return Ok(());
                }
            }
            Height::Goodbye => return Ok(()),
        }
    }
    Ok(())
}

fn node(name: &str, height: u64) -> ServerBuilder {
    let protocol =
        Protocol::typed::<Height>("height", 1).run(move |peer, conn| compare(height, peer, conn));
    Server::builder(SecretKey::generate())
        .configure(|config| config.with_name(name))
        .protocol(protocol)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let high = node("high", 70).listen("127.0.0.1:0".parse()?);
    let high = high.start().await?;
    for (name, height) in [("low", 7), ("lower", 5)] {
        let low = node(name, height).start().await?;
        let peer = low.dial(&high.enode()).await?;
        if let Some(outcome) = peer.ended().await {
            println!("ended: {outcome}");
        }
        low.shutdown(Duration::from_secs(5)).await?;
    }
    high.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
