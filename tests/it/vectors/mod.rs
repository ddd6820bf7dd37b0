//! The test vectors in `tests/vectors/devp2p.json`, one file here a topic.

mod capabilities;
mod cases;
mod disconnect;
mod hello;
mod nodes;
