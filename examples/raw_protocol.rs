//! A subprotocol of raw messages: codes and bytes, without a schema.
//!
//! `cargo run --example raw_protocol`

use std::error::Error;
use std::time::Duration;

use peermux::{Message, Peer, Protocol, ProtocolConn, ProtocolError, SecretKey, Server};
use tokio::sync::mpsc;

/// The two codes of `upper/1`, relative to the negotiated range.
const QUESTION: u64 = 0;
const ANSWER: u64 = 1;

/// Answers each question with its bytes in upper case, and forwards received answers.
async fn upper(mut conn: ProtocolConn, heard: mpsc::Sender<String>) -> Result<(), ProtocolError> {
    while let Some(message) = conn.recv().await? {
        match message.code {
            QUESTION => {
                let answer = message.payload.to_ascii_uppercase();
                conn.send(&Message::new(ANSWER, answer)).await?;
            }
            _ => {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                heard.send(text).await.map_err(ProtocolError::other)?;
            }
        }
    }
    Ok(())
}

fn protocol(question: Option<&'static str>, heard: mpsc::Sender<String>) -> Protocol {
    Protocol::builder("upper", 1, 2).run(move |_peer: Peer, conn| {
        let heard = heard.clone();
        async move {
            if let Some(text) = question {
                conn.send(&Message::new(QUESTION, text)).await?;
            }
            upper(conn, heard).await
        }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (heard, mut answers) = mpsc::channel(1);
    let listener = Server::builder(SecretKey::generate())
        .listen("127.0.0.1:0".parse()?)
        .protocol(protocol(None, heard.clone()))
        .start()
        .await?;
    for question in ["hello over rlpx", "and once more"] {
        let dialler = Server::builder(SecretKey::generate())
            .protocol(protocol(Some(question), heard.clone()))
            .start()
            .await?;
        let peer = dialler.dial(&listener.enode()).await?;
        println!("connected to {}", peer.full_name());
        let answer = answers.recv().await.ok_or("no answer")?;
        println!("answer: {answer}");
        dialler.shutdown(Duration::from_secs(5)).await?;
    }
    listener.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
