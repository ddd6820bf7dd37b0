//! Serves the metrics and the health of a node over HTTP.

mod answer;
mod request;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::failure::Failure;
use crate::refused::Refused;
use answer::Answer;

/// The number of connections that are served at once; further connections wait.
const CLIENTS: usize = 16;

/// The time limit for a request and its answer together.
const DEADLINE: Duration = Duration::from_secs(10);

/// The pause after a failed accept. Such a failure is most likely a lack of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// The time between two runs that sort recorded values into histogram buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// The upper bounds of the buckets of all histograms, in seconds.
///
/// The bounds cover microseconds (the wait of a message), milliseconds (a handshake) and seconds (a
/// stall of a protocol).
const CLASSES: &[f64] = &[
    25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];

/// The server of metrics, which stops when dropped.
pub(crate) struct Serving {
    addr: SocketAddr,
    started: Arc<AtomicBool>,
    _task: AbortOnDropHandle<Infallible>,
}

/// The context of each answer.
#[derive(Clone)]
struct Context {
    counted: PrometheusHandle,
    /// Whether the node accepts connections.
    started: Arc<AtomicBool>,
    /// Cancelled when the node begins to stop.
    stopping: CancellationToken,
}

/// The report that says where metrics are served.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename = "metrics")]
pub(crate) struct Served {
    addr: String,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metrics http://{}/metrics", self.addr)
    }
}

impl Serving {
    /// Binds the socket and installs the recorder, before the node starts.
    ///
    /// `stopping` is cancelled when the node begins to stop. Requests are served on the node's own runtime,
    /// so that a node that hangs does not answer that it is healthy.
    pub(crate) async fn start(
        addr: SocketAddr,
        stopping: CancellationToken,
    ) -> Result<Self, Failure> {
        let failed = |error| {
            let why = Refused::Listen.text(&error);
            Failure::because(format!("cannot serve metrics on {addr}: {why}"))
        };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, CLASSES);
        let counted = builder.and_then(PrometheusBuilder::install_recorder);
        let started = Arc::new(AtomicBool::new(false));
        let context = Context {
            counted: counted.map_err(Failure::because)?,
            started: Arc::clone(&started),
            stopping,
        };
        Ok(Self {
            addr,
            started,
            _task: AbortOnDropHandle::new(tokio::spawn(serve(listener, context))),
        })
    }

    /// Returns the address at which metrics are served.
    #[cfg(unix)]
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Notes that the node accepts connections, and returns the line to print.
    pub(crate) fn ready(&self) -> Served {
        self.started.store(true, Ordering::Release);
        Served {
            addr: self.addr.to_string(),
        }
    }
}

async fn serve(listener: TcpListener, context: Context) -> Infallible {
    let slots = Arc::new(Semaphore::new(CLIENTS));
    let mut upkeep = interval(UPKEEP);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = async {
            // This cannot fail, because the semaphore is never closed.
            let slot = Arc::clone(&slots).acquire_owned().await.ok();
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            // Run a due upkeep first. Clients wait in the kernel meanwhile.
            biased;
            _ = upkeep.tick() => {
                context.counted.run_upkeep();
                continue;
            }
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                let context = context.clone();
                tokio::spawn(async move {
                    match timeout(DEADLINE, attend(stream, &context)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::debug!(%client, %error, "no answer"),
                        Err(_) => tracing::debug!(%client, "a request for metrics took too long"),
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Reads one request and answers it.
async fn attend(mut stream: TcpStream, context: &Context) -> std::io::Result<()> {
    let answer = match request::read(&mut stream).await? {
        Ok(path) => context.answer(&path),
        Err(refused) => refused,
    };
    stream.write_all(&answer.bytes()).await?;
    stream.shutdown().await
}

impl Context {
    fn is_ready(&self) -> bool {
        self.started.load(Ordering::Acquire) && !self.stopping.is_cancelled()
    }

    fn answer(&self, path: &str) -> Answer {
        match path {
            "/metrics" => Answer::metrics(self.counted.render()),
            "/healthz" => Answer::OK,
            "/readyz" if self.is_ready() => Answer::OK,
            "/readyz" => Answer::NOT_READY,
            _ => Answer::NOT_FOUND,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_from_its_start_until_it_begins_to_stop() {
        let (started, stopping) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let context = Context {
            counted: PrometheusBuilder::new().build_recorder().handle(),
            started: Arc::clone(&started),
            stopping: stopping.clone(),
        };
        assert_eq!(context.answer("/readyz"), Answer::NOT_READY);
        started.store(true, Ordering::Release);
        assert_eq!(context.answer("/readyz"), Answer::OK);
        stopping.cancel();
        assert_eq!(context.answer("/readyz"), Answer::NOT_READY);
        assert_eq!(context.answer("/healthz"), Answer::OK);
    }
}
