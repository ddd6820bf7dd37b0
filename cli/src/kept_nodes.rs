//! Keeps, for the next start, the nodes that were added or trusted at runtime.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peermux::private_file;
use peermux::{Enode, NodeId, Server};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The maximum number of nodes in each list. The lists are filled by hand.
const MOST: usize = 10_000;

/// The file of added and trusted nodes in a data directory, and its contents.
#[derive(Debug, Clone)]
pub(crate) struct KeptNodes {
    path: PathBuf,
    nodes: Arc<Mutex<Nodes>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Nodes {
    static_nodes: Vec<Enode>,
    trusted_nodes: Vec<NodeId>,
}

impl KeptNodes {
    /// Reads the file, if there is one.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Failure> {
        let wrong = |why: &dyn std::fmt::Display| {
            Failure::because(format!("the list of nodes {}: {why}", path.display()))
        };
        let nodes = match private_file::open(&path) {
            Ok(file) => serde_json::from_reader(file).map_err(|error| wrong(&error))?,
            Err(private_file::OpenError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                Nodes::default()
            }
            Err(error) => return Err(wrong(&error)),
        };
        Ok(Self {
            nodes: Arc::new(Mutex::new(nodes)),
            path,
        })
    }

    /// Adds the nodes to a server that does not have them yet.
    ///
    /// A node that the server does not permit is left out until the next call, so call this again
    /// after each change of the server's configuration.
    pub(crate) async fn apply(&self, server: &Server) {
        let Nodes {
            static_nodes,
            trusted_nodes,
        } = self.lock().clone();
        for id in trusted_nodes {
            server.trust(id);
        }
        for node in static_nodes {
            let id = node.node_id();
            if let Err(error) = server.add_static(node).await {
                tracing::warn!(%id, %error, "a kept static node is not added");
            }
        }
    }

    pub(crate) fn add(&self, node: &Enode) -> Result<(), String> {
        self.change(|nodes| {
            nodes
                .static_nodes
                .retain(|known| known.node_id() != node.node_id());
            nodes.static_nodes.push(node.clone());
        })
    }

    pub(crate) fn remove(&self, id: &NodeId) -> Result<(), String> {
        self.change(|nodes| nodes.static_nodes.retain(|known| known.node_id() != *id))
    }

    pub(crate) fn trust(&self, id: NodeId) -> Result<(), String> {
        self.change(|nodes| {
            nodes.trusted_nodes.retain(|known| *known != id);
            nodes.trusted_nodes.push(id);
        })
    }

    pub(crate) fn distrust(&self, id: &NodeId) -> Result<(), String> {
        self.change(|nodes| nodes.trusted_nodes.retain(|known| known != id))
    }

    /// Changes the lists, and writes the file if the lists are no longer the same. After an error,
    /// lists and file are unchanged.
    fn change(&self, change: impl FnOnce(&mut Nodes)) -> Result<(), String> {
        let mut nodes = self.lock();
        let mut changed = nodes.clone();
        change(&mut changed);
        if changed == *nodes {
            return Ok(());
        }
        if changed.static_nodes.len().max(changed.trusted_nodes.len()) > MOST {
            return Err(format!("at most {MOST} nodes are kept"));
        }
        let text = serde_json::to_vec_pretty(&changed).map_err(|error| error.to_string())?;
        let written = private_file::write_over(&self.path, &text);
        written.map_err(|error| {
            format!(
                "cannot write the list of nodes {}: {error}",
                self.path.display()
            )
        })?;
        *nodes = changed;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Nodes> {
        // A panic cannot leave a change half done, because a change is one assignment.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
