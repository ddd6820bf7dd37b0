//! The details of the selected row.

use std::time::Duration;

use peermux::peer::LaneInfo;
use peermux_cli::request::Event;
use serde_json::Value;

use super::super::model::{Model, ProtocolRow, Rate, Row, Tab, notes};
use super::dials::next_try;
use super::fields::{count, millis};
use super::peers::direction;
use super::text::Lines;
use crate::commands::peers::StaticNode;
use crate::human;

/// Adds the lines about the selected row of the tab.
pub(super) fn of_selected(model: &Model, lines: &mut Lines) {
    match model.tab {
        Tab::Peers => of_node(model, model.peer.selected(), lines),
        Tab::Memory => of_node(model, model.holder.selected(), lines),
        Tab::Dials => {
            let selected = model.dial.selected();
            let dials = model.dials();
            let node = dials.iter().find(|node| Some(&node.node_id) == selected);
            match node {
                Some(node) => dial(node, lines),
                None => lines.text("Nothing is selected."),
            }
        }
        Tab::Protocols => {
            let selected = model.protocol.selected();
            let protocols = model.protocols();
            match protocols.iter().find(|row| Some(&row.name) == selected) {
                Some(row) => protocol(row, model, lines),
                None => lines.text("Nothing is selected."),
            }
        }
        Tab::Events => {
            let selected = model.event.selected();
            let events = model.events();
            match events.iter().find(|event| Some(&event.number) == selected) {
                Some(event) => of_event(event, lines),
                None => lines.text("Nothing is selected."),
            }
        }
    }
}

fn of_node(model: &Model, id: Option<&peermux::NodeId>, lines: &mut Lines) {
    match id.and_then(|id| model.connected(id)) {
        Some(row) => peer(row, lines),
        None => lines.text("No peer is selected."),
    }
}

fn peer(row: &Row, lines: &mut Lines) {
    let info = &row.info;
    lines.value("node id", &info.node_id.to_string());
    lines.value("client", &info.client);
    let addr = |addr: Option<std::net::SocketAddr>| {
        addr.map_or_else(|| "-".to_owned(), |addr| addr.to_string())
    };
    lines.value("address", &addr(info.addr));
    lines.value("our address", &addr(info.local_addr));
    lines.value("direction", direction(info.direction));
    let time = human::time(Duration::from_millis(info.connected_ms));
    lines.value("age", &time);
    let trips = [info.rtt_us, info.rtt_p50_us, info.rtt_p99_us].map(millis);
    let [last, p50, p99] = trips;
    lines.value("round trip", &format!("last {last}, p50 {p50}, p99 {p99}"));
    if let Some(silent @ 1000..) = info.unanswered_ms {
        let time = human::time(Duration::from_millis(silent));
        lines.value("no answer", &format!("to a Ping for {time}"));
    }
    lines.value("score", &info.score.to_string());
    if !notes(row).is_empty() {
        lines.value("notes", &notes(row));
    }
    lines.value("enode", &info.enode);
    if let Some(record) = &info.record {
        lines.value("record", &record.to_string());
    }
    let announced = info.capabilities.iter().map(|one| {
        let name = format!("{}/{}", one.name, one.version);
        match (one.offset, one.length) {
            (Some(offset), Some(length)) if length > 0 => {
                format!(
                    "{name} {offset:#04x}–{:#04x}",
                    offset.saturating_add(length - 1)
                )
            }
            (Some(_), _) => name,
            (None, _) => format!("{name} (not shared)"),
        }
    });
    lines.value("capabilities", &announced.collect::<Vec<_>>().join(", "));
    for ((name, lane), rate) in info.protocols.iter().zip(&row.lanes) {
        lines.text("");
        of_lane(name, lane, rate.as_ref(), lines);
    }
}

fn of_lane(name: &str, lane: &LaneInfo, rate: Option<&Rate>, lines: &mut Lines) {
    lines.heading(&format!("{name}/{}", lane.version));
    let passed = |count_in_all: u64, bytes: u64, now: Option<[f64; 2]>| {
        let now = now.map(|[messages, bytes]| {
            format!(
                "; now {}/s, {}/s",
                count(messages),
                human::bytes(bytes as u64)
            )
        });
        let bytes = human::bytes(bytes);
        format!(
            "{count_in_all} messages, {bytes}{}",
            now.unwrap_or_default()
        )
    };
    let received = rate.map(|rate| [rate.received, rate.received_bytes]);
    lines.value(
        "received",
        &passed(lane.received, lane.received_bytes, received),
    );
    let sent = rate.map(|rate| [rate.sent, rate.sent_bytes]);
    lines.value("sent", &passed(lane.sent, lane.sent_bytes, sent));
    lines.value(
        "to send",
        &passed(lane.waiting as u64, lane.waiting_bytes as u64, None),
    );
    lines.value(
        "unread",
        &passed(lane.unread as u64, lane.unread_bytes as u64, None),
    );
    lines.value("dropped", &lane.dropped.to_string());
    let paused = human::time(Duration::from_millis(lane.paused_ms));
    lines.value("stalls", &format!("{} times, {paused} in all", lane.pauses));
    let waits = [lane.gate_wait_p50_us, lane.gate_wait_p99_us].map(millis);
    let [p50, p99] = waits;
    lines.value("write gate", &format!("p50 {p50}, p99 {p99}"));
    if lane.info != "unknown" {
        lines.value("info", &lane.info.to_string());
    }
}

fn protocol(row: &ProtocolRow, model: &Model, lines: &mut Lines) {
    lines.value("protocol", &row.name);
    lines.value("peers", &row.peers.to_string());
    let [received, sent] = [row.rate.received_bytes, row.rate.sent_bytes];
    let [received, sent] = [received, sent].map(|bytes| human::bytes(bytes as u64));
    lines.value(
        "in",
        &format!("{received}/s, {} messages/s", count(row.rate.received)),
    );
    lines.value(
        "out",
        &format!("{sent}/s, {} messages/s", count(row.rate.sent)),
    );
    lines.value("dropped", &row.dropped.to_string());
    let node = model.node.as_ref();
    if let Some(info) = node.and_then(|node| node.protocols.get(&row.name)) {
        lines.value("this node", &info.to_string());
    }
}

fn dial(node: &StaticNode, lines: &mut Lines) {
    lines.value("node id", &node.node_id.to_string());
    lines.value("enode", &node.enode.to_string());
    let (next, why) = next_try(node);
    lines.value(
        "state",
        if node.connected {
            "connected"
        } else {
            "not connected"
        },
    );
    lines.value("failures", &node.failures.to_string());
    lines.value("next try", &next);
    lines.value("why", &why);
    if let Some(error) = &node.error {
        let stage = error.stage.map(|stage| stage.to_string());
        lines.value("stage", &stage.unwrap_or_default());
    }
}

fn of_event(event: &Event, lines: &mut Lines) {
    lines.value("number", &event.number.to_string());
    for (key, value) in &event.what {
        let text = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        lines.value(key, &text);
    }
}
