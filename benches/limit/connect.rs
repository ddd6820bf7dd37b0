//! Connects between bare sockets, with packets of the same lengths as in a handshake.
//!
//! There are no frames and no peers. With the public-key operations, these connects are a lower
//! bound for the cost of a connect. Without them, they show the cost of sockets alone.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::handshake::{Ack, Auth, Ends};

const CONNECTS: usize = 3000;
const AT_ONCE: usize = 8;

/// Lengths in bytes: auth, ack with the listener's Hello, the dialler's Hello, Disconnect.
const AUTH: usize = 484;
const ANSWER: usize = 420 + 176;
const HELLO: usize = 176;
const DISCONNECT: usize = 64;

/// The computations of both ends during a connect, if any. Each end computes with inputs that were
/// prepared at the start. Of the data from the other end, only the length matters.
struct Work {
    ends: Ends,
    auth: Auth,
    ack: Ack,
}

impl Work {
    fn new() -> Self {
        let ends = Ends::new();
        let auth = ends.auth();
        let ack = ends.answer(&auth);
        Self { ends, auth, ack }
    }
}

/// Returns connects per second, with both ends in one process on all its processors.
pub(crate) fn rate(computing: bool) -> f64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let work = Arc::new(computing.then(Work::new));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepting = tokio::spawn(accept_all(listener, Arc::clone(&work)));
        let (begun, started) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let mut diallers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (work, begun) = (Arc::clone(&work), Arc::clone(&begun));
            diallers.spawn(async move {
                while begun.fetch_add(1, Ordering::Relaxed) < CONNECTS {
                    dial(addr, &work).await.unwrap();
                }
            });
        }
        diallers.join_all().await;
        let elapsed = started.elapsed();
        accepting.abort();
        CONNECTS as f64 / elapsed.as_secs_f64()
    })
}

async fn dial(addr: SocketAddr, work: &Option<Work>) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    if let Some(work) = work {
        work.ends.auth();
    }
    stream.write_all(&[1; AUTH]).await?;
    stream.read_exact(&mut [0; ANSWER]).await?;
    if let Some(work) = work {
        work.ends.finish(&work.auth, &work.ack);
    }
    stream.write_all(&[1; HELLO]).await?;
    stream.write_all(&[1; DISCONNECT]).await?;
    stream.shutdown().await?;
    stream.read(&mut [0; 64]).await.map(drop)
}

async fn accept_all(listener: TcpListener, work: Arc<Option<Work>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let work = Arc::clone(&work);
        tokio::spawn(async move { accept(stream, &work).await.unwrap() });
    }
}

async fn accept(mut stream: TcpStream, work: &Option<Work>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; AUTH]).await?;
    if let Some(work) = work {
        work.ends.answer(&work.auth);
    }
    stream.write_all(&[1; ANSWER]).await?;
    stream.read_exact(&mut [0; HELLO + DISCONNECT]).await?;
    stream.shutdown().await?;
    stream.read(&mut [0; 64]).await.map(drop)
}
