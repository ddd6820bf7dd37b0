//! A running process as the system sees it.

use std::fs;

use crate::program::Program;

/// A process whose output nobody reads any more, though it is taken from it. It ends when dropped.
pub(crate) struct Process {
    program: Program,
}

impl Process {
    pub(crate) fn new(mut program: Program) -> Self {
        program.ignore_output();
        Self { program }
    }

    /// Seconds that its threads have spent on processors; `None` where the system does not tell.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.program.id())).ok()?;
        let nanoseconds = threads.filter_map(|thread| {
            let told = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            told.split_whitespace().next()?.parse::<u64>().ok()
        });
        Some(nanoseconds.sum::<u64>() as f64 / 1e9).filter(|seconds| *seconds > 0.0)
    }

    /// Resident memory in KiB; `None` where the system does not tell.
    pub(crate) fn resident_kib(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}
