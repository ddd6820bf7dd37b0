//! Static nodes, to which the server keeps connections.

mod configured;
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

/// How many commands are queued before callers wait.
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
    /// The configuration has changed.
    Config { reply: oneshot::Sender<()> },
}

/// Sends commands to the [`Keeper`].
#[derive(Debug, Clone)]
pub(crate) struct StaticNodes {
    commands: mpsc::Sender<Command>,
    ended: Arc<Ended>,
    failures: Failures,
}

/// The receiving end of a [`Keeper`].
pub(crate) struct Inbox {
    commands: mpsc::Receiver<Command>,
    ended: Arc<Ended>,
}

/// The error of the last failed dial of each static node.
#[derive(Debug, Clone, Default)]
struct Failures(Arc<Mutex<BTreeMap<NodeId, DialError>>>);

/// Static nodes that may now be dialled, at most one entry per node.
///
/// Inserting an entry does not wait, so a `Drop` implementation can do it.
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
            failures: Failures::default(),
        };
        (nodes, inbox)
    }

    pub(crate) async fn add(&self, node: Enode) -> Result<(), StaticNodeError> {
        self.ask(|reply| Command::Add { node, reply }).await?
    }

    /// Removes a static node. Returns whether the node was static.
    pub(crate) async fn remove(&self, id: NodeId) -> Result<bool, StaticNodeError> {
        self.ask(|reply| Command::Remove { id, reply }).await
    }

    pub(crate) async fn list(&self) -> Result<Vec<StaticNode>, StaticNodeError> {
        self.ask(|reply| Command::List { reply }).await
    }

    /// Records why a dial of a static node failed.
    pub(crate) fn failed(&self, id: NodeId, error: &DialError) {
        self.failures.0.lock().insert(id, error.clone());
    }

    /// Applies the configuration in force to the static nodes and to the connection manager.
    ///
    /// The keeper applies the changes one by one, so that the later of two changes takes effect.
    pub(crate) async fn config_changed(&self) -> Result<(), StaticNodeError> {
        self.ask(|reply| Command::Config { reply }).await
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

    /// Reports that a static node may be dialled because its connection or ban has ended.
    pub(crate) fn reconsider(&self, id: NodeId) {
        self.ended.add(id);
    }
}
