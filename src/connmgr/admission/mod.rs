//! Limits on inbound connections, and on the work that unknown remotes can cause.
//!
//! | limit on | per | default |
//! |---|---|---|
//! | accepted connections | an IPv4 address or an IPv6 /64 | 1 in 30 s; no limit for loopback, private and link-local addresses |
//! | incomplete handshakes | a /24 or /64; a /16 or /48; a /32 of IPv6 | 8; 16; 24 |
//! | new handshakes | all | 40 at once, then 20/s |
//!
//! The default rate of new handshakes is low. A server has its own default, which is based on the
//! measured cost of a handshake; see [`ServerConfig`](crate::ServerConfig).
//!
//! [`Admission::accept`] checks the first limit. An admission that is used as a [`Filter`] does the
//! same. [`Admission::handshake`] checks the other limits, and counts the handshake until the
//! returned [`Handshake`] is dropped.

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
    /// Sets the time after which an IPv4 address or IPv6 /64 is accepted again.
    ///
    /// The default is 30 s. With zero, each address is accepted again at once.
    #[must_use]
    pub fn with_throttle(mut self, time: Duration) -> Self {
        self.throttle = time;
        self
    }

    /// Sets which addresses may connect again at once; by default those that [`is_local`] accepts.
    ///
    /// All other limits apply to these addresses, too.
    #[must_use]
    pub fn with_exempt(mut self, exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.exempt = Arc::new(exempt);
        self
    }

    /// Sets the maximum number of incomplete handshakes per IPv4 /24 or IPv6 /64.
    ///
    /// The default is 8. A /16 or /48 may have twice as many, and an IPv6 /32 three times as many.
    #[must_use]
    pub fn with_pending_per_network(mut self, handshakes: usize) -> Self {
        self.pending_per_network = handshakes;
        self
    }

    /// Sets the rate of all handshakes; by default 40 at once, then 20 a second.
    #[must_use]
    pub fn with_setup_rate(mut self, rate: Rate) -> Self {
        self.setup_rate = rate;
        self
    }
}

/// Returns whether an address belongs to this machine or a local network.
///
/// Such addresses are loopback, private, link-local and unique local.
#[must_use]
pub fn is_local(ip: IpAddr) -> bool {
    (Scope::Loopback..=Scope::Private).contains(&Scope::of(ip))
}

/// Limits connections and handshakes of unknown remotes.
///
/// Clones share the state.
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
    /// Creates an admission that has accepted nothing yet.
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

    /// Changes the limits from now on.
    ///
    /// Connections and handshakes that are already counted stay counted.
    pub fn set_config(&self, config: AdmissionConfig) {
        let mut state = self.lock();
        state.recent.set_period(config.throttle);
        state.rate.set_rate(config.setup_rate, Instant::now());
        state.config = config;
    }

    /// Accepts a connection from `ip`, if its last accepted connection is old enough.
    ///
    /// # Errors
    /// [`Refusal::TooSoon`] if a connection from `ip` was accepted too recently. A refused attempt
    /// does not extend the wait.
    pub fn accept(&self, ip: IpAddr) -> Result<(), Refusal> {
        // A user's function must not run under the lock.
        let exempt = Arc::clone(&self.lock().config.exempt);
        if exempt(ip) || self.lock().recent.admit(ip, Instant::now()) {
            Ok(())
        } else {
            Err(Refusal::TooSoon)
        }
    }

    /// Begins a handshake, which counts as incomplete until the result is dropped.
    ///
    /// If the source is unknown, for example behind a proxy, only the rate of all handshakes is
    /// limited.
    ///
    /// # Errors
    /// [`Refusal::TooManyHandshakes`] if the source's network has too many incomplete handshakes;
    /// such a refusal does not count towards the rate. [`Refusal::RateLimited`] if handshakes begin
    /// too fast.
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

/// Accepts connections by [`Admission::accept`], and allows all dials.
impl Filter<SocketAddr> for Admission {
    fn accept(&self, addr: &SocketAddr) -> Result<(), Refusal> {
        Self::accept(self, addr.ip())
    }

    fn dial(&self, _: &Candidate<SocketAddr>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// An incomplete handshake; drop it when the handshake has succeeded or failed.
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
