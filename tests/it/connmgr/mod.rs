//! The connection manager as its owner sees it.
//!
//! Addresses are numbers, sockets are in memory, and time is virtual.

mod automatic;
mod dials;
mod extremes;
mod inbound;
mod lifecycle;
mod pacing;
mod panics;
mod requests;

use std::collections::VecDeque;
use std::time::Duration;

use peermux::connmgr::{
    Backoff, Candidate, CloseReason, ConnConfig, ConnEvent, ConnEvents, ConnHandle, ConnManager,
    ConnManagerBuilder, ConnectError, Dialer, Lease, Reconnect, ReqId, RetryPolicy,
};
use peermux::testing::{DialScript, FnDialer, ScriptedDialer, dial_script};
use tokio::io::{AsyncRead, AsyncReadExt, DuplexStream, duplex};
use tokio::time::timeout;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

type Events = ConnEvents<u32, DuplexStream>;
type Event = ConnEvent<u32, DuplexStream>;

/// An owner's connection. Its socket is closed before the end of the connection is reported.
#[derive(Debug)]
struct Conn {
    io: DuplexStream,
    lease: Lease<u32>,
}

impl Conn {
    fn close(self, reason: impl std::error::Error + Send + Sync + 'static, reconnect: Reconnect) {
        drop(self.io);
        self.lease.close(reason, reconnect);
    }
}

impl std::ops::Deref for Conn {
    type Target = Lease<u32>;

    fn deref(&self) -> &Lease<u32> {
        &self.lease
    }
}

/// Returns a configuration without automatic connections.
fn explicit_only() -> ConnConfig {
    ConnConfig::default().with_target(0)
}

/// The handles that a manager's owner has.
type Owner<A, Io> = (ConnHandle<A>, ConnEvents<A, Io>);

/// Builds a manager and runs it.
fn start<D: Dialer>(builder: ConnManagerBuilder<D>) -> Owner<D::Addr, D::Io> {
    let (manager, handle, events) = builder.seed(7).build().expect("a good configuration");
    tokio::spawn(manager.run());
    (handle, events)
}

/// Starts a manager whose dials the test decides.
fn scripted(config: ConnConfig) -> (ConnHandle<u32>, Events, DialScript<u32>) {
    let (dialer, script) = dial_script();
    let (handle, events) =
        start(ConnManager::<ScriptedDialer<u32>>::builder(dialer).config(config));
    (handle, events, script)
}

/// Returns a dialer that always succeeds.
fn open_dialer() -> FnDialer<u32, impl Fn(&u32) -> Result<DuplexStream, ConnectError>> {
    FnDialer::new(|_: &u32| Ok(duplex(64).0))
}

fn numbers(range: std::ops::Range<u32>) -> VecDeque<Candidate<u32>> {
    range.map(Candidate::new).collect()
}

fn retry(base: Duration, cap: Duration) -> RetryPolicy {
    RetryPolicy::default().with_backoff(Backoff::new(base, cap))
}

async fn next(events: &mut Events) -> Event {
    timeout(10 * MINUTE, events.recv())
        .await
        .expect("an event")
        .expect("the manager runs")
}

async fn opened(events: &mut Events) -> Conn {
    match next(events).await {
        ConnEvent::Opened { io, lease } => Conn { io, lease },
        other => panic!("{other:?}"),
    }
}

async fn closed(events: &mut Events) -> (ReqId, CloseReason) {
    match next(events).await {
        ConnEvent::Closed { id, reason } => (id, reason),
        other => panic!("{other:?}"),
    }
}

/// Returns the next failed dial, with the wait before its retry.
async fn dial_failed(events: &mut Events) -> (ReqId, ConnectError, Option<Duration>) {
    match next(events).await {
        ConnEvent::DialFailed {
            id,
            error,
            retry_in,
            ..
        } => (id, error, retry_in),
        other => panic!("{other:?}"),
    }
}

/// Checks that no event arrives for this long.
async fn quiet(events: &mut Events, time: Duration) {
    let event = timeout(time, events.recv()).await;
    assert!(event.is_err(), "{event:?}");
}

/// Returns whether the other end has closed.
async fn at_end(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    timeout(MILLI, stream.read_u8())
        .await
        .is_ok_and(|read| read.is_err())
}
