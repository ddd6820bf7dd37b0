//! Finds the node that a user names by the first digits of its id.

use std::collections::BTreeSet;
use std::str::FromStr;

use peermux::NodeId;
use peermux_cli::request::{Named, Query};
use serde::Deserialize;

use super::Client;
use crate::failure::Failure;

/// The minimum number of digits that name a node.
const SHORTEST: usize = 4;

/// The number of digits of a whole id.
const WHOLE: usize = 64;

/// A node, given by its id (or first digits), enode URL or record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    Whole(Named),
    /// The first digits of the id: at least [`SHORTEST`], in lower case.
    Beginning(String),
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && (SHORTEST..WHOLE).contains(&text.len()) {
            return Ok(Self::Beginning(text.to_ascii_lowercase()));
        }
        if is_hex && !text.is_empty() && text.len() < SHORTEST {
            return Err(format!(
                "a node id needs at least its first {SHORTEST} digits"
            ));
        }
        text.parse().map(Self::Whole)
    }
}

impl Chosen {
    /// Returns the node's id. See [`name`](Self::name).
    pub(crate) async fn resolve(&self, node: &mut Client) -> Result<NodeId, Failure> {
        self.name(node).await.map(|named| named.id())
    }

    /// Returns the node as it was given. If only the first digits of its id are given, looks for the
    /// id among those of the nodes that the running node lists.
    pub(crate) async fn name(&self, node: &mut Client) -> Result<Named, Failure> {
        let beginning = match self {
            Self::Whole(named) => return Ok(named.clone()),
            Self::Beginning(beginning) => beginning,
        };
        let mut fitting = known(node).await?;
        fitting.retain(|id| id.to_string().starts_with(beginning));
        let mut fitting = fitting.into_iter();
        match (fitting.next(), fitting.next()) {
            (Some(id), None) => Ok(Named::Id(id)),
            (Some(one), Some(other)) => Err(Failure::because(format!(
                "{beginning} is ambiguous: both {one} and {other} begin with it"
            ))),
            (None, _) => Err(Failure::because(format!(
                "no peer, static node, ban or recording begins with {beginning}; any other node needs its whole id"
            ))),
        }
    }
}

/// Returns the nodes that the running node lists.
async fn known(node: &mut Client) -> Result<BTreeSet<NodeId>, Failure> {
    #[derive(Deserialize)]
    struct Listed {
        node_id: Option<NodeId>,
    }

    let mut ids = BTreeSet::new();
    for query in [
        Query::Peers {},
        Query::StaticNodes {},
        Query::Bans {},
        Query::Recordings {},
    ] {
        let listed: Vec<Listed> = node.ask(query).await?;
        ids.extend(listed.into_iter().filter_map(|one| one.node_id));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_has_four_digits_or_more() {
        let id = "ab".repeat(32);
        let whole = Chosen::Whole(Named::Id(id.parse().expect("an id")));
        assert_eq!(id.parse(), Ok(whole));
        let beginning = Chosen::Beginning("abcd".to_owned());
        assert_eq!("aBcD".parse(), Ok(beginning));
        for text in ["", "abc", "abcg", &"ab".repeat(33)] {
            assert!(text.parse::<Chosen>().is_err(), "{text}");
        }
    }
}
