//! Who may come in, and how much work strangers may cause.
//!
//! | limit | of | default |
//! |---|---|---|
//! | accepted connections | an IPv4 address or an IPv6 /64 | 1 in 30 s; not of loopback, private and link-local addresses |
//! | incomplete handshakes | a /24 or /64; a /16 or /48; a /32 of IPv6 | 8; 16; 24 |
//! | handshakes begun | all | 40 at once, then 20/s |
//!
//! The rates are those of a node that does little else. A server sets its own, by what a handshake
//! was measured to cost: see its configuration.
//!
//! The first is asked with [`Admission::accept`]; an admission is a [`Filter`] that does so. Then
//! [`Admission::handshake`] counts one that begins, until what it returns is dropped.

mod recent;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::error::Refusal;
use super::filter::Filter;
use super::request::Candidate;
use super::token_bucket::{Rate, TokenBucket};
use crate::ip::{Network, Scope, networks};
use crate::mutex::Mutex;
use recent::Recent;

type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The limits of an [`Admission`].
#[derive(Clone)]
pub struct AdmissionConfig {
    throttle: Duration,
    exempt: Exempt,
    pending_per_network: usize,
    setup_rate: Rate,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self {
            throttle: Duration::from_secs(30),
            exempt: Arc::new(is_local),
            pending_per_network: 8,
            setup_rate: Rate::new(40, 20),
        }
    }
}

impl fmt::Debug for AdmissionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionConfig")
            .field("throttle", &self.throttle)
            .field("pending_per_network", &self.pending_per_network)
            .field("setup_rate", &self.setup_rate)
            .finish_non_exhaustive()
    }
}

impl AdmissionConfig {
    /// After which time one address, or IPv6 /64, is accepted again; 30 s by default, zero is at
    /// once.
    #[must_use]
    pub fn with_throttle(mut self, time: Duration) -> Self {
        self.throttle = time;
        self
    }

    /// Who may come back at once; [`is_local`] by default. All other limits hold for them too.
    #[must_use]
    pub fn with_exempt(mut self, exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.exempt = Arc::new(exempt);
        self
    }

    /// How many handshakes of one IPv4 /24 or IPv6 /64 may be incomplete; 8 by default. Twice as many
    /// may be of a /16 or /48, three times as many of a /32 of IPv6.
    #[must_use]
    pub fn with_pending_per_network(mut self, handshakes: usize) -> Self {
        self.pending_per_network = handshakes;
        self
    }

    /// How fast all handshakes may begin; by default 40 at once, then 20 a second.
    #[must_use]
    pub fn with_setup_rate(mut self, rate: Rate) -> Self {
        self.setup_rate = rate;
        self
    }
}

/// Whether an address is of this machine or of a local network: loopback, private, link-local,
/// unique local.
#[must_use]
pub fn is_local(ip: IpAddr) -> bool {
    (Scope::Loopback..=Scope::Private).contains(&Scope::of(ip))
}

/// Counts strangers. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    config: AdmissionConfig,
    recent: Recent,
    rate: TokenBucket,
    incomplete: HashMap<Network, usize>,
}

impl Admission {
    /// Nobody has come yet.
    #[must_use]
    pub fn new(config: AdmissionConfig) -> Self {
        let state = State {
            recent: Recent::new(config.throttle),
            rate: TokenBucket::new(config.setup_rate, Instant::now()),
            incomplete: HashMap::new(),
            config,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Changes the limits from now on. What is counted already stays counted.
    pub fn set_config(&self, config: AdmissionConfig) {
        let mut state = self.lock();
        state.recent.set_period(config.throttle);
        state.rate.set_rate(config.setup_rate, Instant::now());
        state.config = config;
    }

    /// Whether a connection from `ip` may be accepted.
    ///
    /// # Errors
    /// [`Refusal::TooSoon`] if one was accepted a moment ago. Trying does not make it longer.
    pub fn accept(&self, ip: IpAddr) -> Result<(), Refusal> {
        // A user's function must not run under the lock.
        let exempt = Arc::clone(&self.lock().config.exempt);
        if exempt(ip) || self.lock().recent.admit(ip, Instant::now()) {
            Ok(())
        } else {
            Err(Refusal::TooSoon)
        }
    }

    /// Begins a handshake, which is incomplete until the result is dropped. Where the source is
    /// not known, behind a proxy for example, only the limits for all hold.
    ///
    /// # Errors
    /// [`Refusal::TooManyHandshakes`] if as many of this network are incomplete as may be, which
    /// costs nothing, and [`Refusal::RateLimited`].
    pub fn handshake(&self, source: Option<IpAddr>) -> Result<Handshake, Refusal> {
        let networks: Vec<_> = source.into_iter().flat_map(networks).collect();
        let mut state = self.lock();
        for (place, network) in networks.iter().enumerate() {
            let limit = state.config.pending_per_network.saturating_mul(place + 1);
            let incomplete = state.incomplete.get(network).copied().unwrap_or(0);
            if incomplete >= limit {
                return Err(Refusal::TooManyHandshakes { limit });
            }
        }
        if state.rate.take(Instant::now()).is_err() {
            return Err(Refusal::RateLimited);
        }
        for network in &networks {
            *state.incomplete.entry(*network).or_default() += 1;
        }
        drop(state);
        Ok(Handshake {
            admission: self.clone(),
            networks,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

/// Lets strangers in as [`Admission::accept`] says, and everything be dialled.
impl Filter<SocketAddr> for Admission {
    fn accept(&self, addr: &SocketAddr) -> Result<(), Refusal> {
        Self::accept(self, addr.ip())
    }

    fn dial(&self, _: &Candidate<SocketAddr>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// An incomplete handshake. Drop it when the handshake is complete, or has failed.
#[derive(Debug)]
pub struct Handshake {
    admission: Admission,
    networks: Vec<Network>,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        for network in &self.networks {
            if let Some(incomplete) = state.incomplete.get_mut(network) {
                *incomplete -= 1;
                if *incomplete == 0 {
                    state.incomplete.remove(network);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
