use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{AckPolicy, CommError, CommErrorKind, ConnectionEnd, RemotePeer};

/// The outcome of sending one message.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Delivery {
    /// The message was handed to the transport. Only an acknowledgement shows that it arrived.
    Sent,
    /// The message was not queued.
    Dropped(CommError),
    /// The message was queued, but may not have been written.
    Failed(CommError),
}

impl Delivery {
    /// Whether the message was handed to the transport.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        matches!(self, Self::Sent)
    }

    /// Why the message was not handed to the transport; `None` if it was.
    #[must_use]
    pub fn error(&self) -> Option<&CommError> {
        match self {
            Self::Sent => None,
            Self::Dropped(error) | Self::Failed(error) => Some(error),
        }
    }
}

/// Waits for the outcome of one message.
///
/// Dropping the receipt does not affect the message.
#[derive(Debug)]
pub struct Receipt {
    pub(super) peer: RemotePeer,
    pub(super) done: oneshot::Receiver<Delivery>,
}

impl Receipt {
    /// The destination of the message.
    #[must_use]
    pub fn peer(&self) -> &RemotePeer {
        &self.peer
    }
}

impl Future for Receipt {
    type Output = Delivery;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Delivery> {
        let lost = CommError::PeerClosed(ConnectionEnd::TransportEnded);
        Pin::new(&mut self.done)
            .poll(cx)
            .map(|done| done.unwrap_or(Delivery::Failed(lost)))
    }
}

/// One receiver's answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SendResult {
    /// The receiver, as the caller gave it.
    pub peer: RemotePeer,
    /// Why the receiver did not acknowledge; `None` if it did.
    pub error: Option<CommError>,
}

/// The error's text; empty on success.
impl fmt::Display for SendResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => error.fmt(f),
            None => Ok(()),
        }
    }
}

/// The answers that a call of [`Comm::send_with_ack`](super::Comm::send_with_ack) has collected,
/// in the order of their arrival.
///
/// With the feature `serde`, the value serialises to
/// `{"successes": 2, "failures": {"timed out": 1}}`, where an absent key means zero.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AggregatedSendResult {
    /// One result for each receiver that answered or failed in time.
    pub results: Vec<SendResult>,
    /// How many acknowledgements the policy requires.
    pub wanted: usize,
}

impl AggregatedSendResult {
    pub(super) fn wanted(policy: AckPolicy) -> Self {
        Self {
            results: Vec::new(),
            wanted: policy.min(),
        }
    }

    /// Whether as many receivers acknowledged as the [`AckPolicy`] requires.
    #[must_use]
    pub fn is_satisfied(&self) -> bool {
        self.ack_count() >= self.wanted
    }

    /// How many receivers acknowledged.
    #[must_use]
    pub fn ack_count(&self) -> usize {
        self.results
            .iter()
            .filter(|one| one.error.is_none())
            .count()
    }

    /// How many receivers did not acknowledge.
    #[must_use]
    pub fn nack_count(&self) -> usize {
        self.results.len() - self.ack_count()
    }

    /// How often each error occurred, by its text.
    #[must_use]
    pub fn failures(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for error in self.results.iter().filter_map(|one| one.error.as_ref()) {
            *counts.entry(error.to_string()).or_default() += 1;
        }
        counts
    }

    /// The failures, grouped by kind of error.
    ///
    /// This helps callers that treat each kind differently, for example that dial some peers again
    /// and send less to others.
    #[must_use]
    pub fn failures_by_kind(&self) -> BTreeMap<CommErrorKind, Vec<&SendResult>> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for result in &self.results {
            if let Some(error) = &result.error {
                groups.entry(error.kind()).or_default().push(result);
            }
        }
        groups
    }

    /// The JSON form as a string.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers and strings always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for AggregatedSendResult {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let mut map = serializer.serialize_map(None)?;
        if self.ack_count() > 0 {
            map.serialize_entry("successes", &self.ack_count())?;
        }
        if self.nack_count() > 0 {
            map.serialize_entry("failures", &self.failures())?;
        }
        map.end()
    }
}
