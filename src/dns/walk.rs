//! Finding nodes one after another.

use std::fmt;
use std::sync::Arc;

use rand::rngs::StdRng;

use super::machine::{Event, Machine};
use super::reader::Reader;
use super::{DnsError, Link, Resolver};
use crate::node::NodeRecord;

/// Returns nodes of lists, and of lists that they link to, in random order.
///
/// A walk looks up only what is needed for the next node. [`Client::walk`](super::Client::walk)
/// creates it.
///
/// A list that was read to its end is read again from the start. Its root is looked up again after
/// [`Config::refresh`](super::Config::refresh), or earlier if several entries in a row cannot
/// be read. If a tree has not changed, the walk through it continues. A root is rejected if it is
/// older than one that the client has seen, or not signed by the list's key; the walk then
/// continues with the root that it already has.
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

    /// Returns the next node.
    ///
    /// The call waits for the rate limit and for answers. If the lists contain no nodes, it waits
    /// until their roots are looked up again. Returns `None` only if the walk was given no list.
    ///
    /// # Cancel safety
    /// Cancel safe: the next call makes an unfinished lookup again.
    ///
    /// # Errors
    /// [`DnsError`] for a failure at one name. The next call continues the walk.
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

    /// The lists that are read: the given ones, and those found through links so far.
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
