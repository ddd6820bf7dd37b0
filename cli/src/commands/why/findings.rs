//! Finds what is remarkable in a recording, and says so in sentences.

use std::time::Duration;

use peermux::p2p::Capability;
use peermux::recorder::{
    DropCause, EndedBy, HoldCause, PauseCause, RecordedEntry, RecordedEvent as Event, Recording,
};

use crate::human;

/// The length of the last part of the connection, in which messages are counted.
const LATELY: Duration = Duration::from_secs(60);

/// Waits for a quota are reported if they take at least this long in total.
const LONG: Duration = Duration::from_secs(1);

/// Returns the findings. The first finding is how the connection ended.
pub(super) fn of(recording: &Recording) -> Vec<String> {
    let entries: Vec<_> = recording.entries().collect();
    let mut findings = vec![ending(recording)];
    findings.extend(traffic(&recording.last(LATELY)));
    findings.extend(drops(&entries, recording.protocols()));
    findings.extend(holds(&entries, recording.protocols()));
    findings.extend(pauses(&entries, recording));
    findings.extend(slow_writes(&entries));
    findings.extend(silence(&entries));
    findings
}

fn ending(recording: &Recording) -> String {
    let Some(end) = recording.end() else {
        return "it is connected".to_owned();
    };
    let reason = end.reason.map(|reason| format!(": {reason}"));
    let who = match end.requested_by {
        EndedBy::Remote => "the remote ended it",
        // The error is shown too, because the reason alone does not distinguish a kick, a ban and a
        // removal.
        EndedBy::Local => &format!("this node ended it ({})", end.error),
        _ => "the connection broke, without a Disconnect",
    };
    let unsent = match end.unsent {
        0 => String::new(),
        unsent => format!("; never sent: {}", human::count(unsent, "message")),
    };
    format!("{who}{}{unsent}", reason.unwrap_or_default())
}

/// Counts the messages and bytes of the last part of the connection.
fn traffic(lately: &Recording) -> Option<String> {
    let (mut received, mut sent) = ((0, 0), (0, 0));
    for entry in lately.entries() {
        let (sum, size) = match entry.event {
            Event::Received { size, .. } => (&mut received, size),
            Event::Sent { size, .. } => (&mut sent, size),
            _ => continue,
        };
        let (count, bytes): &mut (usize, u64) = sum;
        *count += 1;
        *bytes += u64::from(size);
    }
    let time = lately.lifetime().min(LATELY);
    // The recording of a busy peer may have lost entries of that time, so the counts are minimums.
    let least = match lately.forgotten() {
        0 => "",
        _ => "at least ",
    };
    Some(format!(
        "in its last {time:.1?} {least}{} received ({}), {} sent ({})",
        human::count(received.0, "message"),
        human::bytes(received.1),
        sent.0,
        human::bytes(sent.1),
    ))
}

fn drops(entries: &[RecordedEntry], protocols: &[Capability]) -> Vec<String> {
    let causes = [
        (DropCause::QueueFull, "its queue was full"),
        (DropCause::TooFast, "they came faster than its quota"),
    ];
    let mut findings = Vec::new();
    for (place, protocol) in protocols.iter().enumerate() {
        for (wanted, why) in causes {
            let of_these = |entry: &&RecordedEntry| {
                matches!(entry.event, Event::Dropped { protocol, cause, .. }
                    if usize::from(protocol) == place && cause == wanted)
            };
            match entries.iter().filter(of_these).count() {
                0 => {}
                count => {
                    let messages = human::count(count, "message");
                    findings.push(format!("{messages} of {protocol} dropped: {why}"));
                }
            }
        }
    }
    findings
}

/// Returns how long quotas of this side held messages back. Short times are left out.
fn holds(entries: &[RecordedEntry], protocols: &[Capability]) -> Vec<String> {
    let causes = [
        (
            HoldCause::ReceiveQuota,
            "waited for their handler",
            "receive",
        ),
        (HoldCause::SendQuota, "waited to be sent", "send"),
    ];
    let mut findings = Vec::new();
    for (place, protocol) in protocols.iter().enumerate() {
        for (wanted, waited, quota) in causes {
            let of_these = entries.iter().filter_map(|entry| match entry.event {
                Event::Held {
                    protocol,
                    cause,
                    messages,
                    total,
                    longest,
                } if usize::from(protocol) == place && cause == wanted => {
                    Some((usize::from(messages), total, longest))
                }
                _ => None,
            });
            let (count, sum, most) =
                of_these.fold((0, Duration::ZERO, Duration::ZERO), |sums, one| {
                    (
                        sums.0 + one.0,
                        sums.1.saturating_add(one.1),
                        sums.2.max(one.2),
                    )
                });
            if sum >= LONG {
                let messages = human::count(count, "message");
                findings.push(format!(
                    "{messages} of {protocol} {waited}, for {sum:.1?} in all, at most {most:.1?}: \
                     its {quota} quota here held them back"
                ));
            }
        }
    }
    findings
}

/// Sums up how long this side did not read, by cause.
fn pauses(entries: &[RecordedEntry], recording: &Recording) -> Vec<String> {
    let mut sums: Vec<(String, usize, Duration)> = Vec::new();
    let mut open: Option<(String, Duration)> = None;
    let mut close =
        |(why, time): (String, Duration)| match sums.iter_mut().find(|(known, ..)| *known == why) {
            Some((_, count, sum)) => {
                *count += 1;
                *sum = sum.saturating_add(time);
            }
            None => sums.push((why, 1, time)),
        };
    for entry in entries {
        match entry.event {
            Event::Paused { protocol, cause } => {
                let protocol = protocol.and_then(|at| recording.protocols().get(usize::from(at)));
                open = Some((cause_of(cause, protocol), entry.at));
            }
            Event::Resumed { after } => {
                if let Some((why, _)) = open.take() {
                    close((why, after));
                }
            }
            _ => {}
        }
    }
    let last = open.map(|(why, since)| {
        let time = recording.lifetime().saturating_sub(since);
        format!("at the end it had not been read from for {time:.1?}: {why}")
    });
    let sums = sums.into_iter().map(|(why, count, sum)| {
        let times = human::count(count, "time");
        format!("reading paused {times}, for {sum:.1?} in all: {why}")
    });
    sums.chain(last).collect()
}

fn cause_of(cause: PauseCause, protocol: Option<&Capability>) -> String {
    match (cause, protocol) {
        (PauseCause::QueueFull, Some(protocol)) => {
            format!("the handler of {protocol} here took its messages slowly")
        }
        (PauseCause::PeerMemory, _) => "its memory budget was used up".to_owned(),
        (PauseCause::NodeMemory, _) => "the node's memory budget was used up".to_owned(),
        _ => "a handler here took its messages slowly".to_owned(),
    }
}

fn slow_writes(entries: &[RecordedEntry]) -> Option<String> {
    let slow = entries.iter().filter_map(|entry| match entry.event {
        Event::SlowWrite { took, .. } => Some(took),
        _ => None,
    });
    let (count, longest) = slow.fold((0, Duration::ZERO), |(count, longest), took| {
        (count + 1, longest.max(took))
    });
    (count > 0).then(|| {
        let writes = human::count(count, "slow write");
        format!("{writes}, of at most {longest:.1?}: the remote or the path to it took data slowly")
    })
}

/// Counts the unanswered Pings at the end of the recording.
fn silence(entries: &[RecordedEntry]) -> Option<String> {
    let mut unanswered = 0;
    for entry in entries.iter().rev() {
        match entry.event {
            Event::Pings { sent, answered, .. } => {
                unanswered += usize::from(sent.saturating_sub(answered));
                if answered > 0 {
                    break;
                }
            }
            Event::Received { .. } | Event::DisconnectReceived { .. } => break,
            _ => {}
        }
    }
    (unanswered > 0).then(|| {
        format!(
            "{} at the end not answered",
            human::count(unanswered, "Ping")
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Returns a recording of ten seconds with a peer of two protocols.
    fn recording(end: &Value, entries: &Value) -> Recording {
        let recording = json!({
            "node_id": "07".repeat(32), "client": "someone/v1", "direction": "inbound",
            "addr": null, "protocols": ["echo/1", "chat/2"], "connected_at_ms": 0,
            "lifetime_us": 10_000_000, "end": end, "forgotten": 0, "entries": entries,
        });
        serde_json::from_value(recording).expect("a recording")
    }

    #[test]
    fn a_quiet_peer_is_connected() {
        let findings = of(&recording(&Value::Null, &json!([])));
        let lately = "in its last 10.0s 0 messages received (0 B), 0 sent (0 B)";
        assert_eq!(findings, ["it is connected", lately]);
    }

    #[test]
    fn each_kind_of_trouble_is_named() {
        let end = json!({
            "error": {"stage": "message", "fault": "io", "text": "no answer to a Ping"},
            "reason": null, "requested_by": "io", "unsent": 2,
        });
        let entries = json!([
            {"at_us": 1, "event": "received", "protocol": 0, "code": 0, "size": 1000, "unread": 1},
            {"at_us": 2, "event": "sent", "protocol": 1, "code": 0, "size": 5, "waiting": 0},
            {"at_us": 3, "event": "dropped", "protocol": 1, "code": 0, "size": 5, "cause": "too_fast"},
            {"at_us": 3, "event": "held", "protocol": 0, "cause": "send_quota", "messages": 2,
             "total_us": 1_500_000, "longest_us": 900_000},
            {"at_us": 3, "event": "held", "protocol": 1, "cause": "receive_quota", "messages": 1,
             "total_us": 400_000, "longest_us": 400_000},
            {"at_us": 3, "event": "held", "protocol": 0, "cause": "send_quota", "messages": 1,
             "total_us": 500_000, "longest_us": 500_000},
            {"at_us": 3, "event": "held", "protocol": 1, "cause": "receive_quota", "messages": 1,
             "total_us": 800_000, "longest_us": 800_000},
            {"at_us": 3, "event": "held", "protocol": 1, "cause": "send_quota", "messages": 5,
             "total_us": 900_000, "longest_us": 200_000},
            {"at_us": 4, "event": "paused", "protocol": 0, "cause": "queue_full"},
            {"at_us": 5, "event": "resumed", "after_us": 1_500_000},
            {"at_us": 6, "event": "paused", "protocol": 0, "cause": "queue_full"},
            {"at_us": 7, "event": "resumed", "after_us": 500_000},
            {"at_us": 8, "event": "slow_write", "size": 1000, "took_us": 300_000},
            {"at_us": 4_000_000, "event": "paused", "protocol": null, "cause": "node_memory"},
            {"at_us": 9_000_000, "event": "pings", "sent": 1, "answered": 0, "received": 0,
             "round_trip_us": 0, "longest_us": 0},
        ]);
        let findings = of(&recording(&end, &entries));
        assert_eq!(
            findings,
            [
                "the connection broke, without a Disconnect; never sent: 2 messages",
                "in its last 10.0s 1 message received (0.98 KiB), 1 sent (5 B)",
                "1 message of chat/2 dropped: they came faster than its quota",
                "3 messages of echo/1 waited to be sent, for 2.0s in all, at most 900.0ms: its send quota here held them back",
                "2 messages of chat/2 waited for their handler, for 1.2s in all, at most 800.0ms: its receive quota here held them back",
                "reading paused 2 times, for 2.0s in all: the handler of echo/1 here took its messages slowly",
                "at the end it had not been read from for 6.0s: the node's memory budget was used up",
                "1 slow write, of at most 300.0ms: the remote or the path to it took data slowly",
                "1 Ping at the end not answered",
            ]
        );
    }
}
