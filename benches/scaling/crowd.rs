//! The role of a node's many peers.
//!
//! The peers are bare connections that return messages and answer Pings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use peermux::p2p::{RawMessage, RlpxCodec};
use peermux::rlpx::MAX_PAYLOAD;
use peermux::setup::{Established, Joined};
use peermux::{Capability, Enode, SecretKey};
use rand::Rng;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::codec::{Encoder, Framed};

use crate::greet::{Problem, address_of, greet};
use crate::load::{LOAD, RETURNED};
use crate::worker::{commands, tell};

/// The number of connects that are made concurrently.
const CONNECTING: usize = 16;

const PING: u64 = 2;
const PONG: u64 = 3;
/// The first message code of the only shared protocol.
const OFFSET: u64 = 16;

/// Length of a frame's header with its MAC in bytes.
const HEADER: usize = 32;

type Link = Framed<Joined<TcpStream>, RlpxCodec>;

#[tokio::main]
pub(crate) async fn run(enode: &str) {
    let enode: Enode = enode.parse().expect("an enode URL");
    tell("ready");
    let (announce, announced) = watch::channel(None);
    let done = Arc::new(AtomicU64::new(0));
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["connect", peers] => {
                let peers: usize = peers.parse().expect("a number");
                let links = stream::iter(0..peers).map(|_| connect(&enode));
                let links = links.buffer_unordered(CONNECTING).try_collect::<Vec<_>>();
                for link in links
                    .await
                    .unwrap_or_else(|error| panic!("connecting: {error}"))
                {
                    tokio::spawn(serve(link, announced.clone(), Arc::clone(&done)));
                }
            }
            ["announce", peers] => {
                let peers: u64 = peers.parse().expect("a number");
                let mut noise = vec![0; MAX_PAYLOAD];
                rand::rng().fill_bytes(&mut noise);
                announce.send_replace(Some(Bytes::from(noise)));
                while done.load(Ordering::Acquire) < peers {
                    tokio::task::yield_now().await;
                }
            }
            other => panic!("not a command of a crowd: {other:?}"),
        }
        tell("0");
    }
}

async fn connect(node: &Enode) -> Result<Link, Problem> {
    let met = meet(node, &SecretKey::generate(), Capability::new(LOAD, 1)).await?;
    Ok(met.into_framed())
}

/// Connects to a node and sends a Hello.
pub(crate) async fn meet(
    node: &Enode,
    key: &SecretKey,
    capability: Capability,
) -> Result<Established<TcpStream>, Problem> {
    let stream = TcpStream::connect(address_of(node)).await?;
    stream.set_nodelay(true)?;
    greet(stream, node, key, vec![capability]).await
}

/// Serves a node until a command says to announce a message. Then it sends only the header of the
/// message.
async fn serve(
    mut link: Link,
    mut announced: watch::Receiver<Option<Bytes>>,
    done: Arc<AtomicU64>,
) {
    loop {
        let message = tokio::select! {
            message = link.next() => message,
            _ = announced.changed() => break,
        };
        let Some(Ok(message)) = message else {
            return;
        };
        let id = match message.id {
            PING => PONG,
            id if id == OFFSET + RETURNED => id,
            _ => continue,
        };
        let payload = message.payload;
        if link.send(RawMessage { id, payload }).await.is_err() {
            return;
        }
    }
    let payload = announced.borrow().clone().unwrap_or_default();
    let mut frame = BytesMut::new();
    let sealed = link.codec_mut().encode(
        RawMessage {
            id: OFFSET,
            payload,
        },
        &mut frame,
    );
    sealed.expect("the largest message");
    let sent = link.get_mut().write_all(&frame[..HEADER]).await;
    drop(frame);
    if let Err(error) = sent {
        eprintln!("announcing: {error}");
        std::process::exit(1);
    }
    done.fetch_add(1, Ordering::Release);
    // Keep the connection open.
    std::future::pending::<()>().await;
}
