//! Nodes that are kept connected for ever.

use tokio::sync::{mpsc, oneshot};

use super::StaticNodeError;
use crate::node::{Enode, NodeId};

/// How many commands wait before callers have to.
const COMMANDS: usize = 64;

pub(crate) enum Command {
    Add {
        node: Enode,
        reply: oneshot::Sender<Result<(), StaticNodeError>>,
    },
    Remove {
        id: NodeId,
        reply: oneshot::Sender<bool>,
    },
    /// A static node is connected no more.
    Disconnected { id: NodeId },
}

/// Gives commands to the [`Keeper`](super::keeper::Keeper).
#[derive(Debug, Clone)]
pub(crate) struct StaticNodes(mpsc::Sender<Command>);

/// What a [`Keeper`](super::keeper::Keeper) is given.
pub(crate) type Commands = mpsc::Receiver<Command>;

impl StaticNodes {
    pub(crate) fn new() -> (Self, Commands) {
        let (sender, receiver) = mpsc::channel(COMMANDS);
        (Self(sender), receiver)
    }

    pub(crate) async fn add(&self, node: Enode) -> Result<(), StaticNodeError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Command::Add { node, reply }).await;
        sent.map_err(|_| StaticNodeError::Stopped)?;
        answer.await.map_err(|_| StaticNodeError::Stopped)?
    }

    /// Whether it was a static node.
    pub(crate) async fn remove(&self, id: NodeId) -> Result<bool, StaticNodeError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Command::Remove { id, reply }).await;
        sent.map_err(|_| StaticNodeError::Stopped)?;
        answer.await.map_err(|_| StaticNodeError::Stopped)
    }

    /// Tells of the end of a peer. When the server stops it does not matter.
    pub(crate) async fn disconnected(&self, id: NodeId) {
        self.0.send(Command::Disconnected { id }).await.ok();
    }
}
