//! Waits for the reason of a failure that a peer's end has caused.

use std::time::Duration;

use tokio::task;
use tokio::time::timeout;

use super::Peer;

/// How long a connection may take to begin to end after the end of a protocol's function.
///
/// After a failed write, the driver waits up to a second for the remote's Disconnect.
const BEGINS: Duration = Duration::from_secs(2);

impl Peer {
    /// Waits until the outcome of a connection is set whose protocol has ended.
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
