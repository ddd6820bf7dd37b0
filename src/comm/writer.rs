//! What goes out over one connection.

use std::future::pending;
use std::sync::Arc;

use tracing::debug;

use super::acks::AckTable;
use super::send_queue::SendQueue;
use crate::channel::ProtocolSender;

/// Lets the connection take what is queued, until the transport takes nothing more.
pub(crate) async fn write(queue: Arc<SendQueue>, acks: Arc<AckTable>, sender: ProtocolSender) {
    let Some(lane) = sender.into_lane() else {
        return;
    };
    let opening = queue.open(lane, acks);
    opening.over().await;
    debug!("the transport takes no more messages");
    // Whoever ended the queue ends the connection; a transport that takes nothing more does too.
    if queue.has_ended() {
        pending::<()>().await;
    }
}
