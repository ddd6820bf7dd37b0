//! Finds the protocols that two nodes share, and assigns message ids to them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{BASE_LENGTH, Capability};

/// The last message id that takes one byte on the wire.
const LAST_ONE_BYTE_ID: u64 = 0x7f;

/// A protocol that both sides speak, with its message ids on this connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedCapability {
    /// Name and version.
    pub capability: Capability,
    /// The message id of the protocol's code 0.
    pub offset: u64,
    /// The protocol's number of codes; a protocol without codes can neither send nor receive.
    pub length: u64,
    /// The protocol's index in the local list.
    pub local: usize,
}

impl SharedCapability {
    /// Returns the protocol's message ids, `offset..offset + length`.
    pub fn codes(&self) -> Range<u64> {
        // `match_capabilities` has checked this sum.
        self.offset..self.offset.saturating_add(self.length)
    }
}

/// Why the shared protocols cannot get message ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatchError {
    /// The sum of the protocols' lengths does not fit into 64 bits.
    #[error("{length} codes of {capability} do not fit into 64 bits after message id {offset}")]
    IdsExhausted {
        /// The protocol that does not fit.
        capability: Capability,
        /// The first message id that it would get.
        offset: u64,
        /// The protocol's number of codes.
        length: u64,
    },
}

/// Finds the shared capabilities and assigns each a range of message ids.
///
/// `local` lists capabilities with their numbers of codes. If several versions of a name are
/// shared, the highest wins. The winners get adjacent ranges from [`BASE_LENGTH`] on, in the order
/// of their names, and are returned in that order. The order of the two lists does not matter, nor
/// do repeated entries of `remote`. If `local` lists a capability more than once, the
/// first entry counts.
///
/// # Errors
/// [`MatchError::IdsExhausted`] if the message ids do not fit into 64 bits.
///
/// ```
/// use peermux::p2p::{Capability, match_capabilities};
///
/// let local = [(Capability::new("snap", 1), 8), (Capability::new("eth", 69), 18)];
/// let remote = [Capability::new("eth", 69), Capability::new("snap", 1)];
/// let shared = match_capabilities(&local, &remote)?;
/// assert_eq!(shared[0].codes(), 16..34);
/// assert_eq!(shared[1].codes(), 34..42);
/// # Ok::<(), peermux::p2p::MatchError>(())
/// ```
pub fn match_capabilities(
    local: &[(Capability, u64)],
    remote: &[Capability],
) -> Result<Vec<SharedCapability>, MatchError> {
    let mut highest: BTreeMap<&str, (usize, &Capability, u64)> = BTreeMap::new();
    for (index, (capability, length)) in local.iter().enumerate() {
        if !remote.contains(capability) {
            continue;
        }
        let best = highest
            .entry(capability.name())
            .or_insert((index, capability, *length));
        if best.1.version() < capability.version() {
            *best = (index, capability, *length);
        }
    }

    let mut offset = BASE_LENGTH;
    let mut shared = Vec::with_capacity(highest.len());
    for (local, capability, length) in highest.into_values() {
        let end = offset
            .checked_add(length)
            .ok_or_else(|| MatchError::IdsExhausted {
                capability: capability.clone(),
                offset,
                length,
            })?;
        shared.push(SharedCapability {
            capability: capability.clone(),
            offset,
            length,
            local,
        });
        offset = end;
    }
    Ok(shared)
}

/// Checks that the message codes of `local` fit into 64 bits with any remote.
///
/// A remote may share any version of a name, so for each name the version with the most codes
/// counts.
///
/// # Errors
/// [`MatchError::IdsExhausted`] if a remote could share protocols whose message ids do not fit.
pub fn check_lengths(local: &[(Capability, u64)]) -> Result<(), MatchError> {
    let mut longest: BTreeMap<&str, &(Capability, u64)> = BTreeMap::new();
    for entry in local {
        let best = longest.entry(entry.0.name()).or_insert(entry);
        if best.1 < entry.1 {
            *best = entry;
        }
    }
    let remote: Vec<_> = longest.into_values().map(|(cap, _)| cap.clone()).collect();
    match_capabilities(local, &remote).map(drop)
}

/// Returns whether some ids of these protocols take more than one byte.
///
/// This is the case if the protocols have more than 112 codes in total. reth and EthereumJS read
/// only the first byte of an id, so such messages do not reach them.
pub fn exceeds_one_byte_ids(shared: &[SharedCapability]) -> bool {
    shared
        .iter()
        .any(|shared| shared.codes().end > LAST_ONE_BYTE_ID + 1)
}

#[cfg(test)]
mod tests;
