//! What the system tells of a process.

use std::fs;

/// Seconds that all threads of a process have spent on processors.
pub(crate) fn cpu_seconds(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("Linux");
    let nanoseconds = threads.filter_map(|thread| {
        let told = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        told.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 / 1e9
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a size")
}

/// Why so many peers may not be possible here, if it is so.
pub(crate) fn obstacle(peers: usize, open_files: u64) -> Option<String> {
    if (peers as u64) + 100 > open_files {
        return Some(format!(
            "{peers} peers need as many open files in each process, and the hard limit is {open_files}: raise it with `ulimit -Hn`"
        ));
    }
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = range.split_whitespace().map(str::parse::<usize>);
    let (Some(Ok(first)), Some(Ok(last))) = (ends.next(), ends.next()) else {
        return None;
    };
    let ports = last.saturating_sub(first);
    (peers > ports).then(|| {
        format!(
            "{peers} peers need as many ports on this side, and there are {ports}: widen net.ipv4.ip_local_port_range"
        )
    })
}
