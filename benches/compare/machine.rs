//! Describes the machine.

use std::fs;
use std::thread::available_parallelism;

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    system: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = told
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let model = model.map(|model| model.trim_start_matches([' ', '\t', ':']));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: model.unwrap_or(std::env::consts::ARCH).to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, release.trim()),
        }
    }
}

/// Describes the machine in one line.
pub(crate) fn description() -> String {
    let Machine {
        processor,
        cores,
        system,
    } = Machine::this();
    format!("{processor}, {cores} cores, {system}, nothing pinned")
}

/// Returns the processor and its cores.
pub(crate) fn short() -> String {
    let Machine {
        processor, cores, ..
    } = Machine::this();
    format!("{cores} cores of {processor}")
}
