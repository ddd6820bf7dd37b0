//! An honest identity whose messages attackers try to crowd out.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures::SinkExt;
use peermux::comm::Secp256k1Identity;
use peermux::p2p::RawMessage;
use peermux::{Enode, SecretKey};
use tokio::time::{Instant, sleep, timeout};

use crate::connect::comm;
use crate::greet::Problem;
use crate::honest::{Link, PATIENCE, meet};
use crate::messages::{HONEST, data};
use crate::proof::proof;

/// The pause between two messages.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the last message may take to arrive.
const LAST: Duration = Duration::from_millis(300);

/// Sends messages for a time and returns how many it tried to send.
pub(crate) async fn talk(
    node: &Enode,
    key: &SecretKey,
    place: &AtomicUsize,
    time: Duration,
) -> usize {
    let (started, mut said, mut link) = (Instant::now(), 0, None);
    while started.elapsed() + LAST < time {
        // Messages that could not be sent count too, since the node should have accepted them.
        said += 1;
        link = timeout(PATIENCE, say(link, node, key, place))
            .await
            .ok()
            .and_then(Result::ok);
        sleep(PAUSE).await;
    }
    sleep(LAST).await;
    said
}

async fn say(
    link: Option<Link>,
    node: &Enode,
    key: &SecretKey,
    place: &AtomicUsize,
) -> Result<Link, Problem> {
    let mut link = match link {
        Some(link) => link,
        None => join(node, key, place).await?,
    };
    link.send(data(HONEST)).await?;
    Ok(link)
}

async fn join(node: &Enode, key: &SecretKey, place: &AtomicUsize) -> Result<Link, Problem> {
    let met = meet(node, key, place, comm()).await?;
    let identity = Secp256k1Identity::new(SecretKey::generate());
    let proof: RawMessage = proof(&identity, key, node, met.channel_binding().as_bytes());
    let mut link = met.into_framed();
    link.send(proof).await?;
    Ok(link)
}
