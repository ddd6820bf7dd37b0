//! A node within the test that speaks `eth` and serves headers that it received.

use std::collections::BTreeMap;
use std::ops::{Deref, RangeInclusive};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use peermux::{NodeId, ServerBuilder};
use peermux_protocols::eth::{Chain, Eth, Event, Events, Header, HeadersQuery, Start};

use crate::ours::Ours;
use crate::program::DEADLINE;

/// The node. Its methods block.
pub(crate) struct EthNode {
    ours: Ours,
    eth: Eth,
    events: Events,
    headers: Arc<Mutex<BTreeMap<u64, Header>>>,
    queries: Receiver<HeadersQuery>,
}

impl Deref for EthNode {
    type Target = Ours;

    fn deref(&self) -> &Ours {
        &self.ours
    }
}

impl EthNode {
    pub(crate) fn start(chain: Chain, versions: RangeInclusive<u64>) -> Self {
        Self::start_with(chain, versions, |builder| builder)
    }

    /// Like [`start`](Self::start), but lets `describe` add more to the server.
    pub(crate) fn start_with(
        chain: Chain,
        versions: RangeInclusive<u64>,
        describe: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let headers = Arc::new(Mutex::new(BTreeMap::new()));
        let store = Arc::clone(&headers);
        let (asked, queries) = sync_channel(64);
        let builder = Eth::builder(chain).versions(versions);
        let builder = builder.headers(move |_, query| {
            // An error is ignored, since not every test reads the queries.
            let _ = asked.try_send(query);
            let found = find(&store.lock().expect("no panic"), &query);
            async move { found }
        });
        let (eth, events) = builder.build();
        let ours = Ours::start(|builder| describe(eth.register(builder)));
        Self {
            ours,
            eth,
            events,
            headers,
            queries,
        }
    }

    /// Returns the next event if it has already arrived.
    pub(crate) fn told(&mut self) -> Option<Event> {
        self.events.next().now_or_never().flatten()
    }

    pub(crate) fn event(&mut self) -> Event {
        self.event_within(DEADLINE)
    }

    /// Like `event`, with a different time limit.
    pub(crate) fn event_within(&mut self, limit: Duration) -> Event {
        let event = self.ours.block_on_within(limit, self.events.next());
        event.expect("the node runs")
    }

    /// Waits for a peer's next query.
    pub(crate) fn asked(&self) -> HeadersQuery {
        self.queries.recv_timeout(DEADLINE).expect("a query")
    }

    /// Requests headers from a peer, and stores them.
    pub(crate) fn headers(&self, peer: &NodeId, query: HeadersQuery) -> Vec<Header> {
        let headers = self.ours.block_on(self.eth.headers(peer, query));
        let headers = headers.expect("an answer");
        let mut kept = self.headers.lock().expect("no panic");
        kept.extend(
            headers
                .iter()
                .map(|header| (header.number(), header.clone())),
        );
        headers
    }
}

fn find(headers: &BTreeMap<u64, Header>, query: &HeadersQuery) -> Vec<Header> {
    let first = match query.start {
        Start::Number(number) => Some(number),
        Start::Hash(hash) => {
            let mut all = headers.values();
            all.find(|header| header.hash() == hash).map(Header::number)
        }
    };
    let numbers = first.into_iter().flat_map(|first| query.numbers(first));
    numbers
        .map_while(|number| headers.get(&number).cloned())
        .collect()
}
