//! Entries in 24 bytes.

use std::time::Duration;

use super::{DropCause, HoldCause, PauseCause, RecordedEntry, RecordedEvent};
use crate::p2p::DisconnectReason;

/// Represents the absence of a protocol.
const NO_PROTOCOL: u16 = u16::MAX;

/// Represents a Disconnect without a reason.
const NO_REASON: u64 = 1 << 8;

/// How many bits of [`Packed::head`] the kind takes. The other bits are microseconds, enough for
/// two thousand years.
const KIND_BITS: u32 = 8;

/// An entry. Its kind determines the meaning of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed {
    head: u64,
    a: u64,
    b: u64,
}

const _: () = assert!(size_of::<Packed>() == 24);

const RECEIVED: u64 = 0;
const SENT: u64 = 1;
const DROPPED_FULL: u64 = 2;
const DROPPED_TOO_FAST: u64 = 3;
const PINGS: u64 = 4;
const PAUSED_FULL: u64 = 5;
const PAUSED_PEER_MEMORY: u64 = 6;
const PAUSED_NODE_MEMORY: u64 = 7;
const RESUMED: u64 = 8;
const SLOW_WRITE: u64 = 9;
const DISCONNECT_RECEIVED: u64 = 10;
const DISCONNECT_SENT: u64 = 11;
const ENDING: u64 = 12;
const HELD_RECEIVING: u64 = 13;
const HELD_SENDING: u64 = 14;

impl Packed {
    /// Packs an event, without its time.
    pub(super) fn new(event: RecordedEvent) -> Self {
        use RecordedEvent as Event;

        let (head, a, b) = match event {
            Event::Received {
                protocol,
                code,
                size,
                unread,
            } => (RECEIVED, code, message(protocol, size, unread)),
            Event::Sent {
                protocol,
                code,
                size,
                waiting,
            } => (SENT, code, message(protocol, size, waiting)),
            Event::Dropped {
                protocol,
                code,
                size,
                cause,
            } => {
                let kind = match cause {
                    DropCause::QueueFull => DROPPED_FULL,
                    DropCause::TooFast => DROPPED_TOO_FAST,
                };
                (kind, code, message(protocol, size, 0))
            }
            Event::Pings {
                sent,
                answered,
                received,
                round_trip,
                longest,
            } => (
                PINGS,
                u64::from(sent) | u64::from(answered) << 16 | u64::from(received) << 32,
                short_micros(round_trip) | short_micros(longest) << 32,
            ),
            Event::Paused { protocol, cause } => {
                let kind = match cause {
                    PauseCause::QueueFull => PAUSED_FULL,
                    PauseCause::PeerMemory => PAUSED_PEER_MEMORY,
                    PauseCause::NodeMemory => PAUSED_NODE_MEMORY,
                };
                (kind, 0, u64::from(protocol.unwrap_or(NO_PROTOCOL)))
            }
            Event::Resumed { after } => (RESUMED, micros(after), 0),
            Event::Held {
                protocol,
                cause,
                messages,
                total,
                longest,
            } => {
                let longest = short_micros(longest) << 32;
                let b = longest | u64::from(messages) << 16 | u64::from(protocol);
                (held(cause), micros(total), b)
            }
            Event::SlowWrite { size, took } => (SLOW_WRITE, size, micros(took)),
            Event::DisconnectReceived { reason } => {
                let reason = reason.map_or(NO_REASON, |reason| reason.0.into());
                (DISCONNECT_RECEIVED, reason, 0)
            }
            Event::DisconnectSent { reason } => (DISCONNECT_SENT, reason.0.into(), 0),
            Event::Ending => (ENDING, 0, 0),
        };
        Self { head, a, b }
    }

    /// Sets the time in microseconds. It must not have been set before.
    pub(super) fn stamp(&mut self, micros: u64) {
        self.head |= micros << KIND_BITS;
    }

    /// The time, in microseconds.
    pub(super) fn at(&self) -> u64 {
        self.head >> KIND_BITS
    }

    pub(super) fn is_pings(&self) -> bool {
        self.kind() == PINGS
    }

    /// Whether the entry records waits for this quota of a protocol.
    pub(super) fn is_held(&self, protocol: u16, cause: HoldCause) -> bool {
        self.kind() == held(cause) && self.b as u16 == protocol
    }

    fn kind(&self) -> u64 {
        self.head & ((1 << KIND_BITS) - 1)
    }

    /// Unpacks the entry.
    pub(super) fn entry(&self) -> RecordedEntry {
        RecordedEntry {
            at: Duration::from_micros(self.at()),
            event: self.event(),
        }
    }

    fn event(&self) -> RecordedEvent {
        use RecordedEvent as Event;

        let (protocol, count) = (self.b as u16, (self.b >> 16) as u16);
        let (code, size) = (self.a, (self.b >> 32) as u32);
        let dropped = |cause| Event::Dropped {
            protocol,
            code,
            size,
            cause,
        };
        let paused = |cause| Event::Paused {
            protocol: Some(protocol).filter(|protocol| *protocol != NO_PROTOCOL),
            cause,
        };
        let held = |cause| Event::Held {
            protocol,
            cause,
            messages: count,
            total: Duration::from_micros(self.a),
            longest: Duration::from_micros(self.b >> 32),
        };
        let reason = DisconnectReason(self.a as u8);
        match self.kind() {
            RECEIVED => Event::Received {
                protocol,
                code,
                size,
                unread: count,
            },
            SENT => Event::Sent {
                protocol,
                code,
                size,
                waiting: count,
            },
            DROPPED_FULL => dropped(DropCause::QueueFull),
            DROPPED_TOO_FAST => dropped(DropCause::TooFast),
            PINGS => Event::Pings {
                sent: self.a as u16,
                answered: (self.a >> 16) as u16,
                received: (self.a >> 32) as u16,
                round_trip: Duration::from_micros(u64::from(self.b as u32)),
                longest: Duration::from_micros(self.b >> 32),
            },
            PAUSED_FULL => paused(PauseCause::QueueFull),
            PAUSED_PEER_MEMORY => paused(PauseCause::PeerMemory),
            PAUSED_NODE_MEMORY => paused(PauseCause::NodeMemory),
            RESUMED => Event::Resumed {
                after: Duration::from_micros(self.a),
            },
            HELD_RECEIVING => held(HoldCause::ReceiveQuota),
            HELD_SENDING => held(HoldCause::SendQuota),
            SLOW_WRITE => Event::SlowWrite {
                size: self.a,
                took: Duration::from_micros(self.b),
            },
            DISCONNECT_RECEIVED => Event::DisconnectReceived {
                reason: Some(reason).filter(|_| self.a < NO_REASON),
            },
            DISCONNECT_SENT => Event::DisconnectSent { reason },
            _ => Event::Ending,
        }
    }
}

impl From<RecordedEntry> for Packed {
    fn from(entry: RecordedEntry) -> Self {
        let mut packed = Self::new(entry.event);
        packed.stamp(micros(entry.at));
        packed
    }
}

/// The kind of an entry that records waits for this quota.
fn held(cause: HoldCause) -> u64 {
    match cause {
        HoldCause::ReceiveQuota => HELD_RECEIVING,
        HoldCause::SendQuota => HELD_SENDING,
    }
}

fn message(protocol: u16, size: u32, count: u16) -> u64 {
    u64::from(size) << 32 | u64::from(count) << 16 | u64::from(protocol)
}

/// Returns a time in whole microseconds.
pub(super) fn micros(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000);
    seconds.saturating_add(time.subsec_micros().into())
}

/// Returns a time in whole microseconds in 32 bits, at most 71 minutes.
fn short_micros(time: Duration) -> u64 {
    micros(time).min(u32::MAX.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_event() -> impl Strategy<Value = RecordedEvent> {
        use RecordedEvent as Event;

        let message = || any::<(u16, u64, u32, u16)>();
        let time = || (0..=u64::from(u32::MAX)).prop_map(Duration::from_micros);
        let reason = || any::<u8>().prop_map(DisconnectReason);
        let drop_cause = prop_oneof![Just(DropCause::QueueFull), Just(DropCause::TooFast)];
        let pause_cause = prop_oneof![
            Just(PauseCause::QueueFull),
            Just(PauseCause::PeerMemory),
            Just(PauseCause::NodeMemory),
        ];
        let hold_cause = prop_oneof![Just(HoldCause::ReceiveQuota), Just(HoldCause::SendQuota)];
        prop_oneof![
            message().prop_map(|(protocol, code, size, unread)| Event::Received {
                protocol,
                code,
                size,
                unread
            }),
            message().prop_map(|(protocol, code, size, waiting)| Event::Sent {
                protocol,
                code,
                size,
                waiting
            }),
            (message(), drop_cause).prop_map(|((protocol, code, size, _), cause)| {
                Event::Dropped {
                    protocol,
                    code,
                    size,
                    cause,
                }
            }),
            (any::<(u16, u16, u16)>(), time(), time()).prop_map(|(counts, round_trip, longest)| {
                Event::Pings {
                    sent: counts.0,
                    answered: counts.1,
                    received: counts.2,
                    round_trip,
                    longest,
                }
            }),
            (prop::option::of(0..NO_PROTOCOL), pause_cause)
                .prop_map(|(protocol, cause)| Event::Paused { protocol, cause }),
            time().prop_map(|after| Event::Resumed { after }),
            (any::<(u16, u16)>(), hold_cause, 0..=u64::MAX, time()).prop_map(
                |((protocol, messages), cause, total, longest)| Event::Held {
                    protocol,
                    cause,
                    messages,
                    total: Duration::from_micros(total),
                    longest,
                }
            ),
            (any::<u64>(), time()).prop_map(|(size, took)| Event::SlowWrite { size, took }),
            prop::option::of(reason()).prop_map(|reason| Event::DisconnectReceived { reason }),
            reason().prop_map(|reason| Event::DisconnectSent { reason }),
            Just(Event::Ending),
        ]
    }

    proptest! {
        #[test]
        fn an_entry_is_read_as_it_was_packed(event in any_event(), micros in 0..1u64 << 56) {
            let entry = RecordedEntry { at: Duration::from_micros(micros), event };
            prop_assert_eq!(Packed::from(entry).entry(), entry);
        }
    }
}
