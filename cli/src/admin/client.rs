//! The client of the admin socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, LinesCodec};

use peermux_cli::request::{Answer, Request};

use crate::failure::Failure;

/// The longest answer, in bytes. It has room for tens of thousands of peers.
const LONGEST: usize = 64 << 20;

/// The number of bytes of an answer that are read at once.
const READ_AT_ONCE: usize = 256 << 10;

/// The time limit for an answer, and for a stopping node to end.
const DEADLINE: Duration = Duration::from_secs(15);

/// A connection with a running node.
pub(crate) struct Client {
    path: PathBuf,
    lines: FramedRead<OwnedReadHalf, LinesCodec>,
    writer: OwnedWriteHalf,
}

impl Client {
    pub(crate) async fn connect(path: &Path) -> Result<Self, Failure> {
        let connected = timeout(DEADLINE, UnixStream::connect(path)).await;
        let connected = connected.unwrap_or_else(|elapsed| Err(elapsed.into()));
        let stream = connected.map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "there is no such socket, so no node runs here",
                io::ErrorKind::ConnectionRefused => "no node runs here any more",
                io::ErrorKind::InvalidInput => {
                    "the path is too long for a socket; give the node and this command a shorter one with --admin PATH"
                }
                _ => &error.to_string(),
            };
            Failure::because(format!("cannot connect to admin socket {}: {why}", path.display()))
        })?;
        let (reader, writer) = stream.into_split();
        Ok(Self {
            path: path.to_owned(),
            lines: FramedRead::with_capacity(
                reader,
                LinesCodec::new_with_max_length(LONGEST),
                READ_AT_ONCE,
            ),
            writer,
        })
    }

    /// Sends a request, and returns the node's answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &mut self,
        request: impl Into<Request>,
    ) -> Result<T, Failure> {
        let mut line = serde_json::to_vec(&request.into()).map_err(Failure::because)?;
        line.push(b'\n');
        let exchange = async {
            // Read the answer even if writing fails: a node without room for this connection has already
            // answered, and does not read the request.
            let written = self.writer.write_all(&line).await;
            match self.lines.next().await {
                Some(answer) => answer.map_err(|error| self.broken(&error)),
                None => {
                    written.map_err(|error| self.broken(&error))?;
                    Err(self.broken(&"the node closed the connection"))
                }
            }
        };
        let answered = timeout(DEADLINE, exchange).await;
        let answer =
            answered.map_err(|_| self.broken(&format!("no answer within {DEADLINE:?}")))??;
        match serde_json::from_str(&answer) {
            Ok(Answer::Ok(result)) => Ok(result),
            Ok(Answer::Error(error)) => Err(Failure::because(error.text)),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Waits for the end of a node that was asked to stop.
    pub(crate) async fn ended(mut self) -> Result<(), Failure> {
        let end = async { while let Some(Ok(_)) = self.lines.next().await {} };
        let ended = timeout(DEADLINE, end).await;
        ended.map_err(|_| self.broken(&format!("the node still runs after {DEADLINE:?}")))
    }

    fn broken(&self, why: &dyn std::fmt::Display) -> Failure {
        Failure::because(format!("admin socket {}: {why}", self.path.display()))
    }
}
