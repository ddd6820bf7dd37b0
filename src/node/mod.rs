//! Node identities and addresses.

mod key;

pub use key::{KeyError, NodeId, PublicKey, SecretKey};
