//! The server of the admin socket.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use peermux::Server;
use peermux_cli::request::{Answer, LONGEST, Query, Request};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::node::Node;
use super::socket::{Socket, SocketFile};
use crate::failure::Failure;

/// The number of connections that are served at once.
const CLIENTS: usize = 16;

/// The minimum size of the pieces in which a long answer is written, in bytes.
const PIECE: usize = 64 << 10;

/// The time after which a connection without a whole request is closed.
const IDLE: Duration = Duration::from_secs(60);

/// The time limit for a request, and for the client to read its answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The pause after a failed accept. Such a failure is most likely a lack of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves a node's admin socket, and removes the socket when dropped.
#[derive(Debug)]
pub(crate) struct Service {
    _file: SocketFile,
    _open: DropGuard,
}

impl Service {
    /// Starts serving on its own thread.
    ///
    /// The node's own runtime would delay an answer on a busy node: the answer would wait for its turn
    /// among all peers, and wait again each time that the socket is full.
    pub(crate) fn start(socket: Socket, node: Node) -> Result<Self, Failure> {
        let closed = CancellationToken::new();
        let Socket { listener, file } = socket;
        let context = Context {
            node,
            closed: closed.clone(),
            runtime: Handle::current(),
        };
        let token = closed.clone();
        let started = Builder::new_current_thread().enable_all().build();
        let started = started.and_then(|runtime| {
            let listener = listener.into_std()?;
            let serve = async move {
                let listener = UnixListener::from_std(listener)?;
                accept(listener, context).await
            };
            let serve = move || {
                let served = runtime.block_on(token.run_until_cancelled(serve));
                if let Some(Err(error)) = served {
                    tracing::error!(%error, "the admin socket is no longer served");
                }
            };
            thread::Builder::new().name("admin".to_owned()).spawn(serve)
        });
        started.map_err(|error| Failure::because(format!("cannot serve admin socket: {error}")))?;
        Ok(Self {
            _file: file,
            _open: closed.drop_guard(),
        })
    }
}

/// The context of each connection.
#[derive(Clone)]
struct Context {
    node: Node,
    /// Cancelled when the service ends.
    closed: CancellationToken,
    /// The runtime of the node.
    runtime: Handle,
}

async fn accept(listener: UnixListener, context: Context) -> io::Result<Infallible> {
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
            let (reader, writer) = stream.into_split();
            let ended = closed
                .run_until_cancelled(attend(reader, writer, context))
                .await;
            if let Some(Err(error)) = ended {
                tracing::debug!(%error, "admin connection closed");
            }
            drop(slot);
        });
    }
}

/// Rejects a connection with an error.
///
/// Nothing was written to the connection yet, so the line should fit. If it does not, the client
/// only sees the connection close.
fn refuse(stream: &UnixStream) {
    let refusal = Answer::<()>::failed(format!("{CLIENTS} connections are served already"));
    if let Ok(line) = line(&refusal) {
        let _ = stream.try_write(&line);
    }
}

/// Serves one connection.
async fn attend(
    reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    context: Context,
) -> io::Result<()> {
    let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(LONGEST));
    loop {
        let text = match timeout(IDLE, lines.next()).await? {
            None => return Ok(()),
            Some(Ok(text)) => text,
            Some(Err(LinesCodecError::Io(error))) => return Err(error),
            Some(Err(error)) => return send(&mut writer, &refusal(&error)).await,
        };
        let stops = match Request::read(&text) {
            Ok(request) => answer(request, &context, &mut writer).await?,
            Err(error) => {
                send(&mut writer, &refusal(&error)).await?;
                false
            }
        };
        if stops {
            context.node.stop.cancel();
            // The client waits until the connection closes, which happens when the node has ended.
            return std::future::pending().await;
        }
    }
}

/// Carries out a request and answers it. Returns whether the node must end.
async fn answer(
    request: Request,
    context: &Context,
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<bool> {
    let node = context.node.clone();
    match request {
        // The answer is written in pieces, because there may be very many peers.
        Request::Query(Query::Peers {}) => {
            timeout(DEADLINE, send_peers(to, &node.server)).await??;
        }
        // This is answered on the thread of the service, so that a busy node answers too.
        Request::Query(Query::NodeInfo {}) => {
            send(to, &Answer::Ok(node.server.node_info())).await?;
        }
        Request::Query(query) => {
            let answer = in_node(context, async move { node.answer(query).await }).await;
            send(to, &answer).await?;
        }
        Request::Change(change) => {
            let answer = in_node(context, async move { node.change(change).await }).await;
            send(to, &answer).await?;
        }
        Request::Stop => {
            send(to, &Answer::Ok(())).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs a task on the node's runtime, at most until the deadline.
async fn in_node<T: Send + 'static>(
    context: &Context,
    task: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Answer<T> {
    let limited = async move { timeout(DEADLINE, task).await };
    match context.runtime.spawn(limited).await {
        Ok(Ok(Ok(answer))) => Answer::Ok(answer),
        Ok(Ok(Err(error))) => Answer::failed(error),
        Ok(Err(_)) => Answer::failed(format!("not done within {DEADLINE:?}")),
        Err(error) => Answer::failed(error.to_string()),
    }
}

/// Sends all peers, piece by piece.
async fn send_peers(to: &mut (impl AsyncWrite + Unpin), server: &Server) -> io::Result<()> {
    let mut text = Vec::with_capacity(PIECE + LONGEST);
    text.extend_from_slice(b"{\"ok\":[");
    for (number, view) in server.peer_views().enumerate() {
        if number > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, &view)?;
        if text.len() >= PIECE {
            to.write_all(&text).await?;
            text.clear();
        }
    }
    text.extend_from_slice(b"]}\n");
    to.write_all(&text).await
}

fn refusal(error: &impl ToString) -> Answer<()> {
    Answer::failed(error.to_string())
}

async fn send(to: &mut (impl AsyncWrite + Unpin), answer: &impl Serialize) -> io::Result<()> {
    timeout(DEADLINE, to.write_all(&line(answer)?)).await?
}

fn line(answer: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use peermux::SecretKey;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex, split};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;
    use crate::last_events::LastEvents;

    /// The capacity of the socket, in bytes.
    const PIPE: usize = 64;

    /// Returns a connection with a node, and the task that serves it.
    async fn connect() -> (DuplexStream, JoinHandle<io::Result<()>>) {
        let server = Server::builder(SecretKey::generate());
        let context = Context {
            node: Node {
                server: server.start().await.expect("starts"),
                stop: CancellationToken::new(),
                kept: None,
                metrics: None,
                events: LastEvents::default(),
            },
            closed: CancellationToken::new(),
            runtime: Handle::current(),
        };
        let (near, far) = duplex(PIPE);
        let (reader, writer) = split(near);
        (far, tokio::spawn(attend(reader, writer, context)))
    }

    async fn timed_out(ended: JoinHandle<io::Result<()>>) -> bool {
        let ended = ended.await.expect("no panic");
        ended.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_turned_out() {
        let (_client, ended) = connect().await;
        let since = Instant::now();
        assert!(timed_out(ended).await);
        assert_eq!(since.elapsed().as_secs(), IDLE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_ends_a_request_is_turned_out() {
        let (mut client, ended) = connect().await;
        let since = Instant::now();
        // The client writes until the node closes the connection.
        while client.write_all(b" ").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
        assert!(timed_out(ended).await);
        let waited = since.elapsed();
        assert!(IDLE <= waited && waited < IDLE + DEADLINE, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_reads_an_answer_is_turned_out() {
        let (mut client, ended) = connect().await;
        let since = Instant::now();
        let ask = b"{\"command\":\"node-info\"}\n";
        client.write_all(ask).await.expect("read");
        assert!(timed_out(ended).await);
        assert_eq!(since.elapsed().as_secs(), DEADLINE.as_secs());
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("closed");
        assert_eq!(answer.len(), PIPE, "the beginning of an answer");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_now_and_then_stays() {
        let (mut client, ended) = connect().await;
        for _ in 0..5 {
            sleep(IDLE - Duration::from_secs(1)).await;
            client
                .write_all(b"{\"command\":\"peers\"}\n")
                .await
                .expect("read");
            let mut answer = [0; 10];
            client.read_exact(&mut answer).await.expect("answered");
            assert_eq!(&answer, b"{\"ok\":[]}\n");
        }
        drop(client);
        assert!(ended.await.expect("no panic").is_ok());
    }
}
