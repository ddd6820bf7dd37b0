//! Requests that wait for their answers, several at a time, over a typed subprotocol.
//!
//! `cargo run --example request_response`

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use peermux::{
    DisconnectReason, Protocol, ProtocolConn, ProtocolError, Received, SecretKey, Server,
    ServerBuilder,
};
use tokio::sync::{Mutex, mpsc, oneshot};

peermux::messages! {
    /// `square/1`: a response carries its request's id.
    pub enum Square, length = 2 {
        /// Asks for a number's square.
        0x00 => Request { id: u64, number: u64 },
        /// Answers the request with this id.
        0x01 => Response { id: u64, square: u64 },
    }
}

/// A number, and where its square goes.
type Question = (u64, oneshot::Sender<u64>);

/// Answers requests; sends the questions that come in, 16 at a time, and hands out their answers.
async fn square(
    questions: Arc<Mutex<mpsc::Receiver<Question>>>,
    mut conn: ProtocolConn<Square>,
) -> Result<(), ProtocolError> {
    let mut questions = questions.lock().await;
    let mut open: HashMap<u64, oneshot::Sender<u64>> = HashMap::new();
    let mut ids = 0..;
    loop {
        tokio::select! {
            message = conn.recv() => match message?.map(Received::into_inner) {
                None => return Ok(()),
                Some(Square::Request { id, number }) => {
                    let square = number.saturating_mul(number);
                    conn.send(&Square::Response { id, square }).await?;
                }
                Some(Square::Response { id, square }) => {
                    let asker = open.remove(&id).ok_or(DisconnectReason::BREACH_OF_PROTOCOL)?;
                    let _ = asker.send(square);
                }
            },
            Some((number, asker)) = questions.recv(), if open.len() < 16 => {
                let id = ids.next().ok_or(DisconnectReason::REQUESTED)?;
                open.insert(id, asker);
                conn.send(&Square::Request { id, number }).await?;
            }
        }
    }
}

/// A node, and where to put questions to its peer.
fn node() -> (ServerBuilder, mpsc::Sender<Question>) {
    let (ask, asked) = mpsc::channel(16);
    let asked = Arc::new(Mutex::new(asked));
    let protocol = Protocol::typed("square", 1).run(move |_, conn| square(asked.clone(), conn));
    let node = Server::builder(SecretKey::generate()).protocol(protocol);
    (node, ask)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let ((answering, _), (asking, questions)) = (node(), node());
    let answering = answering.listen("127.0.0.1:0".parse()?).start().await?;
    let asking = asking.start().await?;
    asking.dial(&answering.enode()).await?;
    for number in 1..=5 {
        let (asker, answer) = oneshot::channel();
        questions.send((number, asker)).await?;
        let square = tokio::time::timeout(Duration::from_secs(5), answer).await??;
        println!("{number} squared is {square}");
    }
    asking.shutdown(Duration::from_secs(5)).await?;
    Ok(answering.shutdown(Duration::from_secs(5)).await?)
}
