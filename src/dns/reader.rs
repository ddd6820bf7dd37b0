//! Carries out the decisions of the machine.

use rand::rngs::StdRng;
use tokio::time::{Instant, sleep_until, timeout};

use super::machine::{Event, Machine, Step};
use super::memory::Memory;
use super::{Config, LookupError, Resolver};
use crate::mutex::Mutex;

/// The state that all walks and syncs of a client share.
pub(super) struct Reader<R> {
    resolver: R,
    pub(super) config: Config,
    memory: Mutex<Memory>,
}

impl<R: Resolver> Reader<R> {
    pub(super) fn new(resolver: R, config: Config) -> Self {
        Self {
            resolver,
            memory: Mutex::new(Memory::new(&config)),
            config,
        }
    }

    /// Looks names up until there is an event; `None` if nothing is left. Cancel safe.
    pub(super) async fn event(&self, machine: &mut Machine, random: &mut StdRng) -> Option<Event> {
        loop {
            let step = machine.next(Instant::now(), random, &mut self.memory.lock());
            match step {
                Step::Event(event) => return Some(event),
                Step::Done => return None,
                Step::Wait(until) => sleep_until(until).await,
                Step::Lookup(name) => {
                    let limit = self.config.lookup_timeout();
                    let answer = timeout(limit, self.resolver.texts(&name)).await;
                    let answer = answer.unwrap_or(Err(LookupError::TimedOut { limit }));
                    machine.answered(Instant::now(), &mut self.memory.lock(), answer);
                }
            }
        }
    }
}
