//! The metrics of a server's connections.
//!
//! A dial lasts from its start until the peer is connected; a cancelled dial has no outcome. An
//! inbound connection is a connection that a listener accepted. The reason label is the reason of
//! the Disconnect, if one was sent or received, else a word for the failure.

use std::io::ErrorKind;
use std::time::Duration;

use super::{DialError, DialOutcome};
use crate::channel::Meters;
use crate::connmgr::{ConnectError, Refusal};
use crate::metrics::table::{
    DIAL_FAILURES, DIALS, DIALS_IN_FLIGHT, HANDSHAKE, INBOUND, INBOUND_FAILURES, INBOUND_IN_FLIGHT,
    SERVICE_FAILURES,
};
use crate::metrics::{Level, NodeLabel, SharedString};
use crate::setup::{Direction, SetupError};
use crate::stage::Stage;

/// The counters of one server. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerMeters(Meters);

impl ServerMeters {
    /// Creates the metric series that every server has.
    ///
    /// Then even the first event shows as a change of its series.
    pub(crate) fn new(meters: Meters) -> Self {
        let node = meters.node();
        for outcome in ["connected", "there", "unreachable", "not_attempted"] {
            DIALS.of(node, [outcome.into()]).increment(0);
        }
        for outcome in ["connected", "failed", "rejected"] {
            INBOUND.of(node, [outcome.into()]).increment(0);
        }
        drop(Level::raise(DIALS_IN_FLIGHT.of(node, [])));
        drop(Level::raise(INBOUND_IN_FLIGHT.of(node, [])));
        Self(meters)
    }

    pub(crate) fn node(&self) -> &NodeLabel {
        self.0.node()
    }

    pub(crate) fn dial_started(&self) -> DialMeter {
        DialMeter {
            _in_flight: Level::raise(DIALS_IN_FLIGHT.of(self.node(), [])),
        }
    }

    pub(crate) fn dial_succeeded(&self) {
        DIALS.of(self.node(), ["connected".into()]).increment(1);
    }

    pub(crate) fn dial_failed(&self, error: &DialError) {
        let outcome = match error.outcome() {
            DialOutcome::There => "there",
            DialOutcome::Unreachable => "unreachable",
            DialOutcome::NotAttempted => "not_attempted",
        };
        DIALS.of(self.node(), [outcome.into()]).increment(1);
        let labels = [stage(error.stage()), dial_reason(error)];
        DIAL_FAILURES.of(self.node(), labels).increment(1);
    }

    /// Counts an accepted connection as in set-up until the returned meter is dropped.
    pub(crate) fn inbound_started(&self) -> InboundMeter {
        InboundMeter {
            meters: self.clone(),
            _in_flight: Level::raise(INBOUND_IN_FLIGHT.of(self.node(), [])),
        }
    }

    /// Counts a connection that was closed immediately after it was accepted.
    pub(crate) fn inbound_rejected(&self, cause: Refusal) {
        let reason = match cause {
            Refusal::LimitReached { .. } => "limit",
            Refusal::Banned => "banned",
            Refusal::Restricted => "restricted",
            Refusal::TooSoon => "too_soon",
            Refusal::TooManyHandshakes { .. } => "network_limit",
            Refusal::RateLimited => "rate",
            _ => "other",
        };
        INBOUND.of(self.node(), ["rejected".into()]).increment(1);
        let labels = ["accept".into(), reason.into()];
        INBOUND_FAILURES.of(self.node(), labels).increment(1);
    }

    /// Records the duration of a connection's successful stage.
    pub(crate) fn stage_passed(&self, direction: Direction, stage_passed: Stage, took: Duration) {
        let labels = [direction.as_str().into(), stage(stage_passed)];
        HANDSHAKE.of(self.node(), labels).record(took);
    }

    /// Counts the unexpected end of a part of the server.
    pub(crate) fn service_failed(&self, service: &'static str) {
        SERVICE_FAILURES
            .of(self.node(), [service.into()])
            .increment(1);
    }
}

/// A dial in flight.
#[derive(Debug)]
pub(crate) struct DialMeter {
    _in_flight: Level,
}

/// An accepted connection in set-up.
pub(crate) struct InboundMeter {
    meters: ServerMeters,
    _in_flight: Level,
}

impl InboundMeter {
    /// Counts the outcome of the set-up.
    pub(crate) fn ended<T>(self, result: &Result<T, SetupError>) {
        let node = self.meters.node();
        let outcome = match result {
            Ok(_) => "connected",
            Err(_) => "failed",
        };
        INBOUND.of(node, [outcome.into()]).increment(1);
        if let Err(error) = result {
            let labels = [stage(error.stage()), setup_reason(error)];
            INBOUND_FAILURES.of(node, labels).increment(1);
        }
    }
}

fn stage(stage: Stage) -> SharedString {
    match stage {
        Stage::Dial => "dial",
        Stage::Auth => "auth",
        Stage::Ack => "ack",
        _ => "hello",
    }
    .into()
}

fn dial_reason(error: &DialError) -> SharedString {
    match error {
        DialError::Setup { source, .. } => return setup_reason(source),
        DialError::Unwanted { reason, .. } => return reason.label().into(),
        DialError::Connected { .. } => "already_connected",
        DialError::NotAllowed { cause, .. } => match cause {
            Refusal::Banned => "banned",
            Refusal::Restricted => "restricted",
            _ => "unwanted",
        },
        DialError::Connect {
            source: ConnectError::Resolve { .. },
            ..
        } => "resolve",
        DialError::Connect { source, .. } => match source.kind() {
            ErrorKind::TimedOut => "timeout",
            ErrorKind::ConnectionRefused => "refused",
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
            _ => "io",
        },
        DialError::NoEndpoint { .. } | DialError::Manager { .. } | DialError::GivenUp { .. } => {
            "unwanted"
        }
    }
    .into()
}

fn setup_reason(error: &SetupError) -> SharedString {
    match (error.reason(), error) {
        (_, SetupError::Banned { .. }) => "banned",
        (Some(reason), _) => return reason.label().into(),
        (None, SetupError::TimedOut { .. }) => "timeout",
        (None, SetupError::Closed { .. }) => "closed",
        (None, SetupError::Io { .. }) => "io",
        (None, SetupError::Handshake { .. } | SetupError::Frame(_)) => "handshake",
        (None, _) => "none",
    }
    .into()
}
