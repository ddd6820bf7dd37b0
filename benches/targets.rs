//! The cost of 10,000 unreachable static nodes.
//!
//! The benchmark measures CPU time, dials per second, and the maximum of concurrent dials.
//!
//! Run it with `cargo bench --bench targets`. First the nodes are dialled until the wait
//! between two dials of a node has reached its maximum. That takes hours of virtual time and seconds
//! of real time. Then the benchmark measures
//! in real time. It alternates between an in-memory dialer that refuses at once and TCP to closed
//! loopback ports.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark has no caller to hand errors to"
)]

mod machine;

use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use peermux::connmgr::{ConnectError, Dialer};
use peermux::server::NodeDialer;
use peermux::transport::TcpTransport;
use peermux::{Enode, Protocol, SecretKey, Server};
use tokio::time::{Instant, resume, sleep};

use machine::{Spread, cpu_seconds, resident_kib};

const TARGETS: u32 = 10_000;
const MAX_DIALS: usize = 50;
const HOUR: Duration = Duration::from_secs(3600);
const MEASURED: Duration = Duration::from_secs(7);
const RUNS: usize = 3;

/// How a dial fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The dial fails after a tenth of a second.
    Slowly,
    AtOnce,
    OverLoopback,
}

const WAYS: [Way; 3] = [Way::Slowly, Way::AtOnce, Way::OverLoopback];

/// A dialer that counts dials, all of which fail.
#[derive(Debug, Default)]
struct Closed {
    way: AtomicUsize,
    tcp: NodeDialer,
    dials: AtomicU64,
    in_flight: AtomicUsize,
    most: AtomicUsize,
}

impl Closed {
    fn set_way(&self, way: Way) {
        self.way.store(way as usize, Ordering::Relaxed);
    }
}

struct Shared(Arc<Closed>);

impl Dialer for Shared {
    type Addr = Enode;
    type Io = TcpTransport;

    async fn dial(&self, node: &Enode) -> Result<TcpTransport, ConnectError> {
        let Closed {
            way,
            tcp,
            dials,
            in_flight,
            most,
        } = &*self.0;
        dials.fetch_add(1, Ordering::Relaxed);
        most.fetch_max(
            in_flight.fetch_add(1, Ordering::Relaxed) + 1,
            Ordering::Relaxed,
        );
        let result = match WAYS[way.load(Ordering::Relaxed)] {
            Way::Slowly => {
                sleep(Duration::from_millis(100)).await;
                Err(ConnectError::Refused)
            }
            Way::AtOnce => Err(ConnectError::Refused),
            Way::OverLoopback => tcp.dial(node).await,
        };
        in_flight.fetch_sub(1, Ordering::Relaxed);
        assert!(result.is_err(), "{node} answers");
        result
    }
}

/// Returns nodes at addresses of this machine where nothing listens.
fn targets() -> impl Iterator<Item = Enode> {
    (0..TARGETS).map(|number| {
        let [_, high, middle, low] = number.to_be_bytes();
        let addr = SocketAddr::from(([127, 100 + high, middle, low], 1));
        Enode::new(SecretKey::generate().public_key(), addr)
    })
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let dialer = Arc::new(Closed::default());
    let before = resident_kib(process::id());
    let server = Server::builder(SecretKey::generate())
        .protocol(Protocol::builder("idle", 1, 1).run(|_, _| async { Ok(()) }))
        .configure(|config| config.with_max_dials(MAX_DIALS))
        .dialer(Shared(Arc::clone(&dialer)))
        .start()
        .await
        .unwrap();
    for node in targets() {
        server.add_static(node).await.unwrap();
    }
    println!("{TARGETS} static nodes that nobody can reach, at most {MAX_DIALS} dials at once");
    for hour in 1..=2 {
        let (dials, cpu) = span(&dialer, HOUR).await;
        println!("hour {hour}, virtual: {dials:.1} dials/s, {cpu:.3} % of a core");
    }
    let kib = resident_kib(process::id()) - before;
    println!("{:.2} KiB of memory each", kib / f64::from(TARGETS));

    resume();
    println!("settled, {RUNS} runs of {MEASURED:?}: minimum, median, maximum");
    let mut results = [(Way::AtOnce, Vec::new()), (Way::OverLoopback, Vec::new())];
    for _ in 0..RUNS {
        for (way, runs) in &mut results {
            dialer.set_way(*way);
            runs.push(span(&dialer, MEASURED).await);
        }
    }
    for (way, runs) in results {
        let (dials, cpu): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let name = match way {
            Way::OverLoopback => "closed loopback ports",
            _ => "dialer in memory",
        };
        println!("{name:>22}: dials/s {}", Spread::of(dials));
        println!("{:>22}  % of a core {}", "", Spread::of(cpu));
    }
    let most = dialer.most.load(Ordering::Relaxed);
    println!("{most} dials in flight at most");
    assert!(most <= MAX_DIALS, "the bound does not hold");
}

/// Returns dials per second and the CPU load in per cent of one core.
async fn span(dialer: &Closed, time: Duration) -> (f64, f64) {
    let (dials, cpu) = (
        dialer.dials.load(Ordering::Relaxed),
        cpu_seconds(process::id()),
    );
    let since = Instant::now();
    sleep(time).await;
    let time = since.elapsed().as_secs_f64();
    let dials = dialer.dials.load(Ordering::Relaxed) - dials;
    let cpu = cpu_seconds(process::id()) - cpu;
    (dials as f64 / time, cpu / time * 100.0)
}
