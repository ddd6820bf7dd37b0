//! Requests to a running node and their answers, as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use peermux::{Enode, NodeId};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use crate::form;

/// The longest request, in bytes.
pub const LONGEST: usize = 4096;

/// What a node is asked for. A request without fields has braces, since others would be let pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "the table of the admin interface says what they are"
)]
pub enum Request {
    Peers {},
    NodeInfo {},
    Add {
        #[serde(deserialize_with = "read_node")]
        enode: Enode,
    },
    Remove {
        node: Whom,
    },
    Trust {
        node: Whom,
    },
    Distrust {
        node: Whom,
    },
    Kick {
        node: Whom,
    },
    Ban {
        target: Target,
        seconds: u64,
        #[serde(default)]
        reason: String,
    },
    Unban {
        target: Target,
    },
    Bans {},
    StaticNodes {},
    Recording {
        node: Whom,
    },
    Recordings {},
    Config {},
    Discovery {},
    Events {
        #[serde(default)]
        after: u64,
    },
    Reconfigure {
        settings: BTreeMap<String, Value>,
    },
    LogLevel {
        filter: String,
    },
    Stop {},
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// What was asked for.
    Ok(T),
    /// Why not, in one sentence.
    Error(String),
}

/// Something was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Whether that outlasts the node's next start.
    pub kept: bool,
}

/// Something that happened to a running node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: the next event has the next one, if it was not lost.
    pub number: u64,
    /// What `listen` prints of it.
    #[serde(flatten)]
    pub what: Map<String, Value>,
}

/// How many nodes discovery knows; none for a version that does not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryInfo {
    /// Discovery v4.
    pub v4: Option<TableInfo>,
    /// Discovery v5.
    pub v5: Option<TableInfo>,
}

/// A table of discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInfo {
    /// The nodes in it.
    pub nodes: usize,
    /// Those of them that answered when they were last asked.
    pub live: usize,
}

/// Why a line is no request. It repeats no keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRequest(String);

impl fmt::Display for NoRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a request: {}", self.0)
    }
}

impl std::error::Error for NoRequest {}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// [`NoRequest`].
    pub fn read(line: &str) -> Result<Self, NoRequest> {
        // An array of what the fields hold would be taken, too.
        if !line.trim_start().starts_with('{') {
            return Err(NoRequest("a JSON object is needed".to_owned()));
        }
        let request = serde_json::from_str(line);
        request.map_err(|error| NoRequest(form::sentence(&error)))
    }
}

fn read_node<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Enode, D::Error> {
    form::node(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A node by its id, its enode URL or its record.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[serde(into = "NodeId")]
pub struct Whom(
    /// The node's id.
    pub NodeId,
);

impl std::str::FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("enode://") || text.starts_with("enr:") {
            let node = form::node(text).map_err(|error| error.to_string())?;
            return Ok(Self(node.node_id()));
        }
        let id = text.parse();
        id.map(Self).map_err(|error| {
            format!("neither a node id nor an enode URL nor a node record: {error}")
        })
    }
}

impl TryFrom<String> for Whom {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Whom> for NodeId {
    fn from(whom: Whom) -> Self {
        whom.0
    }
}

/// Who is banned: a node, or all nodes at an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[serde(into = "String")]
pub enum Target {
    /// The node with this id.
    Node(NodeId),
    /// The address.
    Ip(IpAddr),
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let node = text.parse::<Whom>();
        node.map(|whom| Self::Node(whom.0))
            .map_err(|error| format!("no IP address, and {error}"))
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => id.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_documented_is_a_request() {
        assert_eq!(Request::read(r#"{"command":"stop"}"#), Ok(Request::Stop {}));
        for (line, after) in [
            (r#"{"command":"events"}"#, 0),
            (r#"{"command":"events","after":7}"#, 7),
        ] {
            assert_eq!(Request::read(line), Ok(Request::Events { after }));
        }
        let id = "ab".repeat(32);
        for line in [
            r#"{"command":"stop","after":"10s"}"#,
            r#"["stop"]"#,
            r#"{"command":"events","after":-1}"#,
            r#"{"command":"events","before":7}"#,
            &format!(r#"["remove","{id}"]"#),
        ] {
            assert!(Request::read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_short_line() {
        let name = format!("x\\r\\u001b{}", "y ".repeat(1000));
        let error = Request::read(&format!(r#"{{"command":"{name}"}}"#));
        let text = error.expect_err("no command").to_string();
        assert!(
            text.len() < 800 && !text.contains(char::is_control),
            "{text}"
        );
    }
}
