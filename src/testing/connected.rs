use tokio::io::{DuplexStream, duplex};

use crate::driver::{PeerDriver, PeerOptions};
use crate::node::SecretKey;
use crate::p2p::Hello;
use crate::peer::{Peer, PeerConfig, Protocol};
use crate::rlpx::Legacy;
use crate::settings::settings;
use crate::setup::{Established, SetupError, accept, initiate};

/// How many bytes the in-memory stream holds in each direction.
const PIPE: usize = 64 << 10;

settings! {
    /// One of two connected peers: its protocols and options.
    #[derive(Debug, Clone)]
    pub struct Settings {
        /// The peer's protocols.
        protocols / with_protocols: Vec<Protocol> => &[Protocol] = Vec::new();
        /// The peer's timing, memory budget and events.
        options / with_options: PeerOptions => &PeerOptions = PeerOptions::default();
    }
}

impl Settings {
    /// Sets only the timing.
    #[must_use]
    pub fn with_config(mut self, config: PeerConfig) -> Self {
        self.options = self.options.with_config(config);
        self
    }
}

impl From<Protocol> for Settings {
    fn from(protocol: Protocol) -> Self {
        vec![protocol].into()
    }
}

impl From<Vec<Protocol>> for Settings {
    fn from(protocols: Vec<Protocol>) -> Self {
        Self::default().with_protocols(protocols)
    }
}

/// Two running peers on the two ends of an in-memory stream.
///
/// Each handle represents the other side: `left` is held by the initiator.
#[derive(Debug)]
pub struct Connected {
    /// The initiator's handle to the recipient.
    pub left: Peer,
    /// The recipient's handle to the initiator.
    pub right: Peer,
}

/// Connects two peers in memory and runs both in the background.
///
/// The peers perform a real handshake with fresh keys. As with
/// [`Server::dial`](crate::Server::dial), their protocols are already [running](Peer::running) when
/// this function returns.
///
/// ```
/// use peermux::{Protocol, testing};
///
/// # tokio_test::block_on(async {
/// let quiet = Protocol::builder("quiet", 1, 1).run(|peer, _conn| async move {
///     peer.ending().await;
///     Ok(())
/// });
/// let connected = testing::connect(quiet.clone(), quiet).await.expect("connects");
/// assert_eq!(connected.left.shared_capabilities()[0].offset, 16);
/// # });
/// ```
///
/// # Errors
/// [`SetupError`] if the exchange of Hellos fails, for example because a Hello is too large.
pub async fn connect(
    left: impl Into<Settings>,
    right: impl Into<Settings>,
) -> Result<Connected, SetupError> {
    let (left, right) = (left.into(), right.into());
    let (ours, theirs) = establish(&left.protocols, &right.protocols).await?;
    let connected = Connected {
        left: run(ours, left),
        right: run(theirs, right),
    };
    tokio::join!(connected.left.running(), connected.right.running());
    Ok(connected)
}

fn run(established: Established<DuplexStream>, settings: Settings) -> Peer {
    match PeerDriver::new(established, &settings.protocols, settings.options) {
        Ok(driver) => {
            let peer = driver.peer().clone();
            tokio::spawn(driver.run());
            peer
        }
        Err(error) => unreachable_lengths(&error),
    }
}

/// Panics in a test that registers more than 2^64 codes.
#[expect(clippy::panic, reason = "this is for tests, which fail by panicking")]
fn unreachable_lengths(error: &crate::p2p::MatchError) -> ! {
    panic!("{error}")
}

/// Sets up both ends of an in-memory connection, without running peers on it.
///
/// Returns the initiator's end, then the recipient's.
///
/// # Errors
/// [`SetupError`] as for [`connect`].
pub async fn establish(
    left: &[Protocol],
    right: &[Protocol],
) -> Result<(Established<DuplexStream>, Established<DuplexStream>), SetupError> {
    let (left_key, right_key) = (
        SecretKey::random(&mut rand::rng()),
        SecretKey::random(&mut rand::rng()),
    );
    let (left_end, right_end) = duplex(PIPE);
    let remote = right_key.public_key();
    let dial = async {
        let authenticated = initiate(left_end, &left_key, &remote).await?;
        authenticated
            .exchange_hello(&hello("left", &left_key, left))
            .await
    };
    let answer = async {
        let authenticated = accept(right_end, &right_key, Legacy::Refuse).await?;
        authenticated
            .exchange_hello(&hello("right", &right_key, right))
            .await
    };
    tokio::try_join!(dial, answer)
}

/// The Hello of a node that speaks `protocols`.
pub(super) fn hello(client: &'static str, key: &SecretKey, protocols: &[Protocol]) -> Hello {
    Hello::new(
        client,
        protocols
            .iter()
            .map(|protocol| protocol.capability().clone())
            .collect(),
        key.public_key(),
    )
}
