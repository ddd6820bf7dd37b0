use std::time::Duration;

use crate::rlpx::MAX_PAYLOAD;
use crate::settings::settings;

settings! {
    /// Bounds on the requests to each peer, and on those of each peer.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RequestConfig {
        /// How long a request may take, with its wait for a place and for room to send. Default:
        /// 10 s; `Duration::MAX` means that it waits for as long as the peer is connected.
        timeout / with_timeout: Duration = Duration::from_secs(10);
        /// How many requests to one peer may be open at a time; at least 1. Default: 64.
        max_open / with_max_open: usize = 64, |open: usize| open.max(1);
        /// What happens to a request beyond those. Default: [`WhenOpen::Wait`].
        when_open / with_when_open: WhenOpen = WhenOpen::Wait;
        /// How many bytes a response may have, uncompressed. A larger one fails its request. Default:
        /// [`MAX_PAYLOAD`].
        max_response / with_max_response: usize = MAX_PAYLOAD;
        /// What happens to a peer whose response nobody asked for. Default: [`Unasked::Ignore`].
        unasked / with_unasked: Unasked = Unasked::Ignore;
        /// How many requests of one peer are answered at a time; at least 1. Default: 16.
        answering / with_answering: usize = 16, |answering: usize| answering.max(1);
        /// How many requests of one peer may wait behind those that are answered. One more gets
        /// the answer for this case, if the request has
        /// [one](super::RequestsBuilder::when_busy), else receiving pauses. Default: 64.
        waiting / with_waiting: usize = 64;
    }
}

/// What happens to a request to a peer that has the most open requests already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenOpen {
    /// It waits for its turn, within its time limit.
    #[default]
    Wait,
    /// It fails with [`RequestError::TooManyOpen`](super::RequestError::TooManyOpen).
    Refuse,
}

/// What happens to a peer that sends a response to no request, or one of the wrong type. A response
/// to a request that was given up is late and never counts as one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unasked {
    /// The response is dropped and [counted](super::RequestStats::unasked).
    #[default]
    Ignore,
    /// The peer ends with
    /// [`BREACH_OF_PROTOCOL`](crate::DisconnectReason::BREACH_OF_PROTOCOL).
    Disconnect,
}
