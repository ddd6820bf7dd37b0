//! The table of all metrics.

use super::family::Family;
use super::{Counter, Gauge, Histogram, Label};

/// Values of the label `reason`: the named reasons of a Disconnect, and further values.
macro_rules! reasons {
    ($($other:literal),*) => {
        &[
            "requested",
            "network_error",
            "breach_of_protocol",
            "useless_peer",
            "too_many_peers",
            "already_connected",
            "incompatible_version",
            "invalid_identity",
            "client_quitting",
            "unexpected_identity",
            "connected_to_self",
            "read_timeout",
            "subprotocol_error",
            "invalid",
            "unknown",
            "none",
            $($other),*
        ]
    };
}

pub(crate) const PEER_REASONS: &[&str] = reasons!();
const DIAL_REASONS: &[&str] = reasons!(
    "banned",
    "closed",
    "handshake",
    "io",
    "refused",
    "resolve",
    "restricted",
    "timeout",
    "unreachable",
    "unwanted"
);
const INBOUND_REASONS: &[&str] = reasons!(
    "banned",
    "closed",
    "handshake",
    "io",
    "limit",
    "network_limit",
    "other",
    "rate",
    "restricted",
    "timeout",
    "too_soon"
);

/// Values of the label `cause` of a peer's end: the variants of `PeerError`.
const CAUSES: &[&str] = &[
    "banned",
    "closed",
    "evicted",
    "frame",
    "internal",
    "kicked",
    "local",
    "no_room",
    "ping_flood",
    "protocol",
    "protocol_returned",
    "read",
    "remote",
    "removed",
    "silent",
    "slow_message",
    "slow_write",
    "stalled",
    "too_fast",
    "unknown_message",
    "write",
];

const PAUSES: &[&str] = &["queue_full", "peer_memory", "node_memory"];
const BUDGETS: &[&str] = &["node", "peer"];

const SIDES: Label = Label::of("side", &["local", "remote", "io"]);
const OPENED: Label = Label::of("direction", &["inbound", "outbound"]);
const FLOW: Label = Label::of("direction", &["ingress", "egress"]);
const PROTOCOL: Label = Label::own("protocol");
const BUDGET: Label = Label::of("budget", BUDGETS);

/// Defines a family for each row, and the list of all rows.
macro_rules! families {
    ($($NAME:ident: $Handle:ident [$($label:expr),* $(,)?] = $name:literal, $unit:ident, $help:literal;)+) => {
        $(
            #[doc = $help]
            #[allow(dead_code, reason = "a layer that is not built counts nothing")]
            pub(crate) const $NAME: Family<$Handle, { [$($label,)* Label::own("")].len() - 1 }> =
                Family::new($name, &[$($label),*]);
        )+

        #[cfg(feature = "metrics")]
        pub(super) static ALL: &[super::MetricInfo] = &[$(super::MetricInfo::new(
            $name,
            super::Kind::$Handle,
            super::Unit::$unit,
            &[$($label),*],
            $help,
        )),+];
    };
}

families! {
    START_TIME: Gauge[] = "peermux_start_time_seconds", Seconds,
        "When the server started, in seconds since the Unix epoch; each change is a restart.";
    SERVICE_FAILURES: Counter[Label::own("service")] = "peermux_service_failures_total", Count,
        "Parts of the server that ended or panicked; the first one stops the server.";

    PEERS: Gauge[OPENED, Label::of("state", &["active", "ending"])] = "peermux_peers", Count,
        "Peers, by who opened the connection and by whether they are ending.";
    PEERS_MAX: Gauge[] = "peermux_peers_max", Count,
        "Maximum number of peers.";
    STATIC_NODES: Gauge[Label::of("state", &["connected", "waiting"])] = "peermux_static_nodes", Count,
        "Static nodes, by whether they are connected.";
    DISCONNECTS: Counter[Label::of("cause", CAUSES), Label::of("reason", PEER_REASONS), SIDES, PROTOCOL] =
        "peermux_disconnects_total", Count,
        "Ended peers, by cause, by the reason in the Disconnect, by the side that sent it, and by the protocol concerned, if any.";
    ROUND_TRIP: Histogram[] = "peermux_round_trip_seconds", Seconds,
        "Round trips of Pings to peers.";

    DIALS: Counter[Label::of("outcome", &["connected", "there", "unreachable", "not_attempted"])] =
        "peermux_dials_total", Count,
        "Ended dials: with a peer, with a node that answered but is not a peer, without an answer, or before any attempt.";
    DIALS_IN_FLIGHT: Gauge[] = "peermux_dials_in_flight", Count,
        "Dials that have started, and have neither led to a peer nor failed yet.";
    DIAL_FAILURES: Counter[Label::of("stage", &["dial", "auth", "ack", "hello"]), Label::of("reason", DIAL_REASONS)] =
        "peermux_dial_failures_total", Count,
        "Dials that did not lead to a peer, by stage and reason.";
    INBOUND: Counter[Label::of("outcome", &["connected", "failed", "rejected"])] =
        "peermux_inbound_total", Count,
        "Accepted connections: those that became peers, failed in set-up, or were closed at once.";
    INBOUND_IN_FLIGHT: Gauge[] = "peermux_inbound_in_flight", Count,
        "Accepted connections in set-up.";
    INBOUND_FAILURES: Counter[Label::of("stage", &["accept", "auth", "ack", "hello"]), Label::of("reason", INBOUND_REASONS)] =
        "peermux_inbound_failures_total", Count,
        "Accepted connections that did not become peers, by stage and reason.";
    HANDSHAKE: Histogram[OPENED, Label::of("stage", &["dial", "auth", "ack", "hello"])] =
        "peermux_handshake_seconds", Seconds,
        "Duration of the stages of connecting that succeeded.";

    MESSAGES: Counter[PROTOCOL, FLOW] = "peermux_messages_total", Count,
        "Messages that handlers received or that were passed to the socket.";
    MESSAGE_BYTES: Counter[PROTOCOL, FLOW] = "peermux_message_bytes_total", Bytes,
        "Uncompressed payload bytes of the messages in peermux_messages_total.";
    MESSAGES_DROPPED: Counter[PROTOCOL] = "peermux_messages_dropped_total", Count,
        "Received messages that were dropped because a queue was full or they came too fast.";
    QUEUE_TIME: Histogram[PROTOCOL] = "peermux_queue_seconds", Seconds,
        "Time that received messages waited for their handler, measured for one message in 16.";
    GATE_WAIT: Histogram[PROTOCOL] = "peermux_gate_wait_seconds", Seconds,
        "Time that queued messages waited at the write gate, measured for one message in 16.";
    QUEUED_MESSAGES: Gauge[PROTOCOL, FLOW] = "peermux_queued_messages", Count,
        "Messages that wait for a handler, are held by it, or wait to be sent.";
    QUEUED_BYTES: Gauge[PROTOCOL, FLOW] = "peermux_queued_bytes", Bytes,
        "Uncompressed payload bytes of the messages in peermux_queued_messages.";
    READ_PAUSES: Histogram[PROTOCOL, Label::of("cause", PAUSES)] = "peermux_read_pause_seconds", Seconds,
        "Stalls: time in which a connection was not read for lack of room.";

    MEMORY_USED: Gauge[BUDGET] = "peermux_memory_used_bytes", Bytes,
        "Memory of messages: of all peers beyond 32 KiB each (node), and of the peer that holds most (peer).";
    MEMORY_LIMIT: Gauge[BUDGET] = "peermux_memory_limit_bytes", Bytes,
        "Limits on the memory of messages: of all peers (node), and of each (peer).";

    ADDRESS_BOOK: Gauge[Label::of("state", &["new", "tried"])] = "peermux_address_book_nodes", Count,
        "Nodes in the address book, by whether a connection has succeeded.";
    BANS: Gauge[Label::of("target", &["node", "ip"])] = "peermux_bans", Count,
        "Bans in force.";
    DISCOVERY_TABLE: Gauge[Label::of("version", &["v4", "v5"])] = "peermux_discovery_table_nodes", Count,
        "Nodes in the discovery tables.";
    DISCOVERY_FOUND: Counter[Label::of("version", &["v4", "v5"])] = "peermux_discovery_found_total", Count,
        "Nodes that discovery passed to the dialler.";
    TCP_RETRANSMITS: Counter[] = "peermux_tcp_retransmits_total", Count,
        "TCP segments that the kernel retransmitted; read on Linux, during bulk traffic and when a connection closes.";

    COMM_CONNECTIONS: Gauge[] = "peermux_comm_connections", Count,
        "Open connections of comm.";
    COMM_DIALS: Gauge[] = "peermux_comm_dials", Count,
        "Nodes that are being dialled for comm.";
    COMM_QUEUED: Gauge[] = "peermux_comm_queued_messages", Count,
        "Messages and answers of comm that wait in queues.";
    COMM_QUEUE_TIME: Histogram[] = "peermux_comm_queue_seconds", Seconds,
        "Time that messages of comm took from the queue to the socket.";
    COMM_MESSAGES: Counter[FLOW] = "peermux_comm_messages_total", Count,
        "Messages of comm.";
    COMM_UNSENT: Counter[Label::of("end", &["dropped", "failed"]), Label::of("cause", &[
        "closed", "deadline", "dial", "full", "handshake", "id_mismatch", "not_supported", "other", "self",
        "stopped", "too_large",
    ])] = "peermux_comm_unsent_total", Count,
        "Messages of comm that were dropped before they were queued, or failed afterwards.";
    COMM_ACKS: Counter[Label::of("state", &["awaited", "received", "refused", "timed_out", "failed", "unasked"])] =
        "peermux_comm_acks_total", Count,
        "Acknowledgements of comm: awaited ones, their results, and ones that nobody awaited.";
    COMM_UNDELIVERED: Counter[] = "peermux_comm_undelivered_total", Count,
        "Messages that subscriptions of comm lost, counted per subscription.";
    COMM_MALFORMED: Counter[] = "peermux_comm_malformed_total", Count,
        "Malformed messages of comm, which end their connections.";
    COMM_CONTESTED: Counter[] = "peermux_comm_contested_total", Count,
        "Connections of comm with the identity of another connected node.";
    COMM_REFUSED: Counter[] = "peermux_comm_refused_total", Count,
        "Connections of comm that ended without a proven identity.";
}
