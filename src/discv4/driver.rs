//! The loop around the state machine: datagrams, time and requests.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::contact::Contact;
use super::error::Discv4Error;
use super::machine::{Event, Found, LookupDone, Machine, Now, Observation, RequestId};
use super::socket::{Arrivals, DatagramSender};
use super::table::TableEntry;
use crate::calendar;
use crate::event_stream::EventFeed;
use crate::guarded::caught;
use crate::node::{NodeRecord, PublicKey};

/// Number of datagrams taken before commands and timers get their turn.
const BATCH: usize = 32;

type Reply<T> = oneshot::Sender<Result<T, Discv4Error>>;

/// A command from a handle.
pub(super) enum Command {
    /// Looks up a random target if none is given.
    Lookup {
        target: Option<[u8; PublicKey::LENGTH]>,
        reply: Reply<LookupDone>,
    },
    Record {
        contact: Contact,
        reply: Reply<NodeRecord>,
    },
    Table {
        reply: Reply<Vec<TableEntry>>,
    },
    SetRecord {
        record: NodeRecord,
        reply: Reply<()>,
    },
}

pub(super) struct Driver {
    pub(super) machine: Machine,
    pub(super) arrivals: Arrivals,
    pub(super) sender: Box<dyn DatagramSender>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) found: EventFeed<Found>,
    pub(super) observed: EventFeed<Observation>,
    /// The reply channel of each caller whose lookup is in progress.
    pub(super) lookups: BTreeMap<RequestId, Reply<LookupDone>>,
    pub(super) records: BTreeMap<RequestId, Reply<NodeRecord>>,
    pub(super) stop: CancellationToken,
}

/// Returns the time of the monotonic clock and of the wall clock.
pub(super) fn now() -> Now {
    let unix = calendar::wall().duration_since(SystemTime::UNIX_EPOCH);
    Now {
        at: Instant::now(),
        unix: unix.unwrap_or_default().as_secs(),
    }
}

impl Driver {
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        loop {
            self.machine.advance(now());
            self.carry_out();
            let deadline = self.machine.next_deadline();
            tokio::select! {
                // The end of discovery is checked first, then our own commands and timers, and
                // packets from other nodes last.
                biased;
                () = stop.cancelled() => break,
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
                () = until(deadline) => {}
                there = self.arrivals.wait() => {
                    if !there {
                        tracing::error!("discovery cannot receive any more and ends");
                        break;
                    }
                    self.receive();
                }
            }
        }
    }

    fn receive(&mut self) {
        let (machine, now) = (&mut self.machine, now());
        for _ in 0..BATCH {
            let more = self.arrivals.take(|from, datagram| {
                if let Err(why) = machine.received(from, datagram, now) {
                    tracing::trace!(%from, %why, "dropped a datagram");
                }
            });
            if !more {
                break;
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(transmit) = self.machine.poll_transmit() {
            let sent = caught("a sender of datagrams", || {
                self.sender.send(transmit.to, &transmit.datagram)
            });
            if let Some(Err(error)) = sent {
                tracing::trace!(to = %transmit.to, %error, "cannot send a datagram");
            }
        }
        while let Some(event) = self.machine.poll_event() {
            match event {
                Event::Found(found) => self.found.emit(found),
                Event::Observed(observation) => self.observed.emit(observation),
                Event::LookupDone(id, done) => answer(self.lookups.remove(&id), Ok(done)),
                Event::RecordDone(id, result) => answer(self.records.remove(&id), result),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = now();
        match command {
            Command::Lookup { target, reply } => {
                let started = match target {
                    Some(target) => self.machine.lookup(target, now),
                    None => self.machine.random_lookup(now),
                };
                match started {
                    Ok(id) => drop(self.lookups.insert(id, reply)),
                    Err(error) => answer(Some(reply), Err(error)),
                }
            }
            Command::Record { contact, reply } => match self.machine.request_record(contact, now) {
                Ok(id) => drop(self.records.insert(id, reply)),
                Err(error) => answer(Some(reply), Err(error)),
            },
            Command::Table { reply } => {
                let table = self.machine.table().cloned().collect();
                answer(Some(reply), Ok(table));
            }
            Command::SetRecord { record, reply } => {
                let result = self.set_record(record);
                answer(Some(reply), result);
            }
        }
    }

    fn set_record(&mut self, record: NodeRecord) -> Result<(), Discv4Error> {
        let present = self.machine.record();
        let (own, there) = (present.node_id(), record.node_id());
        if own != there {
            return Err(Discv4Error::ForeignRecord {
                record: there,
                key: own,
            });
        }
        let (got, present) = (record.seq(), present.seq());
        if self.machine.set_record(record) {
            Ok(())
        } else {
            Err(Discv4Error::OldRecord { got, present })
        }
    }
}

/// Sends a result to the caller, which may be gone.
fn answer<T>(reply: Option<Reply<T>>, result: Result<T, Discv4Error>) {
    if let Some(reply) = reply {
        let _ = reply.send(result);
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
