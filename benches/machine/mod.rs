//! The machine's resources and their use; Linux only.
#![allow(dead_code, reason = "few benchmarks use all of it")]

use std::fs;

/// Raises the limit on open files of this process and its children. Returns the new limit.
pub(crate) fn more_files() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024)
}

/// Returns the CPU time of all threads of a process in seconds.
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("Linux");
    let nanoseconds = threads.filter_map(|thread| {
        let told = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        told.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 / 1e9
}

/// Returns the resident memory of a process in KiB.
pub(crate) fn resident_kib(process: u32) -> f64 {
    status_kib(process, "VmRSS:")
}

/// Returns the peak resident memory since the start or the last [reset](forget_peak_resident), in
/// KiB.
pub(crate) fn peak_resident_kib(process: u32) -> f64 {
    status_kib(process, "VmHWM:")
}

/// Resets the peak resident memory.
pub(crate) fn forget_peak_resident() {
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
}

/// Returns the number of open files and sockets of a process.
pub(crate) fn open_files(process: u32) -> f64 {
    let files = fs::read_dir(format!("/proc/{process}/fd")).expect("Linux");
    files.count() as f64
}

fn status_kib(process: u32, key: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a size")
}

/// The minimum, median and maximum of some measurements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self {
            least: at(0),
            median: at(values.len() / 2),
            most: at(values.len() - 1),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            least,
            median,
            most,
        } = self;
        write!(f, "{least:>9.2} {median:>9.2} {most:>9.2}")
    }
}
