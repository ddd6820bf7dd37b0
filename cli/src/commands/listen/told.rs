//! Prints the events of a node until it ends.

use std::fmt;

use peermux::addrbook::SystemClock;
use peermux::server::ConnectionEvent;
use peermux::{EventStream, NodeRecord, PeerEvent, Server};
use serde::Serialize;
use tokio::sync::watch;

use super::refusals::Refusals;
use super::report::{ChangedRecord, ConnectionReport, Listening, OwnRecord, PeerReport};
use crate::failure::Failure;
use crate::last_events::LastEvents;
use crate::metrics::Serving;
use crate::node;
use crate::output::{Output, time_of};
use crate::service_manager::{self, State};
use crate::signals::Interrupts;

/// The maximum number of events that are printed at once.
const PRINTED_AT_ONCE: usize = 64;

/// The events of peers, and of connections that do not become peers.
pub(super) type Feeds = (EventStream<PeerEvent>, EventStream<ConnectionEvent>);

/// An event with its time.
#[derive(Debug, Serialize)]
struct Timed<R> {
    #[serde(flatten)]
    what: R,
    /// The time at which the event is printed, in RFC 3339, such as `2026-11-27T15:21:15.123Z`.
    time: String,
}

impl<R: fmt::Display> fmt::Display for Timed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time, self.what)
    }
}

/// Prints events, and keeps them for the admin socket.
pub(super) struct Reporter<'a> {
    out: &'a Output,
    kept: LastEvents,
    clock: SystemClock,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(out: &'a Output, kept: LastEvents) -> Self {
        let clock = SystemClock::new();
        Self { out, kept, clock }
    }

    pub(super) fn report<R: Serialize + fmt::Display>(
        &self,
        reports: Vec<R>,
    ) -> Result<(), Failure> {
        let time = time_of(&self.clock);
        let timed = reports.into_iter().map(|what| Timed {
            what,
            time: time.clone(),
        });
        let timed: Vec<_> = timed.collect();
        for report in &timed {
            self.kept.push(report).map_err(Failure::because)?;
        }
        self.out.tell_all(&timed)
    }

    /// Counts events that were lost before they were reported.
    fn lose(&self, events: u64) {
        self.out.lose(events);
        self.kept.skip(events);
    }
}

/// Prints the events of a node until it must stop. Then shuts the node down.
pub(super) async fn serve(
    server: &Server,
    (mut events, mut failures): Feeds,
    metrics: Option<&Serving>,
    to: &Reporter<'_>,
    interrupts: &Interrupts,
) -> Result<(), Failure> {
    let told = async {
        let listening = Listening::of(server);
        service_manager::notify(State::Ready(&listening.to_string()));
        to.out.tell(&listening)?;
        let mut records = server.watch_record();
        let record = records.borrow_and_update().clone();
        to.out.tell(&OwnRecord { record })?;
        if let Some(metrics) = metrics {
            to.out.tell(&metrics.ready())?;
        }
        let mut refusals = Refusals::default();
        tokio::try_join!(
            report_records(records, to),
            report(&mut events, to, peer_report),
            report(&mut failures, to, |event| {
                still_listens(event)?;
                Ok(ConnectionReport::of(event, &mut refusals))
            })
        )
    };
    let result = tokio::select! {
        // Check for a failure first: if there is one, it is returned despite an interrupt.
        biased;
        result = told => result.map(drop),
        stopped = server.stopped() => stopped.map_err(Failure::because),
        () = interrupts.once.cancelled() => Ok(()),
    };
    service_manager::notify(State::Stopping);
    let ended = tokio::select! {
        // Check first whether the node has ended: if so, a second interrupt no longer matters.
        biased;
        () = node::shut_down(server) => Ok(()),
        () = interrupts.twice.cancelled() => {
            node::abort(server).await;
            Err(Failure::in_haste())
        }
    };
    let told = report_rest(&mut events, to);
    result.and(ended).and(told)
}

#[expect(clippy::unnecessary_wraps, reason = "other events can be failures")]
fn peer_report(event: &PeerEvent) -> Result<Option<PeerReport>, Failure> {
    Ok(PeerReport::of(event))
}

/// Reports the node's own record after each change.
async fn report_records(
    mut records: watch::Receiver<NodeRecord>,
    to: &Reporter<'_>,
) -> Result<(), Failure> {
    while records.changed().await.is_ok() {
        let record = records.borrow_and_update().clone();
        to.report(vec![ChangedRecord::of(record)])?;
    }
    Ok(())
}

/// Prints the events that have a report, until the node has ended.
async fn report<E: Clone + Send + Sync + 'static, R: Serialize + fmt::Display>(
    events: &mut EventStream<E>,
    to: &Reporter<'_>,
    mut report_of: impl FnMut(&E) -> Result<Option<R>, Failure>,
) -> Result<(), Failure> {
    loop {
        let mut reports = Vec::new();
        match events.recv().await {
            Some(Ok(event)) => reports.extend(report_of(&event)?),
            Some(Err(missed)) => to.lose(missed.events),
            None => return Ok(()),
        }
        // Print the reports before the next await: the end of the node drops this future, and would
        // lose them.
        take_waiting(events, to, &mut report_of, &mut reports)?;
        to.report(reports)?;
    }
}

/// Prints the remaining events of peers, such as those that the shutdown causes.
fn report_rest(events: &mut EventStream<PeerEvent>, to: &Reporter<'_>) -> Result<(), Failure> {
    loop {
        let mut reports = Vec::new();
        take_waiting(events, to, &mut peer_report, &mut reports)?;
        if reports.is_empty() {
            return Ok(());
        }
        to.report(reports)?;
    }
}

/// Takes the reports on queued events, at most as many as are printed at once.
fn take_waiting<E: Clone + Send + Sync + 'static, R>(
    events: &mut EventStream<E>,
    to: &Reporter<'_>,
    report_of: &mut impl FnMut(&E) -> Result<Option<R>, Failure>,
    reports: &mut Vec<R>,
) -> Result<(), Failure> {
    while reports.len() < PRINTED_AT_ONCE {
        match events.try_recv() {
            Some(Ok(event)) => reports.extend(report_of(&event)?),
            Some(Err(missed)) => to.lose(missed.events),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Fails once no listener is left, because a node that accepts no connections must end.
fn still_listens(event: &ConnectionEvent) -> Result<(), Failure> {
    match event {
        ConnectionEvent::ListenerFailed { left: 0, error, .. } => Err(Failure::because(format!(
            "no longer accepts connections: {error}"
        ))),
        _ => Ok(()),
    }
}
