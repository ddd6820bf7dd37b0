//! A node within the test, for checks that the command line does not allow.

use std::ops::Deref;

use peermux::{EventStream, Peer, PeerEvent};
use peermux_protocols::bench::{self, Bench};
use peermux_protocols::echo::{self, Echo};

use crate::ours::Ours;

/// A node that speaks bench and echo. Its methods block.
pub(crate) struct Node {
    ours: Ours,
    echo: Echo,
    bench: Bench,
    events: EventStream<PeerEvent>,
}

impl Deref for Node {
    type Target = Ours;

    fn deref(&self) -> &Ours {
        &self.ours
    }
}

impl Node {
    pub(crate) fn start() -> Self {
        let echo = Echo::new(echo::Config::default());
        let bench = Bench::new(bench::Config::default());
        let ours = Ours::start(|builder| builder.protocol(bench.clone()).protocol(echo.clone()));
        Self {
            events: ours.server.subscribe(),
            ours,
            echo,
            bench,
        }
    }

    /// Waits for the next new peer, whichever side has dialled.
    pub(crate) fn next_peer(&mut self) -> Peer {
        loop {
            let event = self.ours.block_on(self.events.recv());
            if let PeerEvent::Added { peer } = event
                .expect("the server runs")
                .expect("few events, so none is missed")
            {
                return peer;
            }
        }
    }

    /// Makes a round trip of `echo/1` with each size. The content is compressible.
    pub(crate) fn round_trips(&self, peer: &Peer, sizes: &[usize]) {
        self.ours.block_on(async {
            let client = self.echo.client(peer).await.expect("echo is shared");
            for &size in sizes {
                let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
                let answer = client.round_trip(content).await;
                answer.unwrap_or_else(|error| panic!("a round trip of {size} bytes: {error}"));
            }
        });
    }

    /// Runs all modes of `bench/1` with a peer; the client verifies the answers.
    pub(crate) fn bench(&self, peer: &Peer, size: usize, count: u64) {
        self.ours.block_on(async {
            let client = self.bench.client(peer).await.expect("bench is shared");
            client.sink(count, size).await.expect("sink");
            client.source(count, size).await.expect("source");
            client.echo(count, size).await.expect("echo");
        });
    }
}
