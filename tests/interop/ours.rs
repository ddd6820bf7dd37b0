//! A server within the test with its own runtime; its methods block.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use peermux::{DialError, Peer, PeerOutcome, SecretKey, Server, ServerBuilder};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::program::DEADLINE;

/// A server that listens on loopback and is shut down when dropped.
pub(crate) struct Ours {
    runtime: Runtime,
    pub(crate) server: Server,
}

impl Ours {
    /// Starts the server with the protocols that `describe` adds.
    pub(crate) fn start(describe: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let builder = Server::builder(SecretKey::random(&mut rand::rng()))
            .listen("127.0.0.1:0".parse().expect("an address"));
        let server = runtime
            .block_on(describe(builder).start())
            .expect("a free port");
        Self { runtime, server }
    }

    /// Runs a future to its end, within the deadline.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.block_on_within(DEADLINE, future)
    }

    /// Like [`block_on`](Self::block_on), with a different deadline.
    pub(crate) fn block_on_within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> T {
        let bounded = async { timeout(limit, future).await };
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

    /// Waits for the end of a connection.
    pub(crate) fn outcome(&self, peer: &Peer) -> Arc<PeerOutcome> {
        self.block_on(peer.ended()).expect("it ended in order")
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // The error is ignored, since a failing test must not fail a second time.
        let _ = self.runtime.block_on(self.server.shutdown(DEADLINE));
    }
}
