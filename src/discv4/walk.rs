//! Random walks through the network.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::contact::Contact;
use super::error::Discv4Error;
use super::handle::Discv4;
use crate::time::after;

/// Least time between the starts of two lookups.
const PAUSE: Duration = Duration::from_secs(1);

/// A walk through the network by lookups of random targets.
///
/// It makes no lookup before all nodes of the last one are taken.
#[derive(Debug)]
pub struct RandomWalk {
    discovery: Discv4,
    /// Nodes of the last lookup that were not taken yet, at most 16.
    found: VecDeque<Contact>,
    next_lookup: Option<Instant>,
}

impl Discv4 {
    /// Starts a walk through the network.
    ///
    /// It asks other nodes only while a call waits for the [`next`](RandomWalk::next) node.
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
    /// Returns the next node, if it was found already.
    pub(crate) fn next_found(&mut self) -> Option<Contact> {
        self.found.pop_front()
    }

    /// Returns the next node, which has answered.
    ///
    /// The same node may be returned again.
    ///
    /// # Errors
    /// [`Discv4Error::Busy`] if too many lookups are under way, [`Discv4Error::Stopped`].
    ///
    /// # Cancel safety
    /// Cancel safe, but the result of a lookup under way is lost.
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
