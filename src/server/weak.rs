use std::fmt;
use std::sync::{Arc, Weak};

use super::Server;
use super::server::KillOnDrop;
use super::shared::Shared;

/// A handle that does not keep a node running, made by [`Server::downgrade`].
///
/// Use it in tasks that belong to the node, such as one that relays messages: a task with a
/// [`Server`] would keep the node running after the application has dropped its own handle.
#[derive(Clone)]
pub struct WeakServer {
    shared: Weak<Shared>,
    last: Weak<KillOnDrop>,
}

impl WeakServer {
    /// Returns the node's handle, or `None` once the last other handle has been dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<Server> {
        Some(Server {
            shared: self.shared.upgrade()?,
            last: self.last.upgrade()?,
        })
    }
}

impl fmt::Debug for WeakServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakServer").finish_non_exhaustive()
    }
}

impl Server {
    /// Returns a handle that does not keep the node running.
    #[must_use]
    pub fn downgrade(&self) -> WeakServer {
        WeakServer {
            shared: Arc::downgrade(&self.shared),
            last: Arc::downgrade(&self.last),
        }
    }
}
