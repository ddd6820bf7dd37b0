//! A provider that wraps another one and revokes trust.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

use peermux::comm::{ConnectedPeer, Connector, IdentityError, IdentityProvider, PeerId, Validity};
use peermux::{Bytes, DialError, Enode};

use super::*;

/// A provider that trusts no identity once `revoked` is set.
struct Revoking {
    provider: Secp256k1Identity,
    revoked: AtomicBool,
    panics: AtomicBool,
    asked: AtomicUsize,
    /// The next validation waits for this notification.
    held: Mutex<Option<Receiver<()>>>,
}

impl Revoking {
    fn new() -> Self {
        Self {
            provider: Secp256k1Identity::new(key()),
            revoked: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            held: Mutex::default(),
        }
    }
}

impl IdentityProvider for Revoking {
    fn validate(&self, identity: &[u8], now: Duration) -> Result<Validity, IdentityError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            held.recv().unwrap();
        }
        assert!(!self.panics.load(Ordering::Relaxed), "a bug in a provider");
        if self.revoked.load(Ordering::Relaxed) {
            return Err(IdentityError::Unknown("revoked".to_owned()));
        }
        self.provider.validate(identity, now)
    }

    fn identity(&self) -> Bytes {
        self.provider.identity()
    }

    fn id_of(&self, identity: &[u8]) -> Result<PeerId, IdentityError> {
        self.provider.id_of(identity)
    }

    fn sign(&self, message: &[u8]) -> Result<Bytes, IdentityError> {
        self.provider.sign(message)
    }

    fn verify(
        &self,
        identity: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), IdentityError> {
        self.provider.verify(identity, message, signature)
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_identity_is_disconnected_within_a_minute_and_refused_from_then_on() {
    let net = Net::default();
    let provider = Arc::new(Revoking::new());
    let a = net.node_with(Config::default(), Arc::clone(&provider));
    let b = net.node();
    let mut switched = a.comm.identity_switch();
    let mut events = a.comm.events();
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    provider.revoked.store(true, Ordering::Relaxed);
    let minute = Duration::from_secs(61);
    let gone = timeout(minute, switched.next()).await;
    assert_eq!(gone, Ok(Some(Ok(b.comm.id()))));
    assert_eq!(a.comm.connection_count(), 0);
    b.until_connected(0).await;
    let closed = told(&mut events).any(|event| matches!(event, CommEvent::Closed { reason, .. } if reason == ConnectionEnd::IdentityGone));
    assert!(closed);

    let refused = a.comm.send(&text("y"), &[b.peer()]).remove(0).await;
    let Delivery::Failed(CommError::Handshake { source, .. }) = refused else {
        panic!("{refused:?}")
    };
    let expected = IdentityError::Unknown("revoked".to_owned());
    assert_eq!(source, EstablishError::Identity(expected));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_does_not_end_the_validation_of_identities() {
    let net = Net::default();
    let provider = Arc::new(Revoking::new());
    let a = net.node_with(Config::default(), Arc::clone(&provider));
    let minute = Duration::from_secs(61);
    let mut switched = a.comm.identity_switch();
    for _ in 0..2 {
        let b = net.node();
        a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
        provider.panics.store(true, Ordering::Relaxed);
        let gone = timeout(minute, switched.next()).await;
        assert_eq!(gone, Ok(Some(Ok(b.comm.id()))));
        provider.panics.store(false, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_identity_causes_no_validation_of_the_known_ones() {
    let net = Net::default();
    let provider = Arc::new(Revoking::new());
    let a = net.node_with(Config::default(), Arc::clone(&provider));
    let others: Vec<_> = (0..20).map(|_| net.node()).collect();
    for other in &others {
        let sent = a.comm.send(&text("x"), &[other.peer()]).remove(0);
        assert!(sent.await.is_sent());
    }
    assert_eq!(provider.asked.load(Ordering::Relaxed), 1 + 20);
}

#[tokio::test(start_paused = true)]
async fn a_slow_validation_delays_nothing_else() {
    let net = Net::default();
    let provider = Arc::new(Revoking::new());
    let a = net.node_with(Config::default(), Arc::clone(&provider));
    let (b, c) = (net.node(), net.node());
    assert!(
        a.comm
            .send(&text("x"), &[b.peer()])
            .remove(0)
            .await
            .is_sent()
    );
    let (go_on, held) = sync_channel(1);
    *provider.held.lock().unwrap() = Some(held);
    let slow = a.comm.send(&text("x"), &[c.peer()]).remove(0);
    while provider.held.lock().unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    assert!(
        a.comm
            .send(&text("x"), &[b.peer()])
            .remove(0)
            .await
            .is_sent()
    );
    assert_eq!(a.comm.identities().len(), 2);
    go_on.send(()).unwrap();
    assert!(slow.await.is_sent());
}

struct Unable;

impl Connector for Unable {
    async fn connect(&self, _: &Enode) -> Result<ConnectedPeer, DialError> {
        panic!("a bug in a connector")
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_panics_has_not_reached_the_node() {
    let net = Net::default();
    let own = key().public_key().node_id();
    let provider = Secp256k1Identity::new(key());
    let (_protocol, comm) = Comm::with_connector(Config::default(), own, provider, Unable).unwrap();
    for _ in 0..2 {
        let sent = comm.send(&text("x"), &[net.node().peer()]).remove(0);
        let delivery = timeout(SOON, sent).await.expect("an answer");
        let failed = matches!(delivery, Delivery::Failed(CommError::Dial(_)));
        assert!(failed, "{delivery:?}");
    }
}
