//! Random walks through the network.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::contact::Contact;
use super::error::Discv4Error;
use super::handle::Discv4;
use crate::time::after;

/// Minimum time between the starts of two lookups.
const PAUSE: Duration = Duration::from_secs(1);

/// A walk through the network by lookups of random targets.
///
/// A lookup starts only when all nodes of the previous one have been returned.
#[derive(Debug)]
pub struct RandomWalk {
    discovery: Discv4,
    /// Nodes of the last lookup that have not been returned yet, at most 16.
    found: VecDeque<Contact>,
    next_lookup: Option<Instant>,
}

impl Discv4 {
    /// Starts a walk through the network.
    ///
    /// The walk contacts other nodes only during a call of [`next`](RandomWalk::next).
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
    /// Returns the next node if one has already been found.
    pub(crate) fn next_found(&mut self) -> Option<Contact> {
        self.found.pop_front()
    }

    /// Returns the next node that answered a query.
    ///
    /// The same node may be returned again.
    ///
    /// # Errors
    /// [`Discv4Error::Busy`] if too many lookups are in progress, [`Discv4Error::Stopped`] if
    /// discovery has ended.
    ///
    /// # Cancel safety
    /// Cancel safe, but the result of a lookup in progress is lost.
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
