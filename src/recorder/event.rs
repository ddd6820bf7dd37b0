//! Recorded events.

use std::time::Duration;

use crate::fault::Fault;
use crate::p2p::DisconnectReason;
use crate::stage::Stage;

/// One entry of a [`Recording`](super::Recording).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RecordedEntry {
    /// The time since the peer connected, in microseconds.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "at_us", with = "super::json::micros")
    )]
    pub at: Duration,
    /// The event.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub event: RecordedEvent,
}

/// A message or signal on a connection, or a decision about the connection.
///
/// A `protocol` is an index into [`Recording::protocols`](super::Recording::protocols), and a
/// `code` is relative to that protocol. Sizes are bytes of uncompressed payloads. The largest value
/// of an integer type means that number or more.
///
/// With the feature `serde`, an entry is one JSON object, such as
/// `{"at_us":1207,"event":"received","protocol":0,"code":1,"size":16,"unread":1}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "event", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RecordedEvent {
    /// A message arrived and was added to its protocol's queue.
    Received {
        /// The message's protocol.
        protocol: u16,
        /// The message's code.
        code: u64,
        /// The message's size.
        size: u32,
        /// How many messages the protocol had not read, or still held after reading.
        ///
        /// This message is included.
        unread: u16,
    },
    /// A message was passed to the socket.
    Sent {
        /// The message's protocol.
        protocol: u16,
        /// The message's code.
        code: u64,
        /// The message's size.
        size: u32,
        /// How many messages of all protocols were still queued for sending after this one.
        waiting: u16,
    },
    /// A message arrived and was dropped.
    Dropped {
        /// The message's protocol.
        protocol: u16,
        /// The message's code.
        code: u64,
        /// The message's size.
        size: u32,
        /// Why the message was dropped.
        cause: DropCause,
    },
    /// Pings without other events between them; the entry's time is that of the last Ping.
    Pings {
        /// How many Pings this side sent.
        sent: u16,
        /// How many Pings of this side the remote answered.
        answered: u16,
        /// How many Pings the remote sent.
        received: u16,
        /// The last round trip; zero if no Ping was answered.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "round_trip_us", with = "super::json::micros")
        )]
        round_trip: Duration,
        /// The longest round trip; zero if no Ping was answered.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "longest_us", with = "super::json::micros")
        )]
        longest: Duration,
    },
    /// This side stopped reading.
    Paused {
        /// The protocol whose message had no room; `None` if the read buffer had no room.
        protocol: Option<u16>,
        /// Why this side stopped reading.
        cause: PauseCause,
    },
    /// This side resumed reading.
    Resumed {
        /// How long this side had not been reading.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "after_us", with = "super::json::micros")
        )]
        after: Duration,
    },
    /// A quota of this side held messages back.
    ///
    /// Waits for one quota share an entry if they follow each other closely. The entry's time is
    /// the end of the last wait. Calls of `send` may wait at the same time, so their `total` may
    /// exceed the time that has passed.
    Held {
        /// The protocol with the quota.
        protocol: u16,
        /// Which of the protocol's quotas held the messages back.
        cause: HoldCause,
        /// How many messages waited.
        messages: u16,
        /// The sum of the times that the messages waited.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "total_us", with = "super::json::micros")
        )]
        total: Duration,
        /// The longest of these times, at most 71 minutes.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "longest_us", with = "super::json::micros")
        )]
        longest: Duration,
    },
    /// The socket took more than a tenth of a second to accept a batch.
    SlowWrite {
        /// The size of the batch in bytes.
        size: u64,
        /// How long the socket took to accept the batch.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "took_us", with = "super::json::micros")
        )]
        took: Duration,
    },
    /// A Disconnect arrived.
    DisconnectReceived {
        /// The reason in the Disconnect, if there was one.
        reason: Option<DisconnectReason>,
    },
    /// A Disconnect was passed to the socket.
    DisconnectSent {
        /// The reason in the Disconnect.
        reason: DisconnectReason,
    },
    /// The connection began to end.
    Ending,
}

/// Why a received message was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DropCause {
    /// The protocol's queue was full.
    QueueFull,
    /// The message arrived faster than the protocol's quota allows.
    TooFast,
}

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PauseCause {
    /// The protocol's queue was full.
    QueueFull,
    /// The peer's memory budget was exhausted.
    PeerMemory,
    /// The node's memory budget was exhausted.
    NodeMemory,
}

/// Which quota held messages back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HoldCause {
    /// The protocol's [receive quota](crate::ProtocolLimits::with_receive_quota): received messages
    /// waited in the queue until the quota admitted them.
    ReceiveQuota,
    /// The protocol's [send quota](crate::ProtocolLimits::with_send_quota): `send` waited for the
    /// quota.
    SendQuota,
}

/// How the connection of a recorded peer ended.
///
/// With the feature `serde`, `error`, `stage` and `fault` are one object in `error`, a
/// `setup::FailureInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "super::json::End", into = "super::json::End")
)]
#[non_exhaustive]
pub struct RecordedEnd {
    /// The cause, as the text of the [`PeerError`](crate::PeerError), in one line.
    pub error: String,
    /// The stage at which the connection ended.
    pub stage: Stage,
    /// Which side is at fault.
    pub fault: Fault,
    /// The reason in a Disconnect, in either direction.
    pub reason: Option<DisconnectReason>,
    /// Which side ended the connection.
    pub requested_by: EndedBy,
    /// How many queued messages were never written.
    pub unsent: usize,
}

/// Which side ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EndedBy {
    /// The remote sent a Disconnect.
    Remote,
    /// This side sent a Disconnect.
    Local,
    /// The connection ended without a Disconnect.
    Io,
}
