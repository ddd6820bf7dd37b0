//! A running process and its use of resources.

use std::fs;

use crate::program::Program;

/// A process whose further output is discarded. The process is ended when this is dropped.
pub(crate) struct Process {
    program: Program,
}

impl Process {
    pub(crate) fn new(mut program: Program) -> Self {
        program.ignore_output();
        Self { program }
    }

    /// Returns the CPU time of all threads in seconds, or `None` if it is unknown.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.program.id())).ok()?;
        let nanoseconds = threads.filter_map(|thread| {
            let told = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            told.split_whitespace().next()?.parse::<u64>().ok()
        });
        Some(nanoseconds.sum::<u64>() as f64 / 1e9).filter(|seconds| *seconds > 0.0)
    }

    /// Returns the resident memory in KiB, or `None` if it is unknown.
    pub(crate) fn resident_kib(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}
