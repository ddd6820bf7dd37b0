//! A node of ours within the test, for what the command line does not show.

use std::future::Future;
use std::sync::Arc;

use peermux::{DialError, EventStream, Peer, PeerEvent, PeerOutcome, SecretKey, Server};
use peermux_protocols::bench::{self, Bench};
use peermux_protocols::echo::{self, Echo};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::program::DEADLINE;

/// A node that listens and speaks bench and echo, in a runtime of its own: its methods block.
pub(crate) struct Node {
    runtime: Runtime,
    pub(crate) server: Server,
    echo: Echo,
    bench: Bench,
    events: EventStream<PeerEvent>,
}

impl Node {
    pub(crate) fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let echo = Echo::new(echo::Config::default());
        let bench = Bench::new(bench::Config::default());
        let start = Server::builder(SecretKey::random(&mut rand::rng()))
            .listen("127.0.0.1:0".parse().expect("an address"))
            .protocol(bench.clone())
            .protocol(echo.clone())
            .start();
        let server = runtime.block_on(start).expect("a free port");
        Self {
            runtime,
            events: server.subscribe(),
            server,
            echo,
            bench,
        }
    }

    /// Runs something to its end, before the deadline.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let bounded = async { timeout(DEADLINE, future).await };
        self.runtime
            .block_on(bounded)
            .expect("done before the deadline")
    }

    pub(crate) fn enode(&self) -> String {
        self.server.enode().to_string()
    }

    pub(crate) fn dial(&self, enode: &str) -> Result<Peer, DialError> {
        self.block_on(self.server.dial(&enode.parse().expect("an enode URL")))
    }

    /// Waits for the next peer, of either direction.
    pub(crate) fn next_peer(&mut self) -> Peer {
        loop {
            let next = async { timeout(DEADLINE, self.events.recv()).await };
            let event = self
                .runtime
                .block_on(next)
                .expect("an event before the deadline");
            if let PeerEvent::Added { peer } = event
                .expect("the server runs")
                .expect("few events, so none is missed")
            {
                return peer;
            }
        }
    }

    /// Waits for a peer's end.
    pub(crate) fn outcome(&self, peer: &Peer) -> Arc<PeerOutcome> {
        self.block_on(peer.ended()).expect("it ended in order")
    }

    /// Makes a round trip of `echo/1` with each size. The content compresses well.
    pub(crate) fn round_trips(&self, peer: &Peer, sizes: &[usize]) {
        self.block_on(async {
            let client = self.echo.client(peer).await.expect("echo is shared");
            for &size in sizes {
                let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
                let answer = client.round_trip(content).await;
                answer.unwrap_or_else(|error| panic!("a round trip of {size} bytes: {error}"));
            }
        });
    }

    /// Runs all modes of `bench/1` with a peer; the client verifies what comes back.
    pub(crate) fn bench(&self, peer: &Peer, size: usize, count: u64) {
        self.block_on(async {
            let client = self.bench.client(peer).await.expect("bench is shared");
            client.sink(count, size).await.expect("sink");
            client.source(count, size).await.expect("source");
            client.echo(count, size).await.expect("echo");
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A failing test is not to fail a second time.
        let _ = self.runtime.block_on(self.server.shutdown(DEADLINE));
    }
}
