//! The records of nodes by id: sightings, failures, misbehaviour, bans.

mod ban;
mod db;
mod known_node;

pub use ban::{Ban, BanTarget};
pub use db::{NodeDb, NodeDbConfig};
pub use known_node::KnownNode;
