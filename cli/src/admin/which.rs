//! The options that name a running node.

use std::path::PathBuf;

use crate::data_dir;
use crate::failure::Failure;

/// Options that name a running node.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The data directory of the node
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "admin")]
    data_dir: Option<PathBuf>,
    /// The node's admin socket, if it is not in a data directory
    #[arg(long, global = true, value_name = "PATH")]
    admin: Option<PathBuf>,
}

impl Which {
    /// Returns whether the options name a node.
    pub(crate) fn is_given(&self) -> bool {
        self.data_dir.is_some() || self.admin.is_some()
    }

    /// Returns the path of the named node's admin socket.
    pub(crate) fn socket(&self) -> Result<PathBuf, Failure> {
        let in_folder = self.data_dir.as_deref().map(data_dir::admin_socket);
        in_folder.or_else(|| self.admin.clone()).ok_or_else(|| {
            Failure::Usage("--data-dir DIR or --admin PATH is needed: the node to ask".to_owned())
        })
    }
}
