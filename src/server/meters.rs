//! Counters of connections.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `peermux_dials_total` | counter | |
//! | `peermux_dials_in_flight` | gauge | |
//! | `peermux_dial_successes_total` | counter | |
//! | `peermux_dial_failures_total` | counter | `stage` (`dial`, `ack`, `hello`), `reason` |
//! | `peermux_serves_total` | counter | |
//! | `peermux_serve_slots_used` | gauge | |
//! | `peermux_serve_successes_total` | counter | |
//! | `peermux_serve_failures_total` | counter | `stage` (`accept`, `auth`, `ack`, `hello`), `reason` |
//!
//! A dial lasts from its start to the peer that comes of it; one that was given up counts neither as
//! a success nor as a failure, and a node that was not wanted as no dial. A serve is a connection
//! that a listener accepted, and holds a slot while it is set up. A reason is that of a Disconnect
//! if one travelled, such as `too many peers`, else a word for what happened, such as `timeout`.

use std::io::ErrorKind;

use super::DialError;
use crate::connmgr::{ConnectError, Refusal};
use crate::metric::{Level, SharedString, counter, gauge};
use crate::setup::SetupError;

/// A dial in flight.
#[derive(Debug)]
pub(crate) struct DialMeter {
    _in_flight: Level,
}

impl DialMeter {
    pub(crate) fn started() -> Self {
        counter!("peermux_dials_total").increment(1);
        Self {
            _in_flight: Level::raise(gauge!("peermux_dials_in_flight")),
        }
    }
}

pub(crate) fn dial_succeeded() {
    counter!("peermux_dial_successes_total").increment(1);
}

pub(crate) fn dial_failed(error: &DialError) {
    let reason: SharedString = match error {
        DialError::Setup { source, .. } => reason(source),
        DialError::Connect {
            source: ConnectError::Resolve { .. },
            ..
        } => "resolve".into(),
        DialError::Connect { source, .. } => match source.kind() {
            ErrorKind::TimedOut => "timeout",
            ErrorKind::ConnectionRefused => "refused",
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
            _ => "io",
        }
        .into(),
        // Nothing was dialled.
        _ => return,
    };
    let stage = error.stage().to_string();
    counter!("peermux_dial_failures_total", "stage" => stage, "reason" => reason).increment(1);
}

/// An accepted connection in set-up.
pub(crate) struct ServeMeter {
    _in_flight: Level,
}

impl ServeMeter {
    pub(crate) fn started() -> Self {
        counter!("peermux_serves_total").increment(1);
        Self {
            _in_flight: Level::raise(gauge!("peermux_serve_slots_used")),
        }
    }

    /// Its set-up has ended.
    pub(crate) fn ended<T>(self, result: &Result<T, SetupError>) {
        match result {
            Ok(_) => counter!("peermux_serve_successes_total").increment(1),
            Err(error) => serve_failed(error.stage().to_string(), reason(error)),
        }
    }
}

/// A connection was closed as soon as it was accepted.
pub(crate) fn serve_rejected(cause: Refusal) {
    let reason = match cause {
        Refusal::LimitReached { .. } => "limit",
        Refusal::Banned => "banned",
        Refusal::Restricted => "restricted",
        Refusal::TooSoon => "too soon",
        Refusal::TooManyHandshakes { .. } => "network limit",
        Refusal::RateLimited => "rate",
        _ => "other",
    };
    counter!("peermux_serves_total").increment(1);
    serve_failed("accept", reason);
}

fn serve_failed(stage: impl Into<SharedString>, reason: impl Into<SharedString>) {
    let (stage, reason) = (stage.into(), reason.into());
    counter!("peermux_serve_failures_total", "stage" => stage, "reason" => reason).increment(1);
}

fn reason(error: &SetupError) -> SharedString {
    match (error.reason(), error) {
        (_, SetupError::Banned { .. }) => "banned".into(),
        (Some(reason), _) => reason.to_string().into(),
        (None, SetupError::TimedOut { .. }) => "timeout".into(),
        (None, SetupError::Closed { .. }) => "closed".into(),
        (None, SetupError::Io { .. }) => "io".into(),
        (None, SetupError::Handshake { .. } | SetupError::Frame(_)) => "handshake".into(),
        (None, _) => "none given".into(),
    }
}
