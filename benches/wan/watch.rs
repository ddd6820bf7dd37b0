//! The load of the processors during a measurement.

use std::fs;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The sampling interval; the kernel counts in steps of 10 ms.
const EVERY: Duration = Duration::from_millis(50);

/// Samples the processors until this is stopped.
pub(crate) struct Watch {
    stop: SyncSender<()>,
    looking: JoinHandle<Vec<Look>>,
}

struct Look {
    at: Instant,
    processors: Vec<Ticks>,
}

/// A processor's time since boot.
#[derive(Clone, Copy)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let (stop, stopped) = sync_channel(0);
        let looking = thread::spawn(move || {
            let mut looks = vec![Look::now()];
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                looks.push(Look::now());
            }
            looks.push(Look::now());
            looks
        });
        Self { stop, looking }
    }

    /// Returns the idle share of the busier processor in the busiest interval of this length. The
    /// interval leaves out the start and the end, when processes connect and disconnect.
    pub(crate) fn idle(self, seconds: f64) -> Option<f64> {
        drop(self.stop);
        let looks = self.looking.join().ok()?;
        let length = Duration::from_secs_f64(seconds);
        let stretches = looks.iter().enumerate().filter_map(|(from, first)| {
            let last = looks[from..]
                .iter()
                .find(|look| look.at - first.at >= length)?;
            Some(last.since(first))
        });
        let busiest = stretches.min_by(|a, b| a.iter().sum::<f64>().total_cmp(&b.iter().sum()));
        let shares = busiest.or_else(|| Some(looks.last()?.since(looks.first()?)))?;
        shares.into_iter().min_by(f64::total_cmp)
    }
}

/// Returns the used share of the busier processor while none of our programs runs.
pub(crate) fn others() -> f64 {
    const WHILE: Duration = Duration::from_millis(300);
    let watch = Watch::start();
    thread::sleep(WHILE);
    1.0 - watch.idle(WHILE.as_secs_f64()).unwrap_or(1.0)
}

impl Look {
    fn now() -> Self {
        let told = fs::read_to_string("/proc/stat").unwrap_or_default();
        let each = told.lines().filter_map(|line| {
            let (name, numbers) = line.split_once(' ')?;
            let number = name.strip_prefix("cpu")?;
            number.parse::<u32>().ok()?;
            // Guest time is already part of user time.
            let numbers = numbers.split_whitespace().take(8);
            let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
            Some(Ticks {
                idle: numbers.get(3)? + numbers.get(4)?,
                all: numbers.iter().sum(),
            })
        });
        Self {
            at: Instant::now(),
            processors: each.collect(),
        }
    }

    /// Returns the idle share of each processor.
    fn since(&self, earlier: &Self) -> Vec<f64> {
        let both = self.processors.iter().zip(&earlier.processors);
        both.map(|(now, before)| {
            let all = now.all.saturating_sub(before.all).max(1);
            now.idle.saturating_sub(before.idle) as f64 / all as f64
        })
        .collect()
    }
}
