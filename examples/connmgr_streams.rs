//! The connection manager over custom streams, without RLPx.
//!
//! The manager dials, accepts and dials again. The protocol is one line of text.
//!
//! `cargo run --example connmgr_streams`

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use peermux::connmgr::{
    Backoff, ConnConfig, ConnEvent, ConnManager, ConnManagerBuilder, ConnectError, Dialer,
    Listener, RetryPolicy,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LinesCodec};

/// The connection type. The manager returns such connections, but does not read or write them.
type Lines = Framed<TcpStream, LinesCodec>;

fn lines(stream: TcpStream) -> Lines {
    Framed::new(stream, LinesCodec::new_with_max_length(1024))
}

struct LinesDialer;

impl Dialer for LinesDialer {
    type Addr = SocketAddr;
    type Io = Lines;

    async fn dial(&self, addr: &SocketAddr) -> Result<Lines, ConnectError> {
        Ok(lines(TcpStream::connect(addr).await?))
    }
}

struct LinesListener(TcpListener);

impl Listener for LinesListener {
    type Addr = SocketAddr;
    type Io = Lines;

    async fn accept(&mut self) -> io::Result<(Lines, SocketAddr)> {
        let (stream, addr) = self.0.accept().await?;
        Ok((lines(stream), addr))
    }
}

/// A manager without automatic connections, and without an interval between dials of one address.
fn builder() -> ConnManagerBuilder<LinesDialer> {
    let config = ConnConfig::default().with_target(0);
    ConnManager::builder(LinesDialer).config(config.with_redial_gap(Duration::ZERO))
}

/// Greets each client and closes the connection, so the client must connect again.
async fn greeter(name: &'static str) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let (manager, handle, mut events) = builder().listener(LinesListener(listener)).build()?;
    tokio::spawn(manager.run());
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let ConnEvent::Opened { mut io, lease } = event {
                // The lease is dropped afterwards, which reports the end of the connection.
                lease.mark_ready();
                io.send(format!("hello from {name}")).await.ok();
            }
        }
        drop(handle);
    });
    Ok(addr)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
    let retry = RetryPolicy::default().with_backoff(backoff);
    let (manager, handle, mut events) = builder().build()?;
    let running = tokio::spawn(manager.run());
    for name in ["Ann", "Ben", "Carol"] {
        let addr = greeter(name).await?;
        handle.connect_permanent(addr, retry).await?;
    }
    let mut greetings = 0;
    while greetings < 9 {
        let event = events.recv().await.ok_or("the manager has stopped")?;
        if let ConnEvent::Opened { mut io, lease } = event {
            lease.mark_ready();
            if let Some(line) = io.next().await {
                println!("request {}: {}", lease.id(), line?);
                greetings += 1;
            }
        }
    }
    handle.stop().await;
    Ok(running.await?)
}
