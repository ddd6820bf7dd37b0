use crate::node::SecretKey;
use crate::p2p::{Capability, Hello};
use crate::peer::{Peer, PeerConfig};
use crate::rlpx::ChannelBinding;
use crate::setup::Direction;

/// Returns a handle to a peer that does not exist.
///
/// The peer has the given client name and capabilities, and the node id of a fresh key.
/// Disconnecting it does nothing.
///
/// ```
/// use peermux::{Capability, DisconnectReason, testing};
///
/// # tokio_test::block_on(async {
/// let peer = testing::peer("someone/v1", vec![Capability::new("chat", 1)]);
/// assert_eq!(peer.name(), "someone/v1");
/// assert!(peer.has_capability("chat", &[1, 2]));
/// peer.disconnect(DisconnectReason::REQUESTED);
/// # });
/// ```
#[must_use]
pub fn peer(client: &str, capabilities: Vec<Capability>) -> Peer {
    let hello = Hello::new(
        client.to_owned(),
        capabilities,
        SecretKey::random(&mut rand::rng()).public_key(),
    );
    Peer::detached(
        hello,
        Direction::Outbound,
        ChannelBinding::from([0; 32]),
        &PeerConfig::default(),
    )
}
