//! The processes of a measurement.

use crate::worker::Worker;

pub(crate) fn node(mode: &str) -> Worker {
    Worker::start(&["node", mode])
}

/// Starts a process with peers of a node.
pub(crate) fn crowd(node: &Worker, peers: usize) -> Worker {
    let mut crowd = Worker::start(&["crowd", &node.greeting]);
    crowd.ask(&format!("connect {peers}"));
    crowd
}
