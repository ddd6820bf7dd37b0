//! A provider that wraps another one and takes trust away again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peermux::comm::{
    ConnectedPeer, Connector, IdentityError, IdentityProvider, Organisation, PeerId,
};
use peermux::{Bytes, DialError, Enode};

use super::*;

/// Trusts nobody any more once it is told so.
struct Revoking {
    provider: Secp256k1Identity,
    revoked: AtomicBool,
    panics: AtomicBool,
}

impl Revoking {
    fn new() -> Self {
        Self {
            provider: Secp256k1Identity::new(key()),
            revoked: AtomicBool::new(false),
            panics: AtomicBool::new(false),
        }
    }
}

impl IdentityProvider for Revoking {
    fn validate(&self, identity: &[u8], now: Duration) -> Result<(), IdentityError> {
        assert!(!self.panics.load(Ordering::Relaxed), "a bug in a provider");
        match self.revoked.load(Ordering::Relaxed) {
            true => Err(IdentityError::Unknown("revoked".to_owned())),
            false => self.provider.validate(identity, now),
        }
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

    fn organisation(&self, identity: &[u8]) -> Option<Organisation> {
        self.provider.organisation(identity)
    }

    fn expiry(&self, identity: &[u8]) -> Result<Option<Duration>, IdentityError> {
        self.provider.expiry(identity)
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
async fn a_provider_that_panics_does_not_end_the_care_for_identities() {
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
