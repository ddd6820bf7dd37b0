//! Checks whether the system allows a process the number of peers of a measurement.

use std::fs;

/// Returns the reason if the system does not allow a process this many peers.
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
