//! A node that runs with a data directory.

use crate::folder::Folder;
use crate::process::{Ended, Peermux, run};

pub(crate) struct Node {
    /// The folder with the data directory.
    pub(crate) folder: Folder,
    pub(crate) home: String,
    pub(crate) process: Peermux,
    pub(crate) enode: String,
}

impl Node {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        let home = folder.text("home");
        let (process, enode) = Peermux::listen(&["--data-dir", &home]);
        Self {
            folder,
            home,
            process,
            enode,
        }
    }

    /// Runs a command about this node to its end.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Ended {
        run(&[&[command, "--data-dir", &self.home], arguments].concat())
    }
}
