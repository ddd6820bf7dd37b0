//! Finding nodes one after the other.

use std::fmt;
use std::sync::Arc;

use rand::rngs::StdRng;

use super::machine::{Event, Machine};
use super::reader::Reader;
use super::{DnsError, Link, Resolver};
use crate::node::NodeRecord;

/// Nodes of lists and of those that they lead to, in random order. Only what is needed for the next node is looked
/// up. Made by [`Client::walk`](super::Client::walk).
///
/// When a list was read to its end, it begins anew. Its root is looked up again after [`Config::refresh`](super::Config::refresh), or earlier if
/// some entries in a row are not found; what did not change is gone on with. A root that is older than one that the
/// client has seen, or not signed by the list's key, is refused, and the walk goes on with the one that it has.
pub struct Walk<R> {
    reader: Arc<Reader<R>>,
    machine: Machine,
    random: StdRng,
}

impl<R: Resolver> Walk<R> {
    pub(super) fn new(reader: Arc<Reader<R>>, machine: Machine, random: StdRng) -> Self {
        Self {
            reader,
            machine,
            random,
        }
    }

    /// The next node. It waits until there is one: for the rate, for answers, and, where lists have no nodes, for
    /// the time when their roots are looked up again. `None` only if the walk was given no list.
    ///
    /// Cancel safe: a lookup that was under way is made again by the next call.
    ///
    /// # Errors
    /// [`DnsError`] is what went wrong at one name, which the error names. The walk goes on with the next call.
    pub async fn next(&mut self) -> Option<Result<NodeRecord, DnsError>> {
        loop {
            match self
                .reader
                .event(&mut self.machine, &mut self.random)
                .await?
            {
                Event::Node(record) => return Some(Ok(record)),
                Event::Failed(error) => return Some(Err(error)),
                Event::Link(_) => {}
            }
        }
    }

    /// The lists that are read: those that were given, and those that these lead to as far as is known.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.machine.links()
    }
}

impl<R> fmt::Debug for Walk<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links: Vec<_> = self.machine.links().map(Link::domain).collect();
        f.debug_struct("Walk")
            .field("domains", &links)
            .finish_non_exhaustive()
    }
}
