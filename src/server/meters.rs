//! Counters of connections through the `metrics` facade; nothing without that feature.
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

#[cfg(feature = "metrics")]
pub(crate) use enabled::*;

#[cfg(not(feature = "metrics"))]
pub(crate) use disabled::*;

#[cfg(feature = "metrics")]
mod enabled {
    use std::io::ErrorKind;

    use metrics::{Gauge, SharedString, counter, gauge};

    use crate::connmgr::Refusal;
    use crate::server::DialError;
    use crate::setup::SetupError;

    /// Counts something for as long as it lives.
    #[derive(Debug)]
    struct Level(Gauge);

    impl Level {
        fn raise(gauge: Gauge) -> Self {
            gauge.increment(1);
            Self(gauge)
        }
    }

    impl Drop for Level {
        fn drop(&mut self) {
            self.0.decrement(1);
        }
    }

    /// A dial in flight.
    #[derive(Debug)]
    pub(crate) struct DialMeter(#[expect(dead_code, reason = "its end counts")] Level);

    impl DialMeter {
        pub(crate) fn started() -> Self {
            counter!("peermux_dials_total").increment(1);
            Self(Level::raise(gauge!("peermux_dials_in_flight")))
        }
    }

    pub(crate) fn dial_succeeded() {
        counter!("peermux_dial_successes_total").increment(1);
    }

    pub(crate) fn dial_failed(error: &DialError) {
        let reason: SharedString = match error {
            DialError::Setup { source, .. } => reason(source),
            DialError::Connect { source, .. } => match source.kind() {
                ErrorKind::TimedOut => "timeout",
                ErrorKind::ConnectionRefused => "refused",
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable",
                _ => "io",
            }
            .into(),
            DialError::Resolve { .. } => "resolve".into(),
            // Nothing was dialled.
            _ => return,
        };
        let stage = error.stage().to_string();
        counter!("peermux_dial_failures_total", "stage" => stage, "reason" => reason).increment(1);
    }

    /// An accepted connection in set-up.
    pub(crate) struct ServeMeter(#[expect(dead_code, reason = "its end counts")] Level);

    impl ServeMeter {
        pub(crate) fn started() -> Self {
            counter!("peermux_serves_total").increment(1);
            Self(Level::raise(gauge!("peermux_serve_slots_used")))
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
}

#[cfg(not(feature = "metrics"))]
mod disabled {
    use crate::connmgr::Refusal;
    use crate::server::DialError;
    use crate::setup::SetupError;

    #[derive(Debug)]
    pub(crate) struct DialMeter;

    impl DialMeter {
        pub(crate) fn started() -> Self {
            Self
        }
    }

    pub(crate) fn dial_succeeded() {}

    pub(crate) fn dial_failed(_error: &DialError) {}

    pub(crate) struct ServeMeter;

    impl ServeMeter {
        pub(crate) fn started() -> Self {
            Self
        }

        pub(crate) fn ended<T>(self, _result: &Result<T, SetupError>) {}
    }

    pub(crate) fn serve_rejected(_cause: Refusal) {}
}
