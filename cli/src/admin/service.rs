//! The node's side.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use peermux::Server;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::socket::{Socket, SocketFile};
use super::{Answer, Request};

/// How many connections are served at once.
const CLIENTS: usize = 16;

/// The longest request, in bytes.
const LONGEST: usize = 4096;

/// How long a connection may be without a whole request.
const IDLE: Duration = Duration::from_secs(60);

/// How long a request may take, and then how long its answer may take to be read.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long nobody is accepted after that failed, for want of file descriptors most likely.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves a node's admin socket until it is dropped; then the socket is gone.
#[derive(Debug)]
pub(crate) struct Service {
    _file: SocketFile,
    _open: DropGuard,
}

impl Service {
    /// Starts to serve. Who asks the node to stop cancels `stop`.
    pub(crate) fn start(socket: Socket, server: Server, stop: CancellationToken) -> Self {
        let closed = CancellationToken::new();
        let Socket { listener, file } = socket;
        let context = Context {
            server,
            stop,
            closed: closed.clone(),
        };
        let token = closed.clone();
        tokio::spawn(async move {
            token.run_until_cancelled(accept(listener, context)).await;
        });
        Self {
            _file: file,
            _open: closed.drop_guard(),
        }
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Context {
    server: Server,
    stop: CancellationToken,
    /// The end of the service.
    closed: CancellationToken,
}

async fn accept(listener: UnixListener, context: Context) {
    let slots = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "admin connection not accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            refuse(&stream);
            continue;
        };
        let context = context.clone();
        tokio::spawn(async move {
            let closed = context.closed.clone();
            let ended = closed.run_until_cancelled(attend(stream, context)).await;
            if let Some(Err(error)) = ended {
                tracing::debug!(%error, "admin connection closed");
            }
            drop(slot);
        });
    }
}

/// Turns a connection away. It has not taken anything yet, so a line fits in; if it does not, the
/// end says enough.
fn refuse(stream: &UnixStream) {
    let refusal = Answer::<()>::Error(format!("{CLIENTS} connections are served already"));
    if let Ok(line) = line(&refusal) {
        let _ = stream.try_write(&line);
    }
}

/// Serves one connection.
async fn attend(stream: UnixStream, context: Context) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(LONGEST));
    loop {
        let text = match timeout(IDLE, lines.next()).await? {
            None => return Ok(()),
            Some(Ok(text)) => text,
            Some(Err(LinesCodecError::Io(error))) => return Err(error),
            Some(Err(error)) => return send(&mut writer, &refusal(&error)).await,
        };
        let stops = match serde_json::from_str(&text) {
            Ok(request) => answer(request, &context.server, &mut writer).await?,
            Err(error) => {
                send(&mut writer, &refusal(&format!("not a request: {error}"))).await?;
                false
            }
        };
        if stops {
            context.stop.cancel();
            // Whoever asked learns from the connection's end that the node has ended.
            return std::future::pending().await;
        }
    }
}

/// Does what was asked for and says so, and returns whether that is the node's end.
async fn answer(request: Request, server: &Server, to: &mut OwnedWriteHalf) -> io::Result<bool> {
    match request {
        Request::Peers => send(to, &Answer::Ok(server.peers_info())).await?,
        Request::NodeInfo => send(to, &Answer::Ok(server.node_info())).await?,
        Request::Stop => {
            send(to, &Answer::Ok(())).await?;
            return Ok(true);
        }
        change => {
            let made = timeout(DEADLINE, make(change, server)).await;
            let made = made.unwrap_or_else(|_| Err(format!("not done within {DEADLINE:?}")));
            let answer = match made {
                Ok(()) => Answer::Ok(()),
                Err(error) => Answer::Error(error),
            };
            send(to, &answer).await?;
        }
    }
    Ok(false)
}

/// Changes something of the node.
async fn make(change: Request, server: &Server) -> Result<(), String> {
    match change {
        Request::Add { enode } => {
            let added = server.add_static(enode).await;
            added.map_err(|error| error.to_string())
        }
        Request::Remove { node } => match server.remove_static(&node.0).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{} is no static node", node.0)),
            Err(error) => Err(error.to_string()),
        },
        Request::Trust { node } => {
            server.trust(node.0);
            Ok(())
        }
        Request::Distrust { node } => {
            server.distrust(node.0);
            Ok(())
        }
        Request::Peers | Request::NodeInfo | Request::Stop => Ok(()),
    }
}

fn refusal(error: &impl ToString) -> Answer<()> {
    Answer::Error(error.to_string())
}

async fn send(to: &mut OwnedWriteHalf, answer: &impl Serialize) -> io::Result<()> {
    timeout(DEADLINE, to.write_all(&line(answer)?)).await?
}

fn line(answer: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    Ok(line)
}
