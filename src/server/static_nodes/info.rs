use std::time::Duration;

use crate::node::Enode;
use crate::server::DialError;

/// The state of a static node, see [`Server::static_nodes`](crate::Server::static_nodes).
///
/// With the feature `serde` this type serialises to one JSON object with `node_id`, `enode`,
/// `connected`, `failures`, `retry_in_ms` and `error`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StaticNode {
    /// The node, with the endpoint to dial.
    pub node: Enode,
    /// Whether the node is connected now.
    pub connected: bool,
    /// The number of attempts in a row that failed or whose connection did not last.
    pub failures: u32,
    /// The time until the next attempt, if the node waits for one.
    pub next_dial: Option<Duration>,
    /// Why the node is not connected: its ban, or the error of its last dial.
    ///
    /// `None` if it was not dialled since it was added, or since its connection or ban ended.
    pub error: Option<DialError>,
}

#[cfg(feature = "serde")]
impl serde::Serialize for StaticNode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;

        use crate::setup::FailureInfo;
        use crate::time::millis;

        let mut object = serializer.serialize_struct("StaticNode", 6)?;
        object.serialize_field("node_id", &self.node.node_id())?;
        object.serialize_field("enode", &self.node)?;
        object.serialize_field("connected", &self.connected)?;
        object.serialize_field("failures", &self.failures)?;
        object.serialize_field("retry_in_ms", &self.next_dial.map(millis))?;
        object.serialize_field("error", &self.error.as_ref().map(FailureInfo::from))?;
        object.end()
    }
}
