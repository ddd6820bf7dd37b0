use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use peermux::Peer;
use peermux::requests::{RequestConfig, Requests};
use tokio::sync::mpsc;

use super::event::Events;
use super::run::{Eth, Shared};
use super::store::Store;
use super::version::{AllRequests, Version};
use super::{Chain, Header, HeadersQuery, MAX_MESSAGE, VERSIONS};

/// How many events are queued for the application.
const EVENTS: usize = 256;

/// The settings of an [`Eth`].
#[derive(Debug)]
#[must_use]
pub struct EthBuilder {
    chain: Chain,
    versions: RangeInclusive<u64>,
    handshake_timeout: Duration,
    requests: RequestConfig,
    store: Store,
}

impl Eth {
    /// Returns a builder for a node on `chain`.
    ///
    /// A peer on another chain is refused.
    pub fn builder(chain: Chain) -> EthBuilder {
        EthBuilder {
            chain,
            versions: VERSIONS,
            handshake_timeout: Duration::from_secs(5),
            requests: RequestConfig::default().with_max_response(MAX_MESSAGE),
            store: Store::default(),
        }
    }
}

impl EthBuilder {
    /// Sets which of the versions 68, 69 and 70 are supported.
    ///
    /// Default: all. Other versions in the range are ignored. Each peer uses the highest version that both sides support.
    pub fn versions(mut self, versions: RangeInclusive<u64>) -> Self {
        self.versions = versions;
        self
    }

    /// Sets how long a peer may take to send its Status.
    ///
    /// Default: 5 s.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets the limits of requests, in both directions.
    ///
    /// Default: [`RequestConfig::default`], with responses of up to [`MAX_MESSAGE`].
    pub fn requests(mut self, config: RequestConfig) -> Self {
        self.requests = config;
        self
    }

    /// Sets the function that answers header queries.
    ///
    /// The function returns those of the requested headers that the node has, in order, starting
    /// with the first requested header. Default: no headers.
    ///
    /// The query's limit is at most [`MAX_HEADERS`](super::MAX_HEADERS). Headers beyond the limit,
    /// or beyond [`MAX_RESPONSE`](super::MAX_RESPONSE) bytes, are not sent.
    pub fn headers<F, Fut>(mut self, headers: F) -> Self
    where
        F: Fn(Peer, HeadersQuery) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Header>> + Send + 'static,
    {
        self.store = Store::new(headers);
        self
    }

    /// Returns the protocol and its events.
    ///
    /// Drop the events if the application does not need them.
    #[must_use]
    pub fn build(self) -> (Eth, Events) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let store = Arc::new(self.store);
        let all = AllRequests {
            requests68: requests(self.requests, &store),
            requests69: requests(self.requests, &store),
            requests70: requests(self.requests, &store),
        };
        let (versions, timeout) = (self.versions, self.handshake_timeout);
        let shared = Shared::new(self.chain, versions, timeout, all, events);
        (Eth::of(shared), Events(receiver))
    }
}

fn requests<V: Version>(config: RequestConfig, store: &Arc<Store>) -> Requests<V> {
    V::answers(Requests::builder().config(config), store).build()
}
