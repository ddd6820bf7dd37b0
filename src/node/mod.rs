//! Node identities and addresses.

mod key;

pub(crate) use key::recover;
pub use key::{KeyError, NodeId, PublicKey, SecretKey};
