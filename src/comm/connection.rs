//! One connection at work: proof of identity, reader, writer, handler.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Fuse, FusedFuture};
use tokio::sync::{mpsc, oneshot};
use tokio::task::consume_budget;
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::demux::{Given, Waiting};
use super::establish::{Terms, exchange};
use super::link::{AckTable, Link, Outgoing};
use super::message::Incoming;
use super::meters::AckState;
use super::received::Origin;
use super::shared::Shared;
use super::store::{Entry, Landed, News, Opened, Purpose};
use super::{CloseReason, CommError, CommEvent, ConnInfo, HandshakeError, ReceivedMessage};
use crate::peer::{Direction, Peer};
use crate::protocol::{
    Message, MessageError, ProtocolConn, ProtocolError, ProtocolReceiver, ProtocolSender,
};

/// How many messages are handed to the transport together.
const BATCH: usize = 64;
/// How many such batches may be on their way to the socket at once. While they are, what comes
/// next gathers, so that many messages cost one turn of the writer.
const BATCHES: usize = 2;
/// How long a replaced connection goes on receiving what was sent before its remote knew.
const LINGER: Duration = Duration::from_secs(1);
/// How long messages received before the end may take to reach their subscriptions.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the protocol with one peer.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    peer: Peer,
    mut conn: ProtocolConn,
) -> Result<(), ProtocolError> {
    let _running = shared.tasks.token();
    let flight = shared.store().flight(&peer.id());
    let purpose = flight.filter(|_| peer.direction() == Direction::Outbound);
    let handshake_only = matches!(purpose, Some((Purpose::Handshake, _)));
    if let Some((Purpose::Probe, mut result)) = purpose {
        // Who only probes proves nothing. The sender goes away with the attempt.
        tokio::select! {
            () = peer.ending() => return Ok(()),
            () = async { while result.changed().await.is_ok() {} } => {}
            () = shared.stopping.cancelled() => {}
        }
    }
    let terms = Terms::new(shared.node, &peer);
    let (info, their_probe) = match prove(shared, &peer, &mut conn, &terms, handshake_only).await {
        Ok(established) => established,
        Err(error) => return Err(refuse(shared, &peer, error)),
    };
    let info = Arc::new(info);
    if handshake_only {
        let landed = Landed::Handshake(info);
        shared.store().found(&peer.id(), landed);
        return Ok(());
    }
    if their_probe {
        // The remote has what it wanted, and ends the connection.
        let limit = shared.config.handshake_timeout;
        tokio::select! {
            ended = timeout(limit, peer.ending()) => drop(ended),
            () = shared.stopping.cancelled() => {}
        }
        return Ok(());
    }
    let mut news = News::default();
    let (dialler, now) = (terms.dialler(), Instant::now());
    let opened = {
        let mut store = shared.store();
        let unix_now = shared.unix_now();
        match store.identities.put(info.id, &info.identity, unix_now) {
            Ok(()) => store.opened(&info, &peer, dialler, now, &mut news),
            Err(error) => Opened::Refused(HandshakeError::Identity(error)),
        }
    };
    shared.identities_changed.notify_one();
    shared.tell(news);
    match opened {
        Opened::Refused(error) => Err(refuse(shared, &peer, error)),
        Opened::Kept(entry) => serve(shared, &entry, conn).await,
        Opened::Lost(kept) => {
            debug!(id = %info.id, "another connection of the identity stays");
            // What the remote sends before it knows is received, and answered over the other one.
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
    terms: &Terms,
    probe: bool,
) -> Result<(ConnInfo, bool), HandshakeError> {
    let after = shared.config.handshake_timeout;
    let now = shared.unix_now();
    let exchange = exchange(peer, conn, terms, &*shared.provider, probe, now);
    tokio::select! {
        result = timeout(after, exchange) => {
            result.unwrap_or(Err(HandshakeError::TimedOut { after }))
        }
        () = shared.stopping.cancelled() => Err(HandshakeError::Stopped),
    }
}

fn refuse(shared: &Shared, peer: &Peer, error: HandshakeError) -> ProtocolError {
    let node = peer.id();
    debug!(%node, %error, "no identity established");
    // A remote that only probes ends before; that is nobody's fault.
    if !matches!(error, HandshakeError::Ended | HandshakeError::Stopped) {
        shared.stats.refused();
        let error = error.clone();
        shared.emit(CommEvent::Refused { node, error });
    }
    let failed = CommError::Handshake {
        node,
        source: error.clone(),
    };
    let news = shared.store().refused(&node, &failed, Instant::now());
    shared.tell(news);
    error.into()
}

/// Removes the connection from the store even if its task is aborted.
struct Guard<'a> {
    shared: &'a Shared,
    entry: &'a Entry,
    open: bool,
}

impl Guard<'_> {
    fn end(&mut self, reason: &CloseReason) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        self.shared.stats.meters.disconnected();
        let news = self.shared.store().closed(self.entry.conn, reason);
        self.shared.tell(news);
        let id = self.entry.info.id;
        debug!(%id, %reason, "connection of an identity ended");
        self.shared.emit(CommEvent::Closed {
            id,
            reason: reason.clone(),
        });
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.end(&CloseReason::TransportEnded);
    }
}

async fn serve(
    shared: &Arc<Shared>,
    entry: &Entry,
    conn: ProtocolConn,
) -> Result<(), ProtocolError> {
    let info = &entry.info;
    debug!(id = %info.id, node = %info.node, "connection of an identity opened");
    shared.emit(CommEvent::Opened {
        info: Arc::clone(info),
    });
    let (sender, receiver) = conn.split();
    let mut work = Work::new(shared, entry, info, receiver);
    let (link, acks) = (Arc::clone(&entry.link), Arc::clone(&entry.acks));
    work.writer = write(link, acks, sender).boxed().fuse();
    shared.stats.meters.connected();
    let mut guard = Guard {
        shared,
        entry,
        open: true,
    };
    let (reason, error) = tokio::select! {
        end = work.run() => end,
        reason = entry.control.closed() => (reason, None),
    };
    guard.end(&reason);
    match reason {
        CloseReason::Replaced => work.drain(LINGER).await,
        CloseReason::TransportEnded | CloseReason::Malformed(_) => work.drain(DRAIN).await,
        _ => {}
    }
    error.map_or(Ok(()), |error| Err(error.into()))
}

type End = (CloseReason, Option<MessageError>);
type Part<T> = Fuse<BoxFuture<'static, T>>;

/// The parts of one connection that move: what comes in, what goes out, and what happens to the
/// former.
struct Work {
    reader: Part<End>,
    writer: Part<()>,
    handler: Part<()>,
}

impl Work {
    /// Receives over a connection of `info`, and answers over that of `entry`. Nothing is written
    /// until there is a writer.
    fn new(
        shared: &Arc<Shared>,
        entry: &Entry,
        info: &Arc<ConnInfo>,
        receiver: ProtocolReceiver,
    ) -> Self {
        let (inbox, received) = mpsc::channel(shared.config.receive_queue);
        let origin = Origin {
            info: Arc::clone(info),
            link: Arc::clone(&entry.link),
            shared: Arc::downgrade(shared),
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
                end = &mut self.reader => return end,
                () = &mut self.writer => return (CloseReason::TransportEnded, None),
                () = &mut self.handler => {}
            }
        }
    }

    /// Goes on for a limited time, so that what has arrived, or still does, is handed over.
    async fn drain(&mut self, limit: Duration) {
        let rest = async {
            while !self.handler.is_terminated() {
                tokio::select! {
                    () = &mut self.handler => {}
                    _ = &mut self.reader => {}
                    () = &mut self.writer => {}
                }
            }
        };
        if timeout(limit, rest).await.is_err() {
            debug!("what was received last did not reach all subscriptions");
        }
    }
}

/// A received message that some subscription has to be waited for.
struct Inbound {
    message: ReceivedMessage,
    size: usize,
    /// The subscriptions that are left; `None` if none has seen it yet.
    left: Option<Waiting<ReceivedMessage>>,
    /// The room that it takes in the protocol's bounds.
    room: Box<dyn Send>,
    backlog: InBacklog,
}

/// Counts a message that waits for a subscription, or for another message that does.
struct InBacklog(Arc<AtomicUsize>);

impl InBacklog {
    fn new(backlog: &Arc<AtomicUsize>) -> Self {
        backlog.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(backlog))
    }
}

impl Drop for InBacklog {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Reader {
    shared: Arc<Shared>,
    origin: Arc<Origin>,
    acks: Arc<AckTable>,
    inbox: mpsc::Sender<Inbound>,
    /// How many messages wait; the reader and the handler are parts of one task.
    backlog: Arc<AtomicUsize>,
}

impl Reader {
    /// Takes messages in until there are no more. An Ack goes to its waiter past the inbox.
    async fn run(self, mut receiver: ProtocolReceiver) -> End {
        loop {
            // A remote that never pauses leaves time for others.
            consume_budget().await;
            let received = match receiver.recv().await {
                Ok(Some(received)) => received,
                Ok(None) => return (CloseReason::TransportEnded, None),
                Err(error) => return self.malformed(error),
            };
            let size = received.size();
            let (message, room) = received.into_parts();
            match Incoming::decode(&message) {
                Ok(Incoming::Data { ack, envelope }) => {
                    self.shared.stats.received();
                    let message = ReceivedMessage::new(envelope, ack, Arc::clone(&self.origin));
                    if !self.deliver(message, size, room).await {
                        return (CloseReason::TransportEnded, None);
                    }
                }
                Ok(Incoming::Ack { ack, error }) => self.acknowledged(ack, error),
                Ok(Incoming::Establish(_)) => {
                    return self.malformed(MessageError::NotAllowed {
                        code: message.code,
                        rule: "a second proof of identity",
                    });
                }
                Err(error) => return self.malformed(error),
            }
        }
    }

    /// Hands a message to the subscriptions, at once if nothing is before it; false at the end.
    async fn deliver(
        &self,
        message: ReceivedMessage,
        size: usize,
        room: impl Send + 'static,
    ) -> bool {
        let mut left = None;
        if self.backlog.load(Ordering::Relaxed) == 0 {
            let (given, waiting) = self.shared.demux.offer(&message, size);
            count_lost(&self.shared, given);
            if waiting.is_empty() {
                return true;
            }
            left = Some(waiting);
        }
        let inbound = Inbound {
            message,
            size,
            left,
            room: Box::new(room),
            backlog: InBacklog::new(&self.backlog),
        };
        self.inbox.send(inbound).await.is_ok()
    }

    fn malformed(&self, error: MessageError) -> End {
        self.shared.stats.malformed();
        (CloseReason::Malformed(error.to_string()), Some(error))
    }

    /// Only this connection's own messages are looked for, so nobody can acknowledge in another
    /// one's name. One that comes too late looks like one that nobody asked for; it does no harm.
    fn acknowledged(&self, ack: u64, error: String) {
        let answer = match error.is_empty() {
            true => Ok(()),
            false => Err(CommError::Nack(error)),
        };
        if !self.acks.answer(ack, answer) {
            self.shared.stats.ack(AckState::Unasked);
            let id = self.origin.info.id;
            self.shared.emit(CommEvent::UnaskedAck { id });
        }
    }
}

fn count_lost(shared: &Shared, given: Given) {
    if given.lost > 0 {
        shared.stats.undelivered(given.lost);
    }
}

/// Hands messages to the subscriptions, in the order of their arrival, one at a time.
async fn handle(shared: Arc<Shared>, mut inbox: mpsc::Receiver<Inbound>) {
    while let Some(inbound) = inbox.recv().await {
        let Inbound {
            message,
            size,
            left,
            room,
            backlog,
        } = inbound;
        let left = left.unwrap_or_else(|| {
            let (given, waiting) = shared.demux.offer(&message, size);
            count_lost(&shared, given);
            waiting
        });
        count_lost(&shared, left.finish(&message, size).await);
        drop((room, backlog));
    }
}

/// Writes what is queued, until the transport takes nothing more.
async fn write(link: Arc<Link>, acks: Arc<AckTable>, sender: ProtocolSender) {
    let mut handed: VecDeque<Handed> = VecDeque::new();
    loop {
        tokio::select! {
            biased;
            () = oldest_written(&mut handed), if !handed.is_empty() => {}
            batch = link.next(BATCH), if handed.len() < BATCHES => {
                match hand_over(batch, &acks, &sender).await {
                    Some(batch) => handed.push_back(batch),
                    None => break,
                }
            }
        }
    }
    while !handed.is_empty() {
        oldest_written(&mut handed).await;
    }
    // Whoever ended the queue ends the connection; a transport that takes nothing more does too.
    if link.has_ended() {
        pending::<()>().await;
    }
}

/// Messages that the transport has taken and may not have written yet.
struct Handed {
    batch: Vec<Outgoing>,
    /// They are written in order, so that one receipt, the last one's, is enough.
    written: oneshot::Receiver<()>,
}

/// Waits until the oldest of several batches is written, or never will be, and tells its senders.
/// Cancel safe.
async fn oldest_written(handed: &mut VecDeque<Handed>) {
    let Some(oldest) = handed.front_mut() else {
        return;
    };
    let written = (&mut oldest.written).await;
    let batch = handed.pop_front().map(|oldest| oldest.batch);
    let batch = batch.unwrap_or_default();
    match written {
        Ok(()) => {
            let now = Instant::now();
            batch.into_iter().for_each(|message| message.sent(now));
        }
        Err(_) => fail(batch),
    }
}

/// Hands messages to the transport; `None` if there are none, or it takes no more.
async fn hand_over(
    mut batch: Vec<Outgoing>,
    acks: &AckTable,
    sender: &ProtocolSender,
) -> Option<Handed> {
    let mut handing = async || {
        let (last, others) = batch.split_last_mut()?;
        for message in others {
            let message = prepare(message, acks);
            if let Err(error) = sender.send(&message).await {
                return Some(Err(error));
            }
        }
        let last = prepare(last, acks);
        Some(sender.send_tracked(last.code, last.payload).await)
    };
    match handing().await? {
        Ok(written) => Some(Handed { batch, written }),
        Err(error) => {
            debug!(%error, "the transport takes no more messages");
            fail(batch);
            None
        }
    }
}

/// What the transport gets of a message; from now on an Ack of it counts.
fn prepare(message: &mut Outgoing, acks: &AckTable) -> Message {
    if let Some((number, waiter)) = message.ack.take() {
        acks.expect(number, waiter);
    }
    Message::new(message.code, std::mem::take(&mut message.payload))
}

/// Those who wait for acknowledgements hear of it from the store, when the connection leaves it.
fn fail(batch: Vec<Outgoing>) {
    for message in batch {
        message.fail(CommError::PeerClosed(CloseReason::TransportEnded));
    }
}
