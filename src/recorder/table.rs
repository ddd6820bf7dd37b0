//! A recording as a table.

use std::fmt;

use super::{DropCause, HoldCause, PauseCause, RecordedEnd, RecordedEvent, Recording};
use crate::p2p::Capability;

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (node, direction, client) = (self.node_id(), self.direction(), self.client());
        write!(f, "{node} {} ", direction.as_str())?;
        match self.remote_addr() {
            Some(addr) => write!(f, "{addr}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {client} [")?;
        for (place, protocol) in self.protocols().iter().enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(f, "{between}{protocol}")?;
        }
        let lifetime = self.lifetime();
        match self.end() {
            None => write!(f, "]\nconnected for {lifetime:.1?}")?,
            Some(end) => write!(f, "]\nended after {lifetime:.1?}: {end}")?,
        }
        match self.forgotten() {
            0 => {}
            forgotten => write!(f, "\n{forgotten} earlier entries not included")?,
        }
        for entry in self.entries() {
            let seconds = entry.at.as_secs_f64();
            write!(f, "\n{seconds:14.6} ")?;
            line(f, &entry.event, self.protocols())?;
        }
        Ok(())
    }
}

/// Writes one event in one line.
fn line(
    f: &mut fmt::Formatter<'_>,
    event: &RecordedEvent,
    protocols: &[Capability],
) -> fmt::Result {
    use RecordedEvent as Event;

    let name = |protocol: &u16| Name(protocols.get(usize::from(*protocol)), *protocol);
    match event {
        Event::Received {
            protocol,
            code,
            size,
            unread,
        } => write!(
            f,
            "<- {} {code:#04x} {size} B, {unread} unread",
            name(protocol)
        ),
        Event::Sent {
            protocol,
            code,
            size,
            waiting,
        } => write!(
            f,
            "-> {} {code:#04x} {size} B, {waiting} waiting",
            name(protocol)
        ),
        Event::Dropped {
            protocol,
            code,
            size,
            cause,
        } => {
            let cause = match cause {
                DropCause::QueueFull => "its queue was full",
                DropCause::TooFast => "it arrived too fast",
            };
            let name = name(protocol);
            write!(f, "<- {name} {code:#04x} {size} B, dropped: {cause}")
        }
        Event::Pings {
            sent,
            answered,
            received,
            round_trip,
            longest,
        } => {
            write!(
                f,
                "   pings: {sent} sent, {answered} answered, {received} received"
            )?;
            match answered {
                0 => Ok(()),
                1 => write!(f, ", round trip {round_trip:.1?}"),
                _ => write!(f, ", round trip {round_trip:.1?}, at most {longest:.1?}"),
            }
        }
        Event::Paused { protocol, cause } => {
            f.write_str("   reading paused: ")?;
            match (cause, protocol) {
                (PauseCause::QueueFull, Some(protocol)) => {
                    write!(f, "the queue of {} is full", name(protocol))
                }
                (PauseCause::QueueFull, None) => f.write_str("a queue is full"),
                (PauseCause::PeerMemory, _) => f.write_str("the peer's memory budget is used up"),
                (PauseCause::NodeMemory, _) => f.write_str("the node's memory budget is used up"),
            }
        }
        Event::Resumed { after } => write!(f, "   reading resumed after {after:.1?}"),
        Event::Held {
            protocol,
            cause,
            messages,
            total,
            longest,
        } => {
            let name = name(protocol);
            write!(f, "   held back by the {} of {name}: ", quota(*cause))?;
            match messages {
                1 => write!(f, "1 message, {total:.1?}"),
                _ => {
                    let sum = format_args!("{messages} messages, {total:.1?} in all");
                    write!(f, "{sum}, at most {longest:.1?}")
                }
            }
        }
        Event::SlowWrite { size, took } => {
            write!(f, "   the socket took {size} B in {took:.1?}")
        }
        Event::DisconnectReceived { reason } => match reason {
            Some(reason) => write!(f, "<- Disconnect: {reason} ({:#04x})", reason.0),
            None => f.write_str("<- Disconnect without a reason"),
        },
        Event::DisconnectSent { reason } => {
            write!(f, "-> Disconnect: {reason} ({:#04x})", reason.0)
        }
        Event::Ending => f.write_str("   the peer is ending"),
    }
}

fn quota(cause: HoldCause) -> &'static str {
    match cause {
        HoldCause::ReceiveQuota => "receive quota",
        HoldCause::SendQuota => "send quota",
    }
}

/// A protocol, or its index if the recording does not list it.
struct Name<'a>(Option<&'a Capability>, u16);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(capability) => capability.fmt(f),
            None => write!(f, "protocol {}", self.1),
        }
    }
}

impl fmt::Display for RecordedEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        match self.unsent {
            0 => Ok(()),
            unsent => write!(f, ", {unsent} messages unsent"),
        }
    }
}
