//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

/// Compares peermux with go-ethereum and EthereumJS.
#[derive(Debug, Parser)]
#[command(name = "compare")]
pub(crate) struct Options {
    /// Only measurements whose name contains this, such as sink/16/ or echo
    ///
    /// Names are WHAT/SIZE/WHO, such as handshake/8, idle, peers/100, or /peermux-geth for a
    /// dialler and a listener.
    #[arg(long, value_name = "SUBSTRING", default_value = "")]
    pub(crate) only: String,
    /// No measurements whose name contains this, such as ethereumjs
    #[arg(long, value_name = "SUBSTRING")]
    skip: Option<String>,
    /// The number of repetitions [default: 5, or 3 with --quick]
    #[arg(long, value_name = "N")]
    repetitions: Option<usize>,
    /// Measure for a fifth of a second each instead of a second
    #[arg(long)]
    pub(crate) quick: bool,
    /// Fail if Go or Node is missing, instead of skipping the implementation
    #[arg(long)]
    pub(crate) require: bool,
    /// The folder for compare.json and compare.svg
    #[arg(long, value_name = "DIR", default_value_os_t = output())]
    pub(crate) output: PathBuf,
    /// Passed by `cargo bench` to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn output() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).join("compare")
}

impl Options {
    pub(crate) fn wants(&self, name: &str) -> bool {
        let skipped = self.skip.as_ref().is_some_and(|skip| name.contains(skip));
        name.contains(&self.only) && !skipped
    }

    pub(crate) fn repetitions(&self) -> usize {
        let default = if self.quick { 3 } else { 5 };
        self.repetitions.unwrap_or(default).max(1)
    }

    /// Returns how long one measurement should take.
    pub(crate) fn target(&self) -> Duration {
        Duration::from_millis(if self.quick { 200 } else { 1000 })
    }

    /// Returns the number of messages for one measurement, if `count` of them took `seconds`. If
    /// `seconds` is too short for an estimate, the error is a number of messages for another try.
    pub(crate) fn calibrate(&self, count: u64, seconds: f64) -> Result<u64, u64> {
        let target = self.target().as_secs_f64();
        let factor = target / seconds.max(1e-6);
        let scaled = |factor: f64| ((count as f64 * factor) as u64).max(1);
        if seconds >= target / 4.0 {
            Ok(scaled(factor))
        } else {
            Err(scaled(factor.clamp(2.0, 30.0)))
        }
    }
}
