//! Requests to a running node, and their answers, as JSON.

mod ban_time;
mod names;

use std::collections::BTreeMap;
use std::fmt;

use peermux::Enode;
use peermux::server::BanInfo;
use peermux::setup::FailureInfo;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use crate::form;
use crate::setting_names::in_words;

pub use ban_time::{BanTime, TooShort};
pub use names::{Named, Target, Whom};

/// The longest request, in bytes.
pub const LONGEST: usize = 4096;

/// A request to a running node: one JSON object with a `command`.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A request that changes nothing.
    Query(Query),
    /// A request that changes the node.
    Change(Change),
    /// Ends the node.
    Stop,
}

/// A request that changes nothing.
///
/// A variant without fields has braces, because serde does not reject unknown fields of a unit variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "the table of the admin interface says what they are"
)]
pub enum Query {
    Peers {},
    NodeInfo {},
    Bans {},
    StaticNodes {},
    Recording {
        node: Whom,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ended: bool,
    },
    Recordings {},
    Config {},
    Discovery {},
    Events {
        #[serde(default)]
        after: u64,
    },
}

/// A request that changes the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "the table of the admin interface says what they are"
)]
pub enum Change {
    Add {
        #[serde(deserialize_with = "read_node")]
        enode: Enode,
    },
    Remove {
        node: Whom,
    },
    Trust {
        node: Named,
    },
    Distrust {
        node: Whom,
    },
    Kick {
        node: Whom,
    },
    Ban {
        target: Target,
        #[serde(rename = "seconds")]
        time: BanTime,
        #[serde(default)]
        reason: String,
    },
    Unban {
        target: Target,
    },
    Reconfigure {
        settings: BTreeMap<String, Value>,
    },
    LogLevel {
        filter: String,
    },
}

impl From<Query> for Request {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl From<Change> for Request {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

/// The answer to a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// The result.
    Ok(T),
    /// The reason why there is no result. Its text is one sentence.
    Error(FailureInfo),
}

impl<T> Answer<T> {
    /// Makes the answer to a request that failed.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Error(FailureInfo::of_text(why))
    }
}

/// The answer to a [`Change`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Whether the change still holds after the node is started again.
    pub kept: bool,
    /// The ban of an added or trusted node, if the node is banned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ban: Option<BanInfo>,
}

/// An event of a running node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The number of the event. A gap before the next number stands for lost events.
    pub number: u64,
    /// The JSON object that `listen` prints.
    #[serde(flatten)]
    pub what: Map<String, Value>,
}

/// The tables of discovery; `None` for a version that does not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryInfo {
    /// Discovery v4.
    pub v4: Option<TableInfo>,
    /// Discovery v5.
    pub v5: Option<TableInfo>,
}

/// The number of nodes in a table of discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInfo {
    /// All nodes.
    pub nodes: usize,
    /// The nodes that answered the last time they were asked.
    pub live: usize,
}

/// The reason why a line is not a valid request.
///
/// The text form of this error repeats no keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRequest(String);

impl fmt::Display for NoRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a request: {}", self.0)
    }
}

impl std::error::Error for NoRequest {}

impl Request {
    /// Reads a request from a line.
    ///
    /// # Errors
    ///
    /// [`NoRequest`].
    pub fn read(line: &str) -> Result<Self, NoRequest> {
        // serde would also accept an array of the fields' values.
        if !line.trim_start().starts_with('{') {
            return Err(NoRequest("a JSON object is needed".to_owned()));
        }
        let request = serde_json::from_str(line);
        request.map_err(|error: serde_json::Error| {
            NoRequest(form::sentence(&in_words(&error.to_string())))
        })
    }
}

/// The command that ends a node.
const STOP: &str = "stop";

/// The commands of a [`Query`].
const QUERIES: &[&str] = &[
    "peers",
    "node-info",
    "bans",
    "static-nodes",
    "recording",
    "recordings",
    "config",
    "discovery",
    "events",
];

/// The commands of a [`Change`].
const CHANGES: &[&str] = &[
    "add",
    "remove",
    "trust",
    "distrust",
    "kick",
    "ban",
    "unban",
    "reconfigure",
    "log-level",
];

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Query(query) => query.serialize(serializer),
            Self::Change(change) => change.serialize(serializer),
            Self::Stop => BTreeMap::from([("command", STOP)]).serialize(serializer),
        }
    }
}

/// Written by hand: serde's error for an untagged enum names neither command nor field.
impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let command = match fields.get("command") {
            Some(Value::String(command)) => command,
            Some(_) => return Err(D::Error::custom("the command is not a string")),
            None => return Err(D::Error::missing_field("command")),
        };
        let request = match command.as_str() {
            STOP if fields.len() == 1 => Ok(Self::Stop),
            STOP => return Err(D::Error::custom("stop takes no further fields")),
            known if QUERIES.contains(&known) => {
                Query::deserialize(Value::Object(fields)).map(Self::Query)
            }
            known if CHANGES.contains(&known) => {
                Change::deserialize(Value::Object(fields)).map(Self::Change)
            }
            _ => {
                let known = [QUERIES, CHANGES, &[STOP]].concat().join(", ");
                return Err(D::Error::custom(format!("the command is none of {known}")));
            }
        };
        request.map_err(D::Error::custom)
    }
}

fn read_node<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Enode, D::Error> {
    form::node(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A public key.
    const POINT: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";

    #[test]
    fn only_what_is_documented_is_a_request() {
        assert_eq!(Request::read(r#"{"command":"stop"}"#), Ok(Request::Stop));
        for (line, after) in [
            (r#"{"command":"events"}"#, 0),
            (r#"{"command":"events","after":7}"#, 7),
        ] {
            assert_eq!(Request::read(line), Ok(Query::Events { after }.into()));
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
    fn every_request_keeps_its_form() {
        let id = "ab".repeat(32);
        let node = Whom(id.parse().expect("an id"));
        let target = Target::Node(node.0);
        let url = format!("enode://{POINT}@127.0.0.1:1");
        let enode = url.parse().expect("an enode URL");
        let queries = [
            (Query::Peers {}, r#"{"command":"peers"}"#.to_owned()),
            (Query::NodeInfo {}, r#"{"command":"node-info"}"#.to_owned()),
            (Query::Bans {}, r#"{"command":"bans"}"#.to_owned()),
            (
                Query::StaticNodes {},
                r#"{"command":"static-nodes"}"#.to_owned(),
            ),
            (
                Query::Recording { node, ended: false },
                format!(r#"{{"command":"recording","node":"{id}"}}"#),
            ),
            (
                Query::Recording { node, ended: true },
                format!(r#"{{"command":"recording","node":"{id}","ended":true}}"#),
            ),
            (
                Query::Recordings {},
                r#"{"command":"recordings"}"#.to_owned(),
            ),
            (Query::Config {}, r#"{"command":"config"}"#.to_owned()),
            (Query::Discovery {}, r#"{"command":"discovery"}"#.to_owned()),
            (
                Query::Events { after: 7 },
                r#"{"command":"events","after":7}"#.to_owned(),
            ),
        ];
        let settings = BTreeMap::from([("max_peers".to_owned(), Value::from(10))]);
        let time = BanTime::try_from(60).expect("a minute");
        let reason = "spam".to_owned();
        let filter = "debug".to_owned();
        let changes = [
            (
                Change::Add { enode },
                format!(r#"{{"command":"add","enode":"{url}"}}"#),
            ),
            (
                Change::Remove { node },
                format!(r#"{{"command":"remove","node":"{id}"}}"#),
            ),
            (
                Change::Trust {
                    node: Named::Id(node.0),
                },
                format!(r#"{{"command":"trust","node":"{id}"}}"#),
            ),
            (
                Change::Distrust { node },
                format!(r#"{{"command":"distrust","node":"{id}"}}"#),
            ),
            (
                Change::Kick { node },
                format!(r#"{{"command":"kick","node":"{id}"}}"#),
            ),
            (
                Change::Ban {
                    target,
                    time,
                    reason,
                },
                format!(r#"{{"command":"ban","target":"{id}","seconds":60,"reason":"spam"}}"#),
            ),
            (
                Change::Unban { target },
                format!(r#"{{"command":"unban","target":"{id}"}}"#),
            ),
            (
                Change::Reconfigure { settings },
                r#"{"command":"reconfigure","settings":{"max_peers":10}}"#.to_owned(),
            ),
            (
                Change::LogLevel { filter },
                r#"{"command":"log-level","filter":"debug"}"#.to_owned(),
            ),
        ];
        let stop = (Request::Stop, r#"{"command":"stop"}"#.to_owned());
        assert_eq!(
            (queries.len(), changes.len()),
            // A recording can be asked for in two ways.
            (QUERIES.len() + 1, CHANGES.len())
        );
        let queries = queries.map(|(query, line)| (Request::from(query), line));
        let changes = changes.map(|(change, line)| (Request::from(change), line));
        for (request, line) in queries.into_iter().chain(changes).chain([stop]) {
            assert_eq!(
                serde_json::to_string(&request).expect("it has a form"),
                line
            );
            assert_eq!(Request::read(&line), Ok(request));
        }
    }

    #[test]
    fn a_trusted_node_keeps_its_address() {
        let url = format!("enode://{POINT}@127.0.0.1:1");
        let line = format!(r#"{{"command":"trust","node":"{url}"}}"#);
        let request = Request::read(&line).expect("a request");
        let Request::Change(Change::Trust { node }) = &request else {
            panic!("another request: {request:?}");
        };
        assert_eq!(node.enode(), Some(url.parse().expect("an enode URL")));
        assert_eq!(
            serde_json::to_string(&request).expect("it has a form"),
            line
        );
    }

    #[test]
    fn an_error_names_the_command_or_the_field() {
        for (line, part) in [
            (r#"{"command":"dance"}"#, "none of peers, node-info, "),
            (r#"{"command":7}"#, "the command is not a string"),
            (r#"{"comand":"stop"}"#, "missing field `command`"),
            (r#"{"command":"add"}"#, "missing field `enode`"),
            (
                r#"{"command":"ban","target":"192.0.2.7","seconds":0}"#,
                "a ban lasts at least a second",
            ),
            (
                r#"{"command":"events","before":7}"#,
                "unknown field `before`",
            ),
        ] {
            let error = Request::read(line).expect_err(line).to_string();
            assert!(error.contains(part), "{error}");
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
