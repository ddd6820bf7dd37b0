//! The node's own record: what it says about itself, signed, and where others can reach it.

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

/// How many networks have to see the node at the same address before it believes them.
const VOTES: usize = 10;

/// How long what they saw counts.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Keys of a record that are nobody's to set.
const IDENTITY: [&str; 2] = ["id", "secp256k1"];

/// Why an entry of the own record was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The key has a meaning of its own: identity, addresses, ports.
    #[error("the node fills in {key:?} of its record itself")]
    Reserved {
        /// The key.
        key: String,
    },
    /// The record cannot be made with it.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Where a node's record starts from.
#[derive(Debug, Default)]
pub(crate) struct LocalNodeSettings {
    /// A record made elsewhere.
    pub(crate) record: Option<NodeRecord>,
    /// Entries of the user, as RLP.
    pub(crate) entries: Entries,
    /// Where the record is kept.
    pub(crate) file: Option<PathBuf>,
    /// The address that is to be dialled.
    pub(crate) advertised: Option<Endpoint>,
    /// The address that others see, with the node's own ports.
    pub(crate) external_ip: Option<IpAddr>,
    /// The address that is listened on.
    pub(crate) bound: Option<SocketAddr>,
    /// The port for discovery, if the node takes part.
    pub(crate) udp: Option<u16>,
}

/// A record's keys, and their values as RLP.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// The own record of a running node.
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
    /// A name to be dialled at, which a record has no room for.
    name: Option<Endpoint>,
}

/// What a record says.
#[derive(Clone)]
struct Says {
    place: Place,
    /// Addresses and ports are the user's, who gave a whole record.
    is_given: bool,
    entries: Entries,
}

impl LocalNode {
    /// Makes the node's record, or takes the kept one if that says the same.
    ///
    /// # Errors
    /// What the system says about the file; a [`RecordError`] inside of it if the entries are too long for
    /// a record.
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

    /// The newest record.
    pub(crate) fn record(&self) -> NodeRecord {
        self.record.borrow().clone()
    }

    /// The newest record, and those that follow.
    pub(crate) fn watch(&self) -> watch::Receiver<NodeRecord> {
        self.record.subscribe()
    }

    /// The node as others dial it, as far as that is known; as programs on this machine do, if not.
    pub(crate) fn enode(&self) -> Enode {
        let key = self.key.public_key();
        let state = self.state.lock();
        let endpoint = state.endpoint().or_else(|| state.stand_in());
        match endpoint {
            Some(endpoint) => Enode::with_endpoint(key, endpoint),
            None => Enode::incomplete(key),
        }
    }

    /// Whether the address in [`enode`](Self::enode) is one that only programs on this machine can dial.
    pub(crate) fn is_stand_in(&self) -> bool {
        let state = self.state.lock();
        state.endpoint().is_none() && state.stand_in().is_some()
    }

    /// Sets one of the user's entries, or takes it out.
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

    /// A node that has proved its address sees this one as `seen`.
    pub(crate) fn vote(&self, voter: SocketAddr, seen: SocketAddr, now: Instant) {
        let mut state = self.state.lock();
        let votes = match seen.ip().to_canonical() {
            IpAddr::V4(_) => &mut state.v4,
            IpAddr::V6(_) => &mut state.v6,
        };
        votes.vote(voter, seen, now);
        // What was believed last is better than nothing, and mostly nothing is new.
        let winner = votes.winner(now);
        let believed = *state.says.place.voted.of(seen.ip());
        if winner.is_none() || winner == believed {
            return;
        }
        let changed = self.change_in(&mut state, |state| {
            *state.says.place.voted.of(seen.ip()) = winner;
        });
        if let Err(error) = changed {
            warn!(%error, "the own node record does not change");
        }
    }

    /// The ports for connections and for discovery, as far as there are any.
    pub(crate) fn ports(&self) -> (Option<u16>, Option<u16>) {
        let place = &self.state.lock().says.place;
        (place.tcp, place.udp)
    }

    /// A router maps this address to the node, or none any more.
    pub(crate) fn set_mapped(&self, mapped: Option<Own>) {
        let changed = self.change(|state| {
            let families = &mut state.says.place.mapped;
            *families = Families::default();
            if let Some(own) = mapped {
                *families.of(own.ip) = Some(own);
            }
        });
        if let Err(error) = changed {
            warn!(%error, "the own node record does not change");
        }
    }

    /// Changes something, and makes a new record if it says something else then.
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
        // First of all, so that a number is used once even if the process ends now.
        let saved = self.kept.as_ref().map(|kept| kept.save(&last));
        if let Some(Err(error)) = saved {
            warn!(%error, "the own node record is not kept");
        }
        let Last { record, .. } = last;
        info!(%record, "the own node record changed");
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

    /// A listener on all addresses, as programs on this machine dial it.
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
    /// The record with this number, not signed yet.
    fn unsigned(&self, seq: u64) -> NodeRecordBuilder {
        let mut record = NodeRecord::builder(seq);
        if !self.is_given {
            record = self.place.fill(record);
        }
        let entries = self.entries.iter();
        entries.fold(record, |record, (key, value)| record.encoded(key, value))
    }

    /// What the next run needs of this record.
    fn to_keep(&self, record: &NodeRecord) -> Last {
        Last {
            record: record.clone(),
            seen: self.place.seen(),
        }
    }

    /// The record that follows `last`, unless that says the same.
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

/// The pairs of a record but those that signing sets.
fn user_pairs(record: &NodeRecord) -> Entries {
    let pairs = record.pairs();
    let pairs = pairs.filter(|(key, _)| !IDENTITY.iter().any(|name| name.as_bytes() == *key));
    pairs
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}

/// Whether an entry may have this key.
pub(crate) fn check_key(key: &[u8]) -> Result<(), EntryError> {
    let mut reserved = IDENTITY.iter().chain(&KEYS);
    match reserved.find(|name| name.as_bytes() == key) {
        Some(name) => Err(EntryError::Reserved {
            key: (*name).to_owned(),
        }),
        None => Ok(()),
    }
}

/// An entry's value as RLP.
pub(crate) fn encoded(value: &impl Encodable) -> Vec<u8> {
    rlp::encode(value).to_vec()
}

/// The number of a first record.
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
