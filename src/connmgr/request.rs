//! What a wanted connection is: its id, its kind, where it goes, and the state it is in.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::error::{CloseReason, ConnectError};
use crate::settings::settings;

/// What connections lead to. Implemented by everything that can be compared, hashed and shown;
/// with TCP it is [`SocketAddr`](std::net::SocketAddr).
pub trait Address: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> Address for T {}

/// Names one request, or one accepted connection, for ever: ids grow and are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReqId(pub(super) NonZeroU64);

impl ReqId {
    /// The number.
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

/// Bytes that identify something: a node behind several addresses, or a group of addresses under
/// one hand. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(Arc<[u8]>);

impl<T: AsRef<[u8]>> From<T> for Key {
    fn from(bytes: T) -> Self {
        Self(bytes.as_ref().into())
    }
}

/// The family of an address. Where one has no way out, the other may have.
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

/// Somewhere to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<A> {
    addr: A,
    key: Option<Key>,
    group: Option<Key>,
    family: Option<Family>,
}

impl<A: Address> Candidate<A> {
    /// An address of which nothing more is known.
    pub fn new(addr: A) -> Self {
        Self {
            addr,
            key: None,
            group: None,
            family: None,
        }
    }

    /// Says who is there, such as a node id. Only one request at a time leads to one key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Says which addresses are probably under one hand, such as the /16 prefix of an IPv4
    /// address. An automatic request never joins a group that another request is in.
    #[must_use]
    pub fn with_group(mut self, group: impl Into<Key>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Says of which family the address is, if it is of one. Failures in one family do not make the
    /// network [count as down](super::ConnConfig::with_offline_after) for the other.
    #[must_use]
    pub fn with_family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Where to connect.
    #[must_use]
    pub fn addr(&self) -> &A {
        &self.addr
    }

    /// Who is there.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The group that it belongs to.
    #[must_use]
    pub fn group(&self) -> Option<&Key> {
        self.group.as_ref()
    }

    /// The family of the address.
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
    /// How a permanent request is tried again.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RetryPolicy {
        /// How long to wait after a failure. Default: 5 s, doubling to 5 min.
        backoff / with_backoff: Backoff = Backoff::default();
        /// The least time between the starts of two dials of one address or node, also when it is
        /// removed and added again. Beyond the manager's own
        /// [gap](super::ConnConfig::with_redial_gap) it holds only while the request lives.
        /// Default: none.
        redial_gap / with_redial_gap: Duration = Duration::ZERO;
    }
}

/// Why there is a connection, and what becomes of it when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It fills one of the automatic slots; another address takes its place.
    Automatic,
    /// It is wanted for ever: the same address is tried again.
    Permanent(RetryPolicy),
    /// It was asked for once.
    OneShot,
    /// It was accepted.
    Inbound,
}

/// Where a request is; the [module](super) shows the transitions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnState {
    /// It is dialled, or waits for that after an established connection ended.
    Pending {
        /// How many attempts in a row failed before.
        attempt: u32,
    },
    /// The connection is up.
    Established,
    /// The owner has called it good.
    Ready,
    /// The last dial failed, and it waits for the next.
    Failing,
    /// It was ended before it had a connection. Terminal.
    Canceled,
    /// Its connection ended for good. Terminal.
    Disconnected(CloseReason),
    /// Its dial failed for good. Terminal.
    Failed(ConnectError),
}

/// `one-shot`, for example.
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

/// `ready`, for example; a final state with its cause: `failed: connection refused`.
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
    /// Whether nothing more will happen to the request.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Canceled | Self::Disconnected(_) | Self::Failed(_)
        )
    }

    /// Whether the connection is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Established | Self::Ready)
    }
}

/// Whether to connect again after an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reconnect {
    /// As the kind says: a permanent request is tried again, an automatic one replaced, others end.
    #[default]
    ByKind,
    /// The same address again, whatever the kind, after the usual wait.
    Force,
    /// Not this address, not even of a permanent request.
    Never,
}

/// One row of the manager's table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RequestInfo<A> {
    /// Its id.
    pub id: ReqId,
    /// Its kind.
    pub kind: Kind,
    /// Where it leads to or, if accepted, comes from.
    pub addr: A,
    /// Where it is.
    pub state: ConnState,
    /// How many attempts in a row failed, or brought a connection that did not last.
    pub failures: u32,
    /// After which time it is dialled next, while it waits for that.
    pub next_dial: Option<Duration>,
}

/// In one line: its number, what it is, where it leads, its state, and while it waits, for how long.
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

/// How many requests of one kind there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Count {
    /// Without a connection.
    pub pending: usize,
    /// With one.
    pub connected: usize,
}

/// How many requests there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Automatic ones.
    pub automatic: Count,
    /// Permanent ones.
    pub permanent: Count,
    /// One-shot ones.
    pub one_shot: Count,
    /// Accepted ones.
    pub inbound: Count,
    /// Dials in flight.
    pub dialing: usize,
    /// Whether the network [counts as down](super::ConnConfig::with_offline_after): too many automatic dials
    /// in a row have failed, and nothing is connected.
    pub offline: bool,
}

impl Counts {
    pub(super) fn any_connected(&self) -> bool {
        let kinds = [self.automatic, self.permanent, self.one_shot, self.inbound];
        kinds.iter().any(|kind| kind.connected > 0)
    }
}
