//! The command line.

use std::path::{Path as Folder, PathBuf};
use std::time::Duration;

use clap::Parser;

use crate::large;
use crate::load::Load;
use crate::path::Path;

/// Measures peermux over distance, with go-ethereum and a plain TCP copy. Needs root.
#[derive(Debug, Parser)]
#[command(name = "wan")]
pub(crate) struct Options {
    /// Only measurements whose name contains this, such as 100ms/ or connect
    ///
    /// Names are PATH/WHAT/SIZE/WHO, such as 50ms-20mbit/sink/32768, beside, /peermux.
    #[arg(long, value_name = "SUBSTRING", default_value = "")]
    only: String,
    /// The number of repetitions [default: 5, or 1 with --quick]
    #[arg(long, value_name = "N")]
    repetitions: Option<usize>,
    /// All paths, echo beside bulk on each path with a rate, and --large
    #[arg(long)]
    full: bool,
    /// One path and a fraction of a second each, to check that everything runs
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// Only check that a message of 16 MiB arrives over 4 Mbit/s (a minute)
    #[arg(long, conflicts_with_all = ["full", "quick"])]
    large: bool,
    /// The congestion control of both namespaces, such as cubic or bbr [default: the system's]
    #[arg(long, value_name = "NAME")]
    pub(crate) congestion: Option<String>,
    /// The folder for wan.json
    #[arg(long, value_name = "DIR", default_value_os_t = output())]
    pub(crate) output: PathBuf,
    /// Passed by `cargo bench` to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn output() -> PathBuf {
    let scratch = Folder::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).join("wan")
}

impl Options {
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    pub(crate) fn wants_large(&self) -> bool {
        (self.large || self.full) && self.wants(large::NAME)
    }

    pub(crate) fn repetitions(&self) -> usize {
        let default = if self.quick { 1 } else { 5 };
        self.repetitions.unwrap_or(default).max(1)
    }

    pub(crate) fn paths(&self) -> Vec<Path> {
        let chosen = |path: &Path| match (self.quick, self.full) {
            (true, _) => path.id() == Path::QUICK,
            (_, true) => true,
            _ => path.is_default(),
        };
        let paths = Path::all().into_iter();
        if self.large {
            Vec::new()
        } else {
            paths.filter(chosen).collect()
        }
    }

    pub(crate) fn loads(&self, path: Path) -> Vec<Load> {
        let beside = path.is_for_echo() || self.quick || self.full && path.rate.is_some();
        let chosen = |load: &Load| beside || !matches!(load, Load::Beside(_));
        Load::all().filter(chosen).collect()
    }

    /// Returns how long the plain copy should take for a measurement.
    pub(crate) fn target(&self, path: Path) -> Duration {
        if self.quick {
            Duration::from_millis(300)
        } else {
            Duration::from_secs(2).max(30 * path.round_trip)
        }
    }

    /// Returns how long to make round trips alongside bulk messages.
    pub(crate) fn beside(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 8 })
    }
}
