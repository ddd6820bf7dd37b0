//! Nodes that are kept connected for ever.

mod keeper;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot};

pub(crate) use keeper::Keeper;

use super::StaticNodeError;
use crate::mutex::Mutex;
use crate::node::{Enode, NodeId};

/// How many commands wait before callers have to.
const COMMANDS: usize = 64;

enum Command {
    Add {
        node: Enode,
        reply: oneshot::Sender<Result<(), StaticNodeError>>,
    },
    Remove {
        id: NodeId,
        reply: oneshot::Sender<bool>,
    },
}

/// Gives commands to the [`Keeper`].
#[derive(Debug, Clone)]
pub(crate) struct StaticNodes {
    commands: mpsc::Sender<Command>,
    ended: Arc<Ended>,
}

/// What a [`Keeper`] is given.
pub(crate) struct Inbox {
    commands: mpsc::Receiver<Command>,
    ended: Arc<Ended>,
}

/// Static nodes that are connected no more. A drop can put something in, and there is at most one
/// entry for each of them.
#[derive(Debug, Default)]
struct Ended {
    nodes: Mutex<BTreeSet<NodeId>>,
    changed: Notify,
}

impl Ended {
    fn add(&self, id: NodeId) {
        let mut nodes = self.nodes.lock();
        nodes.insert(id);
        drop(nodes);
        self.changed.notify_one();
    }

    fn take(&self) -> BTreeSet<NodeId> {
        std::mem::take(&mut *self.nodes.lock())
    }
}

impl StaticNodes {
    pub(crate) fn new() -> (Self, Inbox) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let ended = Arc::new(Ended::default());
        let inbox = Inbox {
            commands,
            ended: Arc::clone(&ended),
        };
        let nodes = Self {
            commands: sender,
            ended,
        };
        (nodes, inbox)
    }

    pub(crate) async fn add(&self, node: Enode) -> Result<(), StaticNodeError> {
        self.ask(|reply| Command::Add { node, reply }).await?
    }

    /// Whether it was a static node.
    pub(crate) async fn remove(&self, id: NodeId) -> Result<bool, StaticNodeError> {
        self.ask(|reply| Command::Remove { id, reply }).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, StaticNodeError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| StaticNodeError::Stopped)?;
        answer.await.map_err(|_| StaticNodeError::Stopped)
    }

    /// Reports the end of a static node's connection.
    pub(crate) fn disconnected(&self, id: NodeId) {
        self.ended.add(id);
    }
}
