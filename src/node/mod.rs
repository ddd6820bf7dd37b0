//! Identities and endpoints of nodes.
//!
//! A node is identified by its static key on the curve secp256k1. [`PublicKey`] is that key, and
//! [`NodeId`] is its hash, which distinguishes peers. [`Enode`] and [`NodeRecord`] add an
//! [`Endpoint`]; an enode and a record are the two forms in which people and programs exchange
//! nodes as text. [`Node`] parses either form.

mod any;
mod endpoint;
mod enode;
mod excerpt;
mod group;
mod key;
mod record;
mod values;

pub use any::{Node, NodeError};
pub use endpoint::{Endpoint, EndpointError, Host};
pub use enode::{Enode, EnodeError};
pub(crate) use excerpt::excerpt;
pub use excerpt::withhold_keys;
pub use group::{Group, Reach};
pub(crate) use key::recover;
pub use key::{KeyError, NodeId, PublicKey, SecretKey};
pub use record::{MAX_RECORD, NodeRecord, NodeRecordBuilder, RecordError};

#[cfg(feature = "serde")]
crate::serde_text::serde_as_text!(Enode, Node, NodeRecord);
