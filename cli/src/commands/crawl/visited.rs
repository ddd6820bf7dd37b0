//! The result of a visit.

use std::time::Duration;

use peermux::setup::FailureInfo;
use peermux::{Capability, Hello};
use peermux_cli::node_file::{EthStatus, KnownNode, Outcome, UnixTime};

/// The result of a visit to a node.
#[derive(Debug)]
pub(super) struct Visited {
    pub(super) outcome: Outcome,
    pub(super) about: Option<About>,
    /// The failure, if any.
    pub(super) error: Option<FailureInfo>,
}

/// The answers of a node.
#[derive(Debug)]
pub(super) struct About {
    client: String,
    p2p_version: u64,
    capabilities: Vec<Capability>,
    pub(super) eth: Option<EthStatus>,
    pub(super) rtt: Option<Duration>,
}

impl About {
    pub(super) fn of(hello: &Hello) -> Self {
        Self {
            client: hello.client_text(),
            p2p_version: hello.version,
            capabilities: hello.capabilities.clone(),
            eth: None,
            rtt: None,
        }
    }
}

impl Visited {
    pub(super) fn in_vain(outcome: Outcome, error: FailureInfo) -> Self {
        Self {
            outcome,
            about: None,
            error: Some(error),
        }
    }

    /// Makes the result for a node that was not dialled.
    pub(super) fn not_dialled(why: &str) -> Self {
        Self::in_vain(Outcome::NotDialled, FailureInfo::of_text(why))
    }

    /// Records the visit.
    ///
    /// If this visit brought no answers, the answers of an earlier visit are kept. If the node was not
    /// dialled, only the outcome and the failure are recorded.
    pub(super) fn note(self, node: &mut KnownNode, at: UnixTime) {
        node.outcome = Some(self.outcome);
        node.error = self.error;
        if self.outcome == Outcome::NotDialled {
            return;
        }
        node.last_check = Some(at);
        if self.outcome.is_answer() {
            node.seen(at);
            node.liveness = node.liveness.saturating_add(1);
        } else {
            node.liveness /= 2;
        }
        if let Some(about) = self.about {
            node.client = Some(about.client);
            node.p2p_version = Some(about.p2p_version);
            node.capabilities = about.capabilities;
            node.eth = about.eth;
            node.rtt_us = about.rtt.map(micros);
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
