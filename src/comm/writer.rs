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
    // If the queue has ended, whoever ended it also closes the connection, so this waits for that.
    // Otherwise the connection is closed because this function returns.
    if queue.has_ended() {
        pending::<()>().await;
    }
}
