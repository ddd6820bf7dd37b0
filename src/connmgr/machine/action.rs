use crate::connmgr::error::{CloseReason, ConnectError};
use crate::connmgr::request::{ConnState, Key, Kind, ReqId};
use std::time::Duration;

/// An action for the driver, to be carried out in order.
#[derive(Debug)]
pub(crate) enum Action<A> {
    /// Ask the address source for an address; pass its answer to `sourced`.
    Ask,
    /// Start a dial. The driver must call `dial_done` exactly once for each dial, even after a
    /// `CancelDial`.
    Dial {
        id: ReqId,
        generation: u32,
        addr: A,
        key: Option<Key>,
    },
    /// Cancel the dial in flight for this request.
    CancelDial { id: ReqId },
    /// Ask the owner to end its connection.
    Close { id: ReqId },
    /// Report the request's new state.
    State { id: ReqId, state: ConnState },
    /// Report the end of a connection.
    Closed {
        id: ReqId,
        key: Option<Key>,
        reason: CloseReason,
    },
    /// Report a failed dial.
    DialFailed {
        id: ReqId,
        addr: A,
        key: Option<Key>,
        error: ConnectError,
        failures: u32,
        retry_in: Option<Duration>,
    },
}

/// A connection to hand to the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening<A> {
    pub(crate) id: ReqId,
    pub(crate) kind: Kind,
    pub(crate) addr: A,
    pub(crate) key: Option<Key>,
    pub(crate) generation: u32,
}
