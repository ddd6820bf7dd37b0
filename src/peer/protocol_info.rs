//! How protocols describe this node and its peers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::guarded::caught;
use crate::node::NodeId;

/// A protocol's description of this node or of one of its peers.
///
/// A description is a text or a set of named texts. With the feature `serde` it can be any value
/// with a JSON form.
///
/// ```
/// use peermux::Protocol;
/// use peermux::peer::ProtocolInfo;
///
/// let protocol = Protocol::builder("relay", 1, 1)
///     .node_info(|| ProtocolInfo::fields([("height", 7.to_string())]))
///     .run(|_peer, _conn| async move { Ok(()) });
/// assert_eq!(protocol.node_info().field("height"), Some("7"));
/// ```
#[derive(Clone, PartialEq)]
pub struct ProtocolInfo(Form);

#[derive(Clone, PartialEq)]
enum Form {
    Text(String),
    Fields(BTreeMap<String, String>),
    #[cfg(feature = "serde")]
    Json(serde_json::Value),
}

impl ProtocolInfo {
    /// No description, which is shown as `"unknown"`.
    #[must_use]
    pub fn unknown() -> Self {
        Self::text("unknown")
    }

    /// A text, which is a string in JSON.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self(Form::Text(text.into()))
    }

    /// Named texts, which are an object of strings in JSON.
    ///
    /// If a name occurs more than once, its last text counts.
    #[must_use]
    pub fn fields<N: Into<String>, V: Into<String>>(
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let fields = fields.into_iter();
        let fields = fields.map(|(name, value)| (name.into(), value.into()));
        Self(Form::Fields(fields.collect()))
    }

    /// The JSON form of a value; [`unknown`](Self::unknown) if it has none.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn of(value: impl serde::Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(serde_json::Value::String(text)) => Self::text(text),
            Ok(value) => Self(Form::Json(value)),
            Err(_) => Self::unknown(),
        }
    }

    /// Returns the text with this name, if any.
    ///
    /// Returns `None` for a single text, and for a JSON value without a string of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        match &self.0 {
            Form::Text(_) => None,
            Form::Fields(fields) => fields.get(name).map(String::as_str),
            #[cfg(feature = "serde")]
            Form::Json(value) => value.get(name)?.as_str(),
        }
    }
}

#[cfg(feature = "serde")]
impl From<ProtocolInfo> for serde_json::Value {
    fn from(info: ProtocolInfo) -> Self {
        match info.0 {
            Form::Text(text) => text.into(),
            Form::Fields(fields) => fields.into_iter().collect(),
            Form::Json(value) => value,
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ProtocolInfo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Text(text) => text.serialize(serializer),
            Form::Fields(fields) => fields.serialize(serializer),
            Form::Json(value) => value.serialize(serializer),
        }
    }
}

/// The text; the fields as `height=7, peers=2`; a JSON value as JSON.
impl fmt::Display for ProtocolInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Text(text) => f.write_str(text),
            Form::Fields(fields) => {
                let mut before = "";
                for (name, value) in fields {
                    write!(f, "{before}{name}={value}")?;
                    before = ", ";
                }
                Ok(())
            }
            #[cfg(feature = "serde")]
            Form::Json(value) => value.fmt(f),
        }
    }
}

impl fmt::Debug for ProtocolInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtocolInfo({self})")
    }
}

/// The functions that describe a protocol's node and peers.
#[derive(Clone, Default)]
pub(super) struct InfoFns {
    pub(super) node: Option<Arc<dyn Fn() -> ProtocolInfo + Send + Sync>>,
    pub(super) peer: Option<Arc<dyn Fn(NodeId) -> Option<ProtocolInfo> + Send + Sync>>,
}

impl InfoFns {
    /// Describes the node. Returns `unknown` if the protocol's function panics, so that the caller,
    /// which is not part of the protocol, continues.
    pub(super) fn of_node(&self) -> ProtocolInfo {
        let info = self.node.as_ref();
        let info = info.and_then(|info| caught("a protocol's description of this node", || info()));
        info.unwrap_or_else(ProtocolInfo::unknown)
    }

    /// Like [`of_node`](Self::of_node), for one peer.
    pub(super) fn of_peer(&self, id: NodeId) -> Option<ProtocolInfo> {
        let info = self.peer.as_ref();
        let info = info.and_then(|info| caught("a protocol's description of a peer", || info(id)));
        info.unwrap_or_else(|| Some(ProtocolInfo::unknown()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panicking_function_returns_no_description() {
        let panics = InfoFns {
            node: Some(Arc::new(|| panic!("node"))),
            peer: Some(Arc::new(|_| panic!("peer"))),
        };
        assert_eq!(panics.of_node(), ProtocolInfo::unknown());
        let peer = crate::node::SecretKey::generate().public_key().node_id();
        assert_eq!(panics.of_peer(peer), Some(ProtocolInfo::unknown()));
    }

    #[test]
    fn texts_work_with_and_without_json() {
        let fields = ProtocolInfo::fields([("peers", "3"), ("height", "7"), ("peers", "2")]);
        assert_eq!(fields.to_string(), "height=7, peers=2");
        assert_eq!(
            (fields.field("peers"), fields.field("x")),
            (Some("2"), None)
        );
        let text = ProtocolInfo::text("asleep");
        assert_eq!(
            (text.to_string().as_str(), text.field("peers")),
            ("asleep", None)
        );
        assert_eq!(ProtocolInfo::unknown().to_string(), "unknown");
        #[cfg(feature = "serde")]
        {
            let json = serde_json::json!({"height": "7", "peers": "2"});
            assert_eq!(serde_json::to_value(&fields).ok(), Some(json.clone()));
            assert_eq!(serde_json::Value::from(fields), json);
            assert_eq!(ProtocolInfo::of("unknown"), ProtocolInfo::unknown());
            assert_eq!(ProtocolInfo::of(json).field("height"), Some("7"));
        }
    }
}
