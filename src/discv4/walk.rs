//! Nodes from anywhere, one after the other.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::contact::Contact;
use super::error::Discv4Error;
use super::handle::Discv4;
use crate::time::after;

/// Lookups follow each other no faster.
const PAUSE: Duration = Duration::from_secs(1);

/// A walk through the network: looks for random targets, as fast as what it finds is taken.
#[derive(Debug)]
pub struct RandomWalk {
    discovery: Discv4,
    /// Those of the last lookup that nobody has taken, at most 16.
    found: VecDeque<Contact>,
    next_lookup: Option<Instant>,
}

impl Discv4 {
    /// Starts a walk through the network. It asks other nodes only while somebody waits for its
    /// [`next`](RandomWalk::next) node.
    #[must_use]
    pub fn random_walk(&self) -> RandomWalk {
        RandomWalk {
            discovery: self.clone(),
            found: VecDeque::new(),
            next_lookup: None,
        }
    }
}

impl RandomWalk {
    /// The next node, if it was found already.
    pub(crate) fn next_found(&mut self) -> Option<Contact> {
        self.found.pop_front()
    }

    /// The next node, which answered. The same one can come again. Cancel safe: a lookup that is under
    /// way is lost.
    ///
    /// # Errors
    /// [`Discv4Error::Busy`] if too many lookups are under way, [`Discv4Error::Stopped`].
    pub async fn next(&mut self) -> Result<Contact, Discv4Error> {
        loop {
            if let Some(contact) = self.found.pop_front() {
                return Ok(contact);
            }
            if let Some(at) = self.next_lookup {
                sleep_until(at).await;
            }
            self.next_lookup = Some(after(Instant::now(), PAUSE));
            self.found = self.discovery.random_lookup().await?.nodes.into();
        }
    }
}
