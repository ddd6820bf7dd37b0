//! All measurements, interleaved.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde_json::Value;

use crate::copy::Amount;
use crate::figures::{Figures, Metric};
use crate::forwarder::Forwarder;
use crate::kind::{Errand, Kind, copy_for};
use crate::load::Load;
use crate::options::Options;
use crate::path::Path;
use crate::scene::{Scene, Settings};
use crate::watch::{self, Watch};

pub(crate) struct Grid<'a> {
    options: &'a Options,
    forwarder: &'a Forwarder,
    /// How many bytes the plain copy sends on each path in the target time.
    reached: Vec<(Path, f64)>,
    pub(crate) figures: Figures,
    pub(crate) failures: Vec<String>,
    pub(crate) conditions: Conditions,
}

/// The conditions of the measurements.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Conditions {
    pub(crate) settings: Option<Settings>,
    /// The share of the busier processor that other programs used, before each path.
    pub(crate) others: Vec<f64>,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(options: &'a Options, forwarder: &'a Forwarder) -> Self {
        Self {
            options,
            forwarder,
            reached: Vec::new(),
            figures: Figures::default(),
            failures: Vec::new(),
            conditions: Conditions::default(),
        }
    }

    pub(crate) fn run(&mut self) {
        for repetition in 0..self.options.repetitions() {
            for path in self.options.paths() {
                let loads = self.wanted(path);
                if loads.is_empty() {
                    continue;
                }
                eprintln!("{} {}", repetition + 1, path.title());
                if let Err(why) = self.on(path, &loads, repetition) {
                    self.failures.push(format!("{}: {why}", path.id()));
                }
            }
        }
    }

    /// Returns whether nothing was measured.
    pub(crate) fn is_empty(&self) -> bool {
        self.figures.is_empty() && self.failures.is_empty()
    }

    /// Returns each selected load with the implementations that run it.
    fn wanted(&self, path: Path) -> Vec<(Load, Vec<Kind>)> {
        let loads = self.options.loads(path).into_iter().map(|load| {
            let kinds = load.kinds().iter().copied().filter(|kind| {
                let name = format!("{}/{}/{}", path.id(), load.id(), kind.id());
                self.options.wants(&name)
            });
            (load, kinds.collect::<Vec<_>>())
        });
        loads.filter(|(_, kinds)| !kinds.is_empty()).collect()
    }

    fn on(
        &mut self,
        path: Path,
        loads: &[(Load, Vec<Kind>)],
        repetition: usize,
    ) -> Result<(), String> {
        self.conditions.others.push(watch::others());
        let congestion = self.options.congestion.as_deref();
        let mut scene = Scene::set(self.forwarder, path, congestion, repetition)?;
        if self.conditions.settings.is_none() {
            self.conditions.settings = Some(scene.settings(congestion)?);
        }
        let reached = self.reached(path, &mut scene)?;
        for (load, kinds) in loads {
            let first = repetition % kinds.len();
            let (after, before) = (&kinds[first..], &kinds[..first]);
            for &kind in after.iter().chain(before) {
                // A program that hangs or prints invalid output causes a panic here; the other
                // figures are kept.
                let once = AssertUnwindSafe(|| self.once(path, &mut scene, *load, kind, reached));
                let result = catch_unwind(once).unwrap_or_else(|_| Err("see above".to_owned()));
                if let Err(why) = result {
                    let name = format!("{}/{}/{}", path.id(), load.id(), kind.id());
                    self.failures.push(format!("{name}: {why}"));
                }
            }
        }
        scene.end();
        Ok(())
    }

    /// Returns how many bytes the plain copy sends on this path in the target time.
    fn reached(&mut self, path: Path, scene: &mut Scene) -> Result<f64, String> {
        if let Some((_, bytes)) = self.reached.iter().find(|(known, _)| *known == path) {
            return Ok(*bytes);
        }
        let target = scene.target(Kind::Tcp);
        let (bytes, connect_ms) = copy_for(&target, Amount::Time(self.options.target(path)))?;
        eprintln!("  a connect takes {connect_ms:.1} ms");
        self.reached.push((path, bytes));
        Ok(bytes)
    }

    fn once(
        &mut self,
        path: Path,
        scene: &mut Scene,
        load: Load,
        kind: Kind,
        reached: f64,
    ) -> Result<(), String> {
        let target = scene.target(kind);
        let errand = Errand {
            kind,
            target: &target,
            load,
            count: self.count(path, load, reached),
            seconds: self.options.beside().as_secs_f64(),
        };
        scene.begin_anew();
        let watch = Watch::start();
        let told = errand.run()?;
        let seconds = told["seconds"].as_f64();
        let idle = seconds.and_then(|seconds| watch.idle(seconds));
        let figures = figures(load, errand.count, &told);
        let shown: Vec<_> = figures
            .iter()
            .map(|(metric, value)| format!("{metric:?} {value:.2}"))
            .collect();
        eprintln!("  {} {}: {}", load.id(), kind.name(), shown.join(", "));
        for (metric, value) in figures {
            self.figures.add(path, load, kind, metric, value);
        }
        if let (Load::Sink(_), Some(idle)) = (load, idle) {
            self.figures.add(path, load, kind, Metric::Idle, idle);
        }
        Ok(())
    }

    /// Returns how many messages, round trips or connects take about the target time.
    fn count(&self, path: Path, load: Load, reached: f64) -> u64 {
        let target = self.options.target(path).as_secs_f64();
        let round_trip = path.round_trip.as_secs_f64();
        match load {
            Load::Sink(size) => {
                let bytes = reached.min(load.ceiling() * target);
                ((bytes / size as f64) as u64).max(4)
            }
            // A round trip takes longer than the path alone. At most 1,000 are needed on short
            // paths.
            Load::Echo => (target / 2.0 / (round_trip + 0.3e-3)).clamp(10.0, 1000.0) as u64,
            // A connect takes four round trips, and the processing time.
            Load::Connect => {
                let rounds = target / (4.0 * round_trip + 8e-3);
                crate::load::CONCURRENCY * rounds.max(1.0) as u64
            }
            Load::Beside(_) => 0,
        }
    }
}

/// Returns the figures in a dialler's result.
fn figures(load: Load, count: u64, told: &Value) -> Vec<(Metric, f64)> {
    let number = |key: &str| told[key].as_f64();
    let per_second = number("seconds").map(|seconds| count as f64 / seconds.max(1e-9));
    let all = match load {
        Load::Sink(size) => vec![(
            Metric::MbPerS,
            per_second.map(|rate| rate * size as f64 / 1e6),
        )],
        Load::Connect => vec![(Metric::ConnectsPerS, per_second)],
        Load::Echo | Load::Beside(_) => {
            let ms = |key: &str| number(key).map(|us| us / 1e3);
            vec![
                (Metric::P50Ms, ms("p50_us")),
                (Metric::P99Ms, ms("p99_us")),
                (Metric::SecondP50Ms, ms("second_p50_us")),
                (Metric::SecondP99Ms, ms("second_p99_us")),
                (Metric::BulkMbPerS, number("bulk_mb_per_s")),
            ]
        }
    };
    let known = |(metric, value): (Metric, Option<f64>)| Some((metric, value?));
    all.into_iter().filter_map(known).collect()
}
