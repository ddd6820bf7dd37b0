//! Recordings as JSON.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::recording::Recorded;
use super::{EndedBy, RecordedEnd, RecordedEntry, Recording};
use crate::node::NodeId;
use crate::p2p::{Capability, DisconnectReason};
use crate::printable::printable;
use crate::setup::{Direction, FailureInfo};

/// The maximum length of a client name or an error, in characters. The rest is cut off.
const LONGEST: usize = 2048;

/// The JSON form of a recording.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    node_id: NodeId,
    client: Cow<'a, str>,
    direction: Cow<'a, str>,
    addr: Option<SocketAddr>,
    protocols: Cow<'a, [Capability]>,
    /// Milliseconds since 1970.
    connected_at_ms: u64,
    #[serde(with = "micros", rename = "lifetime_us")]
    lifetime: Duration,
    end: Option<Cow<'a, RecordedEnd>>,
    forgotten: u64,
    entries: Vec<RecordedEntry>,
}

/// The JSON form of the end of a connection.
#[derive(Serialize, Deserialize)]
pub(super) struct End {
    error: FailureInfo,
    reason: Option<DisconnectReason>,
    requested_by: EndedBy,
    unsent: usize,
}

impl From<RecordedEnd> for End {
    fn from(end: RecordedEnd) -> Self {
        Self {
            error: FailureInfo::new(end.stage, end.fault, end.reason, end.error),
            reason: end.reason,
            requested_by: end.requested_by,
            unsent: end.unsent,
        }
    }
}

impl TryFrom<End> for RecordedEnd {
    type Error = &'static str;

    fn try_from(end: End) -> Result<Self, Self::Error> {
        let FailureInfo {
            stage, fault, text, ..
        } = end.error;
        Ok(Self {
            error: printable(&text, LONGEST),
            stage: stage.ok_or("the error of the end has no stage")?,
            fault: fault.ok_or("the error of the end has no fault")?,
            reason: end.reason,
            requested_by: end.requested_by,
            unsent: end.unsent,
        })
    }
}

impl Serialize for Recording {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let peer = self.peer();
        let connected_at = peer.connected_at.duration_since(SystemTime::UNIX_EPOCH);
        let millis = connected_at.unwrap_or_default().as_millis();
        let written = Written {
            node_id: peer.node_id,
            client: Cow::Borrowed(&peer.client),
            direction: Cow::Borrowed(peer.direction.as_str()),
            addr: peer.addr,
            protocols: Cow::Borrowed(&peer.protocols),
            connected_at_ms: u64::try_from(millis).unwrap_or(u64::MAX),
            lifetime: peer.lifetime,
            end: peer.end.as_ref().map(Cow::Borrowed),
            forgotten: self.forgotten(),
            entries: self.entries().collect(),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Recording {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let directions = [Direction::Inbound, Direction::Outbound];
        let mut directions = directions.into_iter();
        let direction = directions
            .find(|direction| direction.as_str() == written.direction)
            .ok_or_else(|| D::Error::custom("the direction is neither inbound nor outbound"))?;
        let connected_at = Duration::from_millis(written.connected_at_ms);
        let peer = Recorded {
            node_id: written.node_id,
            client: printable(&written.client, LONGEST),
            direction,
            addr: written.addr,
            protocols: written.protocols.into_owned(),
            connected_at: SystemTime::UNIX_EPOCH
                .checked_add(connected_at)
                .unwrap_or(SystemTime::UNIX_EPOCH),
            lifetime: written.lifetime,
            end: written.end.map(Cow::into_owned),
        };
        Ok(Self::from_entries(peer, written.forgotten, written.entries))
    }
}

/// Whole microseconds.
pub(super) mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::recorder::packed;

    pub(in crate::recorder) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(packed::micros(*time))
    }

    pub(in crate::recorder) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::recorder::{HoldCause, RecordedEvent};
    use crate::stage::Stage;

    fn recording() -> Recording {
        let at = Duration::from_micros;
        let peer = Recorded {
            node_id: NodeId::from_bytes([7; 32]),
            client: "someone/v1".to_owned(),
            direction: Direction::Inbound,
            addr: Some(SocketAddr::from(([192, 0, 2, 1], 30303))),
            protocols: vec![Capability::new("echo", 1)],
            connected_at: SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_millis(1_700_000_000_000))
                .unwrap(),
            lifetime: Duration::from_secs(3),
            end: Some(RecordedEnd {
                error: "the remote disconnected: too many peers".to_owned(),
                stage: Stage::Message,
                fault: Fault::Remote,
                reason: Some(DisconnectReason::TOO_MANY_PEERS),
                requested_by: EndedBy::Remote,
                unsent: 2,
            }),
        };
        let received = RecordedEvent::Received {
            protocol: 0,
            code: 1,
            size: 16,
            unread: 1,
        };
        let pings = RecordedEvent::Pings {
            sent: 1,
            answered: 1,
            received: 0,
            round_trip: at(250),
            longest: at(250),
        };
        let held = RecordedEvent::Held {
            protocol: 0,
            cause: HoldCause::SendQuota,
            messages: 3,
            total: at(600_000),
            longest: at(250_000),
        };
        let entries = [(1207, received), (1_500_000, pings), (1_600_000, held)];
        let entries = entries.map(|(micros, event)| RecordedEntry {
            at: at(micros),
            event,
        });
        Recording::from_entries(peer, 5, entries)
    }

    #[test]
    fn recordings_round_trip_as_plain_json() {
        let json = serde_json::to_value(recording()).unwrap();
        let expected = serde_json::json!({
            "node_id": "07".repeat(32),
            "client": "someone/v1",
            "direction": "inbound",
            "addr": "192.0.2.1:30303",
            "protocols": ["echo/1"],
            "connected_at_ms": 1_700_000_000_000u64,
            "lifetime_us": 3_000_000,
            "end": {
                "error": {
                    "stage": "message",
                    "fault": "remote",
                    "reason": {"code": 4, "text": "too many peers"},
                    "text": "the remote disconnected: too many peers",
                },
                "reason": {"code": 4, "text": "too many peers"},
                "requested_by": "remote",
                "unsent": 2,
            },
            "forgotten": 5,
            "entries": [
                {"at_us": 1207, "event": "received", "protocol": 0, "code": 1, "size": 16, "unread": 1},
                {"at_us": 1_500_000, "event": "pings", "sent": 1, "answered": 1, "received": 0,
                 "round_trip_us": 250, "longest_us": 250},
                {"at_us": 1_600_000, "event": "held", "protocol": 0, "cause": "send_quota",
                 "messages": 3, "total_us": 600_000, "longest_us": 250_000},
            ],
        });
        assert_eq!(json, expected);
        let back: Recording = serde_json::from_value(json).unwrap();
        assert_eq!(back, recording());
    }

    #[test]
    fn the_table_has_a_line_for_each_entry() {
        let id = "07".repeat(32);
        let table = format!(
            "{id} inbound 192.0.2.1:30303 someone/v1 [echo/1]\n\
             ended after 3.0s: the remote disconnected: too many peers, 2 messages unsent\n\
             5 earlier entries not included\n      \
             0.001207 <- echo/1 0x01 16 B, 1 unread\n      \
             1.500000    pings: 1 sent, 1 answered, 0 received, round trip 250.0µs\n      \
             1.600000    held back by the send quota of echo/1: 3 messages, 600.0ms in all, at most 250.0ms"
        );
        assert_eq!(recording().to_string(), table);
        let last = recording().last(Duration::from_secs(2));
        assert_eq!((last.len(), last.forgotten()), (2, 6));
    }
}
