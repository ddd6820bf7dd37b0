use crate::connmgr::error::{CloseReason, ConnectError};
use crate::connmgr::request::{ConnState, Kind, ReqId};
use std::time::Duration;

/// What the driver has to do, in this order.
#[derive(Debug)]
pub(crate) enum Action<A> {
    /// Ask the address source; the answer goes to `sourced`.
    Ask,
    /// Start a dial. It is answered by exactly one `dial_done`, also after a `CancelDial`.
    Dial { id: ReqId, generation: u32, addr: A },
    /// Give up the dial that is in flight for this request.
    CancelDial { id: ReqId },
    /// Ask the owner to end its connection.
    Close { id: ReqId },
    /// The request is in this state now.
    State { id: ReqId, state: ConnState },
    /// Report the end of a connection.
    Closed { id: ReqId, reason: CloseReason },
    /// Report a failed dial.
    DialFailed {
        id: ReqId,
        addr: A,
        error: ConnectError,
        failures: u32,
        retry_in: Option<Duration>,
    },
}

/// A connection that the owner is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening<A> {
    pub(crate) id: ReqId,
    pub(crate) kind: Kind,
    pub(crate) addr: A,
    pub(crate) generation: u32,
}
