//! Nodes that are kept connected for ever.

mod info;
mod keeper;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot};

pub use info::StaticNode;
pub(crate) use keeper::Keeper;

use super::{DialError, StaticNodeError};
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
    List {
        reply: oneshot::Sender<Vec<StaticNode>>,
    },
    /// The settings have changed.
    Limits { reply: oneshot::Sender<()> },
}

/// Gives commands to the [`Keeper`].
#[derive(Debug, Clone)]
pub(crate) struct StaticNodes {
    commands: mpsc::Sender<Command>,
    ended: Arc<Ended>,
    failures: Failures,
}

/// What a [`Keeper`] is given.
pub(crate) struct Inbox {
    commands: mpsc::Receiver<Command>,
    ended: Arc<Ended>,
    failures: Failures,
}

/// Why the last dial of each static node brought no connection.
#[derive(Debug, Clone, Default)]
struct Failures(Arc<Mutex<BTreeMap<NodeId, DialError>>>);

/// Static nodes that may be dialled now. A drop can put something in, and there is at most one entry for
/// each of them.
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
            failures: Failures::default(),
        };
        let nodes = Self {
            commands: sender,
            ended,
            failures: inbox.failures.clone(),
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

    pub(crate) async fn list(&self) -> Result<Vec<StaticNode>, StaticNodeError> {
        self.ask(|reply| Command::List { reply }).await
    }

    /// Keeps why a static node was not connected to.
    pub(crate) fn failed(&self, id: NodeId, error: &DialError) {
        self.failures.0.lock().insert(id, error.clone());
    }

    /// Has the connection manager take on the settings in force. In the keeper's hands, so that of two
    /// changes the later one lasts.
    pub(crate) async fn limits_changed(&self) -> Result<(), StaticNodeError> {
        self.ask(|reply| Command::Limits { reply }).await
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

    /// Reports what may change whether a static node is wanted: the end of its connection, or of a ban.
    pub(crate) fn reconsider(&self, id: NodeId) {
        self.ended.add(id);
    }
}
