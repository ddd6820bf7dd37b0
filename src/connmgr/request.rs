//! Requests for connections: ids, kinds, addresses and states.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::error::{CloseReason, ConnectError};
use crate::settings::settings;

/// An address to which connections lead.
///
/// Every type that can be cloned, compared, hashed and formatted implements this trait. With TCP
/// the type is [`SocketAddr`](std::net::SocketAddr).
pub trait Address: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> Address for T {}

/// Identifies one request or one accepted connection.
///
/// Ids grow and are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReqId(pub(super) NonZeroU64);

impl ReqId {
    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for ReqId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes that identify a node, or a group of addresses; cheap to clone.
///
/// A node may have several addresses. The addresses of a group probably have the same operator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(Arc<[u8]>);

impl<T: AsRef<[u8]>> From<T> for Key {
    fn from(bytes: T) -> Self {
        Self(bytes.as_ref().into())
    }
}

/// Hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The family of an address.
///
/// One family may have a route while the other has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl From<IpAddr> for Family {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// An address to connect to, and the known facts about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<A> {
    addr: A,
    key: Option<Key>,
    group: Option<Key>,
    family: Option<Family>,
}

impl<A: Address> Candidate<A> {
    /// Creates a candidate of which only the address is known.
    pub fn new(addr: A) -> Self {
        Self {
            addr,
            key: None,
            group: None,
            family: None,
        }
    }

    /// Sets the identity of the remote, such as a node id.
    ///
    /// At most one request at a time leads to each key. Log lines show the key as `node_id`.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the group of addresses that are probably under one operator.
    ///
    /// An example is the /16 prefix of an IPv4 address. No automatic request is made in a group
    /// that already contains a request.
    #[must_use]
    pub fn with_group(mut self, group: impl Into<Key>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Sets the family of the address, if it has one.
    ///
    /// Failures in one family do not make the network [count as
    /// down](super::ConnConfig::with_offline_after) for the other.
    #[must_use]
    pub fn with_family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Returns the address.
    #[must_use]
    pub fn addr(&self) -> &A {
        &self.addr
    }

    /// Returns the identity of the remote.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Returns the group.
    #[must_use]
    pub fn group(&self) -> Option<&Key> {
        self.group.as_ref()
    }

    /// Returns the family of the address.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        self.family
    }
}

impl<A: Address> From<A> for Candidate<A> {
    fn from(addr: A) -> Self {
        Self::new(addr)
    }
}

settings! {
    /// How a permanent request is retried.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RetryPolicy {
        /// Wait after a failure. Default: 5 s, doubling to 5 min.
        backoff / with_backoff: Backoff = Backoff::default();
        /// Minimum time between the starts of two dials of one address or node.
        ///
        /// If the request is removed and added again, the minimum still applies, but at most for
        /// the manager's own [gap](super::ConnConfig::with_redial_gap). Default: none.
        redial_gap / with_redial_gap: Duration = Duration::ZERO;
    }
}

/// Why a connection exists, which determines what happens after it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The connection fills an automatic slot; after it ends, another address takes the slot.
    Automatic,
    /// The connection is kept permanently; after it ends, the same address is dialled again.
    Permanent(RetryPolicy),
    /// The connection was requested once.
    OneShot,
    /// The connection was accepted.
    Inbound,
}

/// The state of a request; the [module](super) shows the transitions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnState {
    /// The request is being dialled or waits to be dialled.
    ///
    /// After a failed dial, the request is first [`Failing`](Self::Failing) until its wait is over.
    Pending {
        /// Number of previous attempts that failed in a row.
        attempt: u32,
    },
    /// The connection is up.
    Established,
    /// The owner has marked the connection ready.
    Ready,
    /// The last dial failed, and the request waits for the next one.
    Failing,
    /// The request ended while it had no connection. Terminal.
    Canceled,
    /// The request's connection ended for good. Terminal.
    Disconnected(CloseReason),
    /// The request's dial failed for good. Terminal.
    Failed(ConnectError),
}

/// For example `one-shot`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Automatic => "automatic",
            Self::Permanent(_) => "permanent",
            Self::OneShot => "one-shot",
            Self::Inbound => "inbound",
        })
    }
}

/// For example `ready`; a terminal state includes its cause: `failed: connection refused`.
impl fmt::Display for ConnState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending { .. } => f.write_str("pending"),
            Self::Established => f.write_str("established"),
            Self::Ready => f.write_str("ready"),
            Self::Failing => f.write_str("failing"),
            Self::Canceled => f.write_str("canceled"),
            Self::Disconnected(reason) => write!(f, "disconnected: {reason}"),
            Self::Failed(error) => write!(f, "failed: {error}"),
        }
    }
}

impl ConnState {
    /// Returns whether the state is final.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Canceled | Self::Disconnected(_) | Self::Failed(_)
        )
    }

    /// Returns whether the connection is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Established | Self::Ready)
    }
}

/// Whether to reconnect after a connection's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reconnect {
    /// The kind decides: permanent requests are dialled again, automatic ones replaced, others end.
    #[default]
    ByKind,
    /// Dials the same address again after the usual wait, whatever the kind.
    Force,
    /// Does not dial this address again, even for a permanent request.
    Never,
}

/// One request or accepted connection of the manager.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RequestInfo<A> {
    /// Its id.
    pub id: ReqId,
    /// Its kind.
    pub kind: Kind,
    /// The dialled address or, for an accepted connection, the remote address.
    pub addr: A,
    /// Its state.
    pub state: ConnState,
    /// Number of attempts in a row that failed or whose connection did not last.
    pub failures: u32,
    /// Time until the next dial, if the request waits for one.
    pub next_dial: Option<Duration>,
}

/// One line: id, kind, address, state, failures, and the time until the next dial.
///
/// ```text
/// request 7: permanent, 192.0.2.1:30303, failing, 3 failures in a row, next dial in 12.0s
/// ```
impl<A: Address> fmt::Display for RequestInfo<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            kind,
            addr,
            state,
            ..
        } = self;
        write!(f, "request {id}: {kind}, {addr:?}, {state}")?;
        match self.failures {
            0 => {}
            1 => f.write_str(", 1 failure")?,
            failures => write!(f, ", {failures} failures in a row")?,
        }
        match self.next_dial {
            Some(time) => write!(f, ", next dial in {time:.1?}"),
            None => Ok(()),
        }
    }
}

/// Number of requests of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Count {
    /// Requests without a connection.
    pub pending: usize,
    /// Requests with a connection.
    pub connected: usize,
}

/// Numbers of requests, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Automatic requests.
    pub automatic: Count,
    /// Permanent requests.
    pub permanent: Count,
    /// One-shot requests.
    pub one_shot: Count,
    /// Accepted connections.
    pub inbound: Count,
    /// Dials in flight.
    pub dialing: usize,
    /// Whether the network [counts as down](super::ConnConfig::with_offline_after).
    ///
    /// If this is set, too many automatic dials in a row have failed, and nothing is connected.
    pub offline: bool,
}

impl Counts {
    pub(super) fn any_connected(&self) -> bool {
        let kinds = [self.automatic, self.permanent, self.one_shot, self.inbound];
        kinds.iter().any(|kind| kind.connected > 0)
    }
}
