//! The node's own signed record, and the addresses at which others can reach it.

mod kept;
mod place;
mod votes;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::calendar::wall;
use crate::mutex::Mutex;
use crate::node::{Endpoint, Enode, Host, NodeRecord, NodeRecordBuilder, RecordError, SecretKey};
use crate::rlp::{self, Encodable};

use kept::{Kept, Last};
use place::{Families, KEYS, Place, reachable};

pub(crate) use place::Own;
use votes::Votes;

/// The number of networks that must report the same address before the node adopts it.
const VOTES: usize = 10;

/// How long a report counts.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Keys that are set only when a record is signed.
const IDENTITY: [&str; 2] = ["id", "secp256k1"];

/// Why an entry of the node's record was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The key is reserved for identity, addresses or ports.
    #[error("the key {key:?} is set by the node itself")]
    Reserved {
        /// The key.
        key: String,
    },
    /// The record cannot be created with the entry.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The settings of a node's record.
#[derive(Debug, Default)]
pub(crate) struct LocalNodeSettings {
    /// An existing record.
    pub(crate) record: Option<NodeRecord>,
    /// Entries of the user, as RLP.
    pub(crate) entries: Entries,
    /// The file that stores the record.
    pub(crate) file: Option<PathBuf>,
    /// The advertised address.
    pub(crate) advertised: Option<Endpoint>,
    /// The external address, used with the node's own ports.
    pub(crate) external_ip: Option<IpAddr>,
    /// The listening address.
    pub(crate) bound: Option<SocketAddr>,
    /// The port for discovery, if it is enabled.
    pub(crate) udp: Option<u16>,
}

/// A record's keys, and their values as RLP.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A running node's own record.
pub(crate) struct LocalNode {
    key: SecretKey,
    kept: Option<Kept>,
    state: Mutex<State>,
    record: watch::Sender<NodeRecord>,
}

struct State {
    says: Says,
    v4: Votes,
    v6: Votes,
    bound: Option<SocketAddr>,
    /// The advertised address if it is a name, which a record cannot contain.
    name: Option<Endpoint>,
}

/// The content of a record.
#[derive(Clone)]
struct Says {
    place: Place,
    /// Whether the user set a complete record, whose addresses and ports are kept.
    is_given: bool,
    entries: Entries,
}

impl LocalNode {
    /// Creates the node's record, or uses the stored one if its content is the same.
    ///
    /// # Errors
    /// The system's error for the file, or an error that wraps a [`RecordError`] if the entries are
    /// too long for a record.
    pub(crate) fn new(key: &SecretKey, settings: LocalNodeSettings) -> io::Result<Self> {
        let mut state = State::new(&settings);
        let kept = settings.file.map(Kept);
        let id = key.public_key().node_id();
        let loaded = kept.as_ref().map_or(Ok(None), |kept| kept.load(&id))?;
        let mut last = loaded.as_ref().map(|Last { record, seen }| {
            for seen in seen {
                *state.says.place.voted.of(seen.ip()) = Some(*seen);
            }
            record.clone()
        });
        if let Some(given) = settings.record {
            state.says.is_given = true;
            state.says.entries = user_pairs(&given);
            last = last
                .filter(|last| last.seq() >= given.seq())
                .or(Some(given));
        }
        state.says.entries.extend(settings.entries);
        let record = match last {
            Some(last) => state
                .says
                .follow(key, &last)
                .map(|next| next.unwrap_or(last)),
            None => state.says.unsigned(milliseconds()).sign(key),
        };
        let record = record.map_err(io::Error::other)?;
        let now = state.says.to_keep(&record);
        if let Some(kept) = kept.as_ref().filter(|_| loaded.as_ref() != Some(&now)) {
            kept.save(&now)?;
        }
        Ok(Self {
            key: key.clone(),
            kept,
            state: Mutex::new(state),
            record: watch::Sender::new(record),
        })
    }

    /// Returns the newest record.
    pub(crate) fn record(&self) -> NodeRecord {
        self.record.borrow().clone()
    }

    /// Returns a receiver of the newest record and each later one.
    pub(crate) fn watch(&self) -> watch::Receiver<NodeRecord> {
        self.record.subscribe()
    }

    /// Returns this node, with the endpoint at which others dial it.
    ///
    /// If no such endpoint is known, returns the node with the endpoint for programs on this
    /// machine.
    pub(crate) fn enode(&self) -> Enode {
        let key = self.key.public_key();
        let state = self.state.lock();
        let endpoint = state.endpoint().or_else(|| state.stand_in());
        match endpoint {
            Some(endpoint) => Enode::with_endpoint(key, endpoint),
            None => Enode::incomplete(key),
        }
    }

    /// Returns whether only local programs can dial the address in [`enode`](Self::enode).
    pub(crate) fn is_stand_in(&self) -> bool {
        let state = self.state.lock();
        state.endpoint().is_none() && state.stand_in().is_some()
    }

    /// Sets or removes one of the user's entries.
    pub(crate) fn set_entry(&self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), EntryError> {
        check_key(key)?;
        self.change(|state| {
            let entries = &mut state.says.entries;
            match value {
                Some(value) => entries.insert(key.to_vec(), value),
                None => entries.remove(key),
            };
        })
    }

    /// Counts the vote of `voter` for `seen`. `voter` has proved its own address.
    pub(crate) fn vote(&self, voter: SocketAddr, seen: SocketAddr, now: Instant) {
        let mut state = self.state.lock();
        let votes = match seen.ip().to_canonical() {
            IpAddr::V4(_) => &mut state.v4,
            IpAddr::V6(_) => &mut state.v6,
        };
        votes.vote(voter, seen, now);
        // Usually nothing changes. If no address wins, the last address stays.
        let winner = votes.winner(now);
        let believed = *state.says.place.voted.of(seen.ip());
        if winner.is_none() || winner == believed {
            return;
        }
        let changed = self.change_in(&mut state, |state| {
            *state.says.place.voted.of(seen.ip()) = winner;
        });
        if let Err(error) = changed {
            warn!(%error, "cannot change the node's own record");
        }
    }

    /// Returns the ports for connections and for discovery, if any.
    pub(crate) fn ports(&self) -> (Option<u16>, Option<u16>) {
        let place = &self.state.lock().says.place;
        (place.tcp, place.udp)
    }

    /// Sets the address that a router maps to the node, if any.
    pub(crate) fn set_mapped(&self, mapped: Option<Own>) {
        let changed = self.change(|state| {
            let families = &mut state.says.place.mapped;
            *families = Families::default();
            if let Some(own) = mapped {
                *families.of(own.ip) = Some(own);
            }
        });
        if let Err(error) = changed {
            warn!(%error, "cannot change the node's own record");
        }
    }

    /// Changes the state, and publishes a new record if its content differs.
    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), EntryError> {
        self.change_in(&mut self.state.lock(), change)
    }

    fn change_in(
        &self,
        state: &mut State,
        change: impl FnOnce(&mut State),
    ) -> Result<(), EntryError> {
        let before = state.says.clone();
        change(state);
        match state.says.follow(&self.key, &self.record()) {
            Ok(None) => Ok(()),
            Ok(Some(record)) => {
                self.publish(state.says.to_keep(&record));
                Ok(())
            }
            Err(error) => {
                state.says = before;
                Err(error.into())
            }
        }
    }

    fn publish(&self, last: Last) {
        // The record is stored first, so that no sequence number is used twice even if the process
        // ends now.
        let saved = self.kept.as_ref().map(|kept| kept.save(&last));
        if let Some(Err(error)) = saved {
            warn!(%error, "cannot store the node's own record");
        }
        let Last { record, .. } = last;
        info!(%record, "the node's own record changed");
        self.record.send_replace(record);
    }
}

impl State {
    fn new(settings: &LocalNodeSettings) -> Self {
        let bound = settings.bound;
        let mut place = Place {
            tcp: bound.map(|addr| addr.port()),
            udp: settings.udp,
            ..Place::default()
        };
        let advertised = settings.advertised.as_ref();
        let ip = settings.external_ip.map(|ip| (ip, None));
        let endpoint = advertised.and_then(|endpoint| match endpoint.host {
            Host::Ip(ip) => Some((ip, Some(endpoint.tcp))),
            Host::Dns(_) => None,
        });
        for (ip, tcp) in ip.into_iter().chain(endpoint) {
            *place.configured.of(ip) = Some(Own { ip, tcp, udp: None });
        }
        let listener = bound.filter(|addr| advertised.is_none() && !addr.ip().is_unspecified());
        if let Some(ip) = listener.map(|addr| addr.ip()) {
            let (tcp, udp) = (None, None);
            *place.bound.of(ip) = Some(Own { ip, tcp, udp });
        }
        Self {
            says: Says {
                place,
                is_given: false,
                entries: Entries::new(),
            },
            v4: Votes::new(VOTES, WINDOW),
            v6: Votes::new(VOTES, WINDOW),
            bound,
            name: advertised
                .filter(|endpoint| matches!(endpoint.host, Host::Dns(_)))
                .cloned(),
        }
    }

    fn endpoint(&self) -> Option<Endpoint> {
        let mut name = self.name.clone();
        if let Some(endpoint) = &mut name {
            endpoint.udp = self.says.place.udp.unwrap_or(0);
        }
        name.or_else(|| self.says.place.endpoint())
    }

    /// Returns the endpoint at which programs on this machine dial the listener.
    fn stand_in(&self) -> Option<Endpoint> {
        let bound = self.bound?;
        Some(Endpoint {
            host: Host::Ip(reachable(bound.ip())),
            tcp: bound.port(),
            udp: self.says.place.udp.unwrap_or(0),
        })
    }
}

impl Says {
    /// Returns the unsigned record with this sequence number.
    fn unsigned(&self, seq: u64) -> NodeRecordBuilder {
        let mut record = NodeRecord::builder(seq);
        if !self.is_given {
            record = self.place.fill(record);
        }
        let entries = self.entries.iter();
        entries.fold(record, |record, (key, value)| record.encoded(key, value))
    }

    /// Returns the content of the file for the next run.
    fn to_keep(&self, record: &NodeRecord) -> Last {
        Last {
            record: record.clone(),
            seen: self.place.seen(),
        }
    }

    /// Returns the record that follows `last`, unless the content is the same.
    fn follow(
        &self,
        key: &SecretKey,
        last: &NodeRecord,
    ) -> Result<Option<NodeRecord>, RecordError> {
        if *self.unsigned(last.seq()).pairs() == user_pairs(last) {
            return Ok(None);
        }
        let next = last.seq().checked_add(1);
        let next = next.ok_or(RecordError::SequenceExhausted)?;
        self.unsigned(next).sign(key).map(Some)
    }
}

/// Returns the pairs of a record, except those that signing sets.
fn user_pairs(record: &NodeRecord) -> Entries {
    let pairs = record.pairs();
    let pairs = pairs.filter(|(key, _)| !IDENTITY.iter().any(|name| name.as_bytes() == *key));
    pairs
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}

/// Rejects a key that is reserved.
pub(crate) fn check_key(key: &[u8]) -> Result<(), EntryError> {
    let mut reserved = IDENTITY.iter().chain(&KEYS);
    match reserved.find(|name| name.as_bytes() == key) {
        Some(name) => Err(EntryError::Reserved {
            key: (*name).to_owned(),
        }),
        None => Ok(()),
    }
}

/// Returns an entry's value as RLP.
pub(crate) fn encoded(value: &impl Encodable) -> Vec<u8> {
    rlp::encode(value).to_vec()
}

/// Returns the sequence number of a first record: the current time in milliseconds.
fn milliseconds() -> u64 {
    let now = wall().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for LocalNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalNode")
            .field("record", &*self.record.borrow())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
