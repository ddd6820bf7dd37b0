//! What is remembered of nodes by id: sightings, failures, misbehaviour, bans.

mod ban;
mod db;
mod record;

pub use ban::{Ban, BanTarget};
pub use db::{NodeDb, NodeDbConfig};
pub use record::NodeInfo;
