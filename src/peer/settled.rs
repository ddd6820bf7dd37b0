//! Waits for the reason of a failure that a peer's end has caused.

use std::time::Duration;

use tokio::task;
use tokio::time::timeout;

use super::Peer;

/// How long after a protocol's end its connection may take to begin to end.
///
/// After a failed write, the driver waits up to a second for the remote's Disconnect.
const BEGINS: Duration = Duration::from_secs(2);

impl Peer {
    /// Waits for the outcome of the connection, one of whose protocols has ended.
    ///
    /// There is no wait in the task of one of the peer's protocols, because the outcome waits for
    /// that task. If the connection goes on without the protocol, this returns after 2 s. Cancel
    /// safe.
    pub(crate) async fn settled(&self) {
        if !self.is_current() && timeout(BEGINS, self.ending()).await.is_ok() {
            self.ended().await;
        }
    }

    /// Whether the caller runs in the task of one of the peer's protocols.
    fn is_current(&self) -> bool {
        let (tasks, current) = (self.control().tasks.get(), task::try_id());
        tasks.is_some_and(|tasks| tasks.iter().any(|task| Some(*task) == current))
    }
}
