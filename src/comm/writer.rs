//! The sending side of one connection.

use std::future::pending;
use std::sync::Arc;

use tracing::debug;

use super::acks::AckTable;
use super::send_queue::SendQueue;
use crate::channel::ProtocolSender;

/// Lets the connection take queued messages until the transport accepts no more.
pub(crate) async fn write(queue: Arc<SendQueue>, acks: Arc<AckTable>, sender: ProtocolSender) {
    let Some(lane) = sender.into_lane() else {
        return;
    };
    let opening = queue.open(lane, acks);
    opening.over().await;
    debug!("the transport accepts no more messages");
    // If the queue has ended, the code that ended the queue also closes the connection, and this
    // function only waits. Otherwise the return of this function closes the connection.
    if queue.has_ended() {
        pending::<()>().await;
    }
}
