//! Detects that the machine was asleep.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use tracing::debug;

use super::shared::Shared;
use crate::calendar::wall;

/// How often the clocks are compared.
const EVERY: Duration = Duration::from_secs(10);

/// How far ahead of the monotonic clock the system clock must get to indicate sleep.
///
/// The monotonic clock stops while the machine sleeps, but the system clock does not.
///
/// A correction of the system clock by more than this time also counts as sleep, which does no
/// harm.
const JUMP: Duration = Duration::from_secs(20);

/// Notifies the connection manager when the machine wakes up, until the server stops.
///
/// The machine may then be on another network.
pub(super) async fn watch(shared: Arc<Shared>) {
    let stopping = shared.tasks.stopping.clone();
    let watching = async {
        loop {
            let moved = jump(wall).await;
            debug!(?moved, "the system clock jumped ahead");
            if shared.connections.network_changed().await.is_err() {
                return;
            }
        }
    };
    stopping.run_until_cancelled(watching).await;
}

/// Waits until the system clock jumps ahead, and returns how far it moved.
pub(super) async fn jump(wall: impl Fn() -> SystemTime) -> Duration {
    loop {
        let (before, started) = (wall(), Instant::now());
        sleep(EVERY).await;
        let moved = wall().duration_since(before).unwrap_or_default();
        if moved > started.elapsed().saturating_add(JUMP) {
            return moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_jump_ahead_is_reported() {
        let (begun, offset) = (Instant::now(), Mutex::new(Duration::from_secs(1000)));
        let wall = || SystemTime::UNIX_EPOCH + *offset.lock().unwrap() + begun.elapsed();
        let mut jump = std::pin::pin!(jump(wall));
        for step in [0, 10, -900, 19] {
            let at = offset.lock().unwrap().as_secs().saturating_add_signed(step);
            *offset.lock().unwrap() = Duration::from_secs(at);
            assert_eq!(jump.as_mut().now_or_never(), None, "{step}");
            tokio::time::advance(EVERY).await;
        }
        assert_eq!(jump.as_mut().now_or_never(), None);
        *offset.lock().unwrap() += Duration::from_secs(300);
        assert_eq!(jump.await, Duration::from_secs(310));
    }
}
