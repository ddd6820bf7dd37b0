//! One connection from its proof of identity to its end.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::establish::{Proven, Terms, exchange};
use super::reader::{End, Reader, handle};
use super::received::Origin;
use super::shared::Shared;
use super::table::{Entry, Landed, News, Opened, Purpose};
use super::writer::write;
use super::{CommError, CommEvent, ConnInfo, ConnectionEnd, EstablishError, RemotePeer};
use crate::channel::{ProtocolConn, ProtocolReceiver};
use crate::peer::Peer;
use crate::peer::ProtocolError;
use crate::setup::Direction;

/// How long a replaced connection still receives messages that the remote sends over it.
const LINGER: Duration = Duration::from_secs(1);
/// How long messages may take to reach their subscriptions after the connection has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the protocol with one peer.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    peer: Peer,
    mut conn: ProtocolConn,
) -> Result<(), ProtocolError> {
    let _running = shared.tasks.token();
    if let Some(node) = conn.node() {
        shared.memory.share(node);
    }
    let flight = shared.table().flight(&peer.id());
    let purpose = flight.filter(|_| peer.direction() == Direction::Outbound);
    let handshake_only = matches!(purpose, Some((Purpose::Handshake, _)));
    if let Some((Purpose::Probe, mut result)) = purpose {
        // A probe proves no identity, so this only waits until the attempt ends. When the attempt
        // ends, the sender of `result` is dropped.
        tokio::select! {
            // The end is checked first, because after it there is no peer to prove an identity to.
            biased;
            () = peer.ending() => return Ok(()),
            () = shared.stopping.cancelled() => {}
            () = async { while result.changed().await.is_ok() {} } => {}
        }
    }
    let terms = Terms::new(shared.node, &peer);
    let proven = match prove(shared, &peer, &mut conn, terms, handshake_only).await {
        Ok(proven) => proven,
        Err(error) => return Err(refuse(shared, &peer, error)),
    };
    let Proven {
        info,
        record,
        probe: their_probe,
    } = proven;
    let info = Arc::new(info);
    if handshake_only {
        let landed = Landed::Handshake(info);
        shared.table().found(&peer.id(), landed);
        return Ok(());
    }
    if their_probe {
        // The remote only wanted to know which identity is here, and now ends the connection.
        let limit = shared.config.handshake_timeout();
        tokio::select! {
            // The order does not matter: each branch ends the wait.
            biased;
            ended = timeout(limit, peer.ending()) => drop(ended),
            () = shared.stopping.cancelled() => {}
        }
        return Ok(());
    }
    let mut news = News::default();
    let (dialler, now) = (terms.dialler(), Instant::now());
    let opened = {
        let mut table = shared.table();
        let removed = table.identities.put(record, shared.unix_now());
        news.switched.extend(removed);
        table.opened(&info, &peer, dialler, now, &mut news)
    };
    shared.identities_changed.notify_one();
    shared.tell(news);
    match opened {
        Opened::Refused(error) => Err(refuse(shared, &peer, error)),
        Opened::Kept(entry) => serve(shared, &entry, conn).await,
        Opened::Lost(kept) => {
            debug!(id = %info.id, "another connection of the identity is kept");
            // Until the remote notices that `kept` is used instead, it may still send messages over
            // this connection. They are received, and answered over `kept`.
            let (sender, receiver) = conn.split();
            let mut work = Work::new(shared, &kept, &info, receiver);
            work.drain(LINGER).await;
            drop(sender);
            Ok(())
        }
    }
}

async fn prove(
    shared: &Shared,
    peer: &Peer,
    conn: &mut ProtocolConn,
    terms: Terms,
    probe: bool,
) -> Result<Proven, EstablishError> {
    let after = shared.config.handshake_timeout();
    let now = shared.unix_now();
    let exchange = exchange(peer, conn, terms, &shared.provider, probe, now);
    tokio::select! {
        // The stop is checked first, because the exchange begins with our proof, which a stopped
        // layer must not send.
        biased;
        () = shared.stopping.cancelled() => Err(EstablishError::Stopped),
        result = timeout(after, exchange) => {
            result.unwrap_or(Err(EstablishError::TimedOut { after }))
        }
    }
}

fn refuse(shared: &Shared, peer: &Peer, error: EstablishError) -> ProtocolError {
    let node = peer.id();
    debug!(%node, %error, "no identity established");
    // A remote that only probes ends the connection without proving an identity, which is not an
    // error.
    if !matches!(error, EstablishError::Ended | EstablishError::Stopped) {
        shared.stats.refused.add(1);
        let error = error.clone();
        shared.events.tell(CommEvent::Refused { node, error });
    }
    let failed = CommError::Handshake {
        node,
        source: error.clone(),
    };
    let news = shared.table().refused(&node, &failed, Instant::now());
    shared.tell(news);
    error.into()
}

/// Removes the connection from the table even if its task is aborted.
struct Guard<'a> {
    shared: &'a Shared,
    entry: &'a Entry,
    open: bool,
}

impl Guard<'_> {
    fn end(&mut self, reason: &ConnectionEnd) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        self.shared.stats.connections.decrement(1);
        let news = self.shared.table().closed(self.entry.conn, reason);
        self.shared.tell(news);
        let id = self.entry.info.id;
        debug!(%id, %reason, "connection of an identity ended");
        self.shared.events.tell(CommEvent::Closed {
            id,
            reason: reason.clone(),
        });
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.end(&ConnectionEnd::TransportEnded);
    }
}

async fn serve(
    shared: &Arc<Shared>,
    entry: &Entry,
    conn: ProtocolConn,
) -> Result<(), ProtocolError> {
    let info = &entry.info;
    debug!(id = %info.id, node = %info.node, "connection of an identity opened");
    shared.events.tell(CommEvent::Opened {
        info: Arc::clone(info),
    });
    let (sender, receiver) = conn.split();
    let mut work = Work::new(shared, entry, info, receiver);
    let (queue, acks) = (Arc::clone(&entry.queue), Arc::clone(&entry.acks));
    work.writer = write(queue, acks, sender).boxed().fuse();
    shared.stats.connections.increment(1);
    let mut guard = Guard {
        shared,
        entry,
        open: true,
    };
    let (reason, error) = tokio::select! {
        // A decision of this side to close is checked first, because an end that this side causes
        // must not be reported as a dead peer.
        biased;
        reason = entry.control.closed() => (reason, None),
        end = work.run() => end,
    };
    guard.end(&reason);
    match reason {
        ConnectionEnd::Replaced => work.drain(LINGER).await,
        ConnectionEnd::TransportEnded | ConnectionEnd::Malformed(_) => work.drain(DRAIN).await,
        _ => {}
    }
    error.map_or(Ok(()), |error| Err(error.into()))
}

type Part<T> = Fuse<BoxFuture<'static, T>>;

/// The running parts of one connection. The handler hands received messages to subscriptions.
struct Work {
    reader: Part<End>,
    writer: Part<()>,
    handler: Part<()>,
}

impl Work {
    /// Receives messages over the connection of `info`, and answers over the connection of `entry`.
    /// Nothing is written until the caller sets `writer`.
    fn new(
        shared: &Arc<Shared>,
        entry: &Entry,
        info: &Arc<ConnInfo>,
        receiver: ProtocolReceiver,
    ) -> Self {
        let (inbox, received) = mpsc::channel(shared.config.receive_queue());
        let origin = Origin {
            info: Arc::clone(info),
            peer: RemotePeer::new(info.enode.clone(), info.id),
            queue: Arc::clone(&entry.queue),
            max_message: shared.config.max_message(),
            reply_timeout: shared.config.reply_timeout(),
            stats: Arc::clone(&shared.stats),
            memory: Arc::clone(&shared.memory),
            stopping: shared.stopping.clone(),
        };
        let reader = Reader {
            shared: Arc::clone(shared),
            origin: Arc::new(origin),
            acks: Arc::clone(&entry.acks),
            inbox,
            backlog: Arc::default(),
        };
        Self {
            reader: reader.run(receiver).boxed().fuse(),
            writer: pending().boxed().fuse(),
            handler: handle(Arc::clone(shared), received).boxed().fuse(),
        }
    }

    /// Runs until one direction ends.
    async fn run(&mut self) -> End {
        loop {
            tokio::select! {
                // The handler runs first, so that received messages are handed over before more are
                // read. The reader runs before the writer, because the reader knows better how the
                // connection ended.
                biased;
                () = &mut self.handler => {}
                end = &mut self.reader => return end,
                () = &mut self.writer => return (ConnectionEnd::TransportEnded, None),
            }
        }
    }

    /// Hands over the messages that have arrived, and those that arrive within `limit`.
    async fn drain(&mut self, limit: Duration) {
        let rest = async {
            while !self.handler.is_terminated() {
                tokio::select! {
                    // Received messages are handed over before more are read.
                    biased;
                    () = &mut self.handler => {}
                    _ = &mut self.reader => {}
                    () = &mut self.writer => {}
                }
            }
        };
        if timeout(limit, rest).await.is_err() {
            debug!("the last received messages did not reach all subscriptions");
        }
    }
}
