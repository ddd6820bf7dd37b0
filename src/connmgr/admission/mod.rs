//! Who may come in, and how much work strangers may cause.
//!
//! | limit | of | default |
//! |---|---|---|
//! | accepted connections | an IPv4 address or an IPv6 /64 | 1 in 30 s; not of loopback, private and link-local addresses |
//! | incomplete handshakes | a /24 or /64 | 8 |
//! | handshakes begun | a /24 or /64 | 4 at once, then 2/s |
//! | handshakes begun | all | 40 at once, then 20/s |
//! | handshakes worked on | all | 4 at once |
//!
//! The rates are those of a node that does little else. A server sets its own, by what a handshake
//! was measured to cost: see its configuration.
//!
//! The first is asked with [`Admission::accept`]; an admission is a [`Filter`] that does so. Then
//! [`Admission::handshake`] counts one that begins, until what it answers is dropped, and
//! [`Handshake::work`] lets it do its cryptography.

mod prefix;
mod rates;
mod recent;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::Refusal;
use super::filter::Filter;
use super::request::Candidate;
use super::token_bucket::Rate;
pub use prefix::{Prefix, is_local};
use rates::Rates;
use recent::Recent;

type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The limits of an [`Admission`].
#[derive(Clone)]
pub struct AdmissionConfig {
    revisit: Duration,
    exempt: Exempt,
    incomplete_per_prefix: usize,
    prefix_rate: Rate,
    rate: Rate,
    at_once: usize,
    prefixes: usize,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self {
            revisit: Duration::from_secs(30),
            exempt: Arc::new(is_local),
            incomplete_per_prefix: 8,
            prefix_rate: Rate::new(4, 2),
            rate: Rate::new(40, 20),
            at_once: 4,
            prefixes: 2048,
        }
    }
}

impl fmt::Debug for AdmissionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionConfig")
            .field("revisit", &self.revisit)
            .field("incomplete_per_prefix", &self.incomplete_per_prefix)
            .field("prefix_rate", &self.prefix_rate)
            .field("rate", &self.rate)
            .field("at_once", &self.at_once)
            .field("prefixes", &self.prefixes)
            .finish_non_exhaustive()
    }
}

impl AdmissionConfig {
    /// After which time one address, or IPv6 /64, is accepted again; 30 s by default, zero is at
    /// once.
    #[must_use]
    pub fn with_revisit(mut self, time: Duration) -> Self {
        self.revisit = time;
        self
    }

    /// Who may come back at once; [`is_local`] by default. All other limits hold for them too.
    #[must_use]
    pub fn with_exempt(mut self, exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.exempt = Arc::new(exempt);
        self
    }

    /// How many handshakes of one [`Prefix`] may be incomplete; 8 by default.
    #[must_use]
    pub fn with_incomplete_per_prefix(mut self, handshakes: usize) -> Self {
        self.incomplete_per_prefix = handshakes;
        self
    }

    /// How fast handshakes of one [`Prefix`] may begin; by default 4 at once, then 2 a second.
    #[must_use]
    pub fn with_prefix_rate(mut self, rate: Rate) -> Self {
        self.prefix_rate = rate;
        self
    }

    /// How fast all handshakes may begin; by default 40 at once, then 20 a second.
    #[must_use]
    pub fn with_rate(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }

    /// How many handshakes may be worked on at once; 4 by default.
    #[must_use]
    pub fn with_at_once(mut self, handshakes: usize) -> Self {
        self.at_once = handshakes;
        self
    }

    /// Of how many networks the rate is remembered, those seen last; 2048 by default.
    #[must_use]
    pub fn with_remembered_prefixes(mut self, prefixes: usize) -> Self {
        self.prefixes = prefixes;
        self
    }
}

/// Counts strangers. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: AdmissionConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    recent: Recent,
    rates: Rates,
    incomplete: HashMap<Prefix, usize>,
    working: usize,
}

impl Admission {
    /// Nobody has come yet.
    #[must_use]
    pub fn new(config: AdmissionConfig, now: Instant) -> Self {
        let state = State {
            recent: Recent::new(config.revisit),
            rates: Rates::new(config.rate, config.prefix_rate, config.prefixes, now),
            incomplete: HashMap::new(),
            working: 0,
        };
        Self(Arc::new(Shared {
            config,
            state: Mutex::new(state),
        }))
    }

    /// Whether a connection from `ip` may be accepted.
    ///
    /// # Errors
    /// [`Refusal::TooSoon`] if one was accepted a moment ago. Trying does not make it longer.
    pub fn accept(&self, ip: IpAddr, now: Instant) -> Result<(), Refusal> {
        if (self.0.config.exempt)(ip) || self.lock().recent.admit(ip, now) {
            Ok(())
        } else {
            Err(Refusal::TooSoon)
        }
    }

    /// Begins a handshake, which is incomplete until the result is dropped. Where the source is
    /// not known, behind a proxy for example, only the limits for all hold.
    ///
    /// # Errors
    /// [`Refusal::TooManyHandshakes`] of this network are incomplete.
    pub fn handshake(&self, source: Option<IpAddr>) -> Result<Handshake, Refusal> {
        let prefix = source.map(Prefix::from);
        if let Some(prefix) = prefix {
            let limit = self.0.config.incomplete_per_prefix;
            let mut state = self.lock();
            let incomplete = state.incomplete.get(&prefix).copied().unwrap_or(0);
            if incomplete >= limit {
                return Err(Refusal::TooManyHandshakes { limit });
            }
            state.incomplete.insert(prefix, incomplete + 1);
        }
        Ok(Handshake {
            admission: self.clone(),
            prefix,
            paid: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets strangers in as [`Admission::accept`] says, and everything be dialled.
impl Filter<SocketAddr> for Admission {
    fn accept(&self, addr: &SocketAddr) -> Result<(), Refusal> {
        Self::accept(self, addr.ip(), Instant::now())
    }

    fn dial(&self, _: &Candidate<SocketAddr>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// An incomplete handshake. Drop it when the handshake is complete, or has failed.
#[derive(Debug)]
pub struct Handshake {
    admission: Admission,
    prefix: Option<Prefix>,
    /// Whether the tokens were taken: a handshake costs them once.
    paid: bool,
}

impl Handshake {
    /// Asks to do a step of cryptography, which lasts until the result is dropped. It never waits.
    ///
    /// # Errors
    /// [`Refusal::Busy`], which costs nothing, and [`Refusal::RateLimited`] for the first step.
    pub fn work(&mut self, now: Instant) -> Result<Work, Refusal> {
        let limit = self.admission.0.config.at_once;
        let mut state = self.admission.lock();
        if state.working >= limit {
            return Err(Refusal::Busy { limit });
        }
        if !self.paid && !state.rates.take(self.prefix, now) {
            return Err(Refusal::RateLimited);
        }
        self.paid = true;
        state.working += 1;
        drop(state);
        Ok(Work(self.admission.clone()))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let Some(prefix) = self.prefix else {
            return;
        };
        let mut state = self.admission.lock();
        if let Some(incomplete) = state.incomplete.get_mut(&prefix) {
            *incomplete -= 1;
            if *incomplete == 0 {
                state.incomplete.remove(&prefix);
            }
        }
    }
}

/// A step of a handshake that is worked on. Drop it when the step is done.
#[derive(Debug)]
pub struct Work(Admission);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.lock().working -= 1;
    }
}

#[cfg(test)]
mod tests;
