use std::time::Duration;

use crate::rlpx::MAX_PAYLOAD;
use crate::settings::settings;

settings! {
    /// Limits on the requests to and from each peer.
    #[doc(alias = "timeout")]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RequestConfig {
        /// The time limit of a request, including waits for a slot and for sending.
        ///
        /// Default: 10 s. With `Duration::MAX`, a request waits until the connection ends.
        timeout / with_timeout: Duration = Duration::from_secs(10);
        /// The maximum number of open requests to one peer; at least 1. Default: 64.
        max_open / with_max_open: usize = 64, |open: usize| open.max(1);
        /// What happens to a request while `max_open` requests are open.
        /// Default: [`WhenOpen::Wait`].
        when_open / with_when_open: WhenOpen = WhenOpen::Wait;
        /// The largest response in uncompressed bytes. A larger response fails its request.
        /// Default: [`MAX_PAYLOAD`].
        max_response / with_max_response: usize = MAX_PAYLOAD;
        /// How an unexpected response is handled. Default: [`Unasked::Ignore`].
        unasked / with_unasked: Unasked = Unasked::Ignore;
        /// How a late response is handled. Default: [`Unasked::Ignore`].
        ///
        /// A response is late if its request was cancelled or has timed out.
        late / with_late: Unasked = Unasked::Ignore;
        /// How many requests from one peer are answered at a time; at least 1. Default: 16.
        answering / with_answering: usize = 16, |answering: usize| answering.max(1);
        /// How many further requests from one peer may wait to be answered.
        ///
        /// If no more requests may wait, a request gets its [busy
        /// answer](super::RequestsBuilder::when_busy). If requests of its type have no busy answer,
        /// receiving pauses until there is room. Default: 64.
        waiting / with_waiting: usize = 64;
    }
}

/// What happens to a request when the peer has the maximum number of open requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenOpen {
    /// The request waits for a slot, within its time limit.
    #[default]
    Wait,
    /// The request fails with [`RequestError::TooManyOpen`](super::RequestError::TooManyOpen).
    Refuse,
}

/// How a response that no caller waits for is handled.
///
/// An [unexpected](RequestConfig::unasked) response answers no request, is of the wrong type, or is
/// too large. A response to a request that was cancelled or timed out is
/// [late](RequestConfig::late), and never counts as unexpected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unasked {
    /// The response is dropped and [counted](super::RequestStats).
    #[default]
    Ignore,
    /// The peer is disconnected with
    /// [`BREACH_OF_PROTOCOL`](crate::DisconnectReason::BREACH_OF_PROTOCOL).
    Disconnect,
}
