//! Formats numbers for people.

use std::time::Duration;

#[cfg(unix)]
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// Formats a number of bytes with three digits, as `1.25 MiB`.
#[cfg(unix)]
pub(crate) fn bytes(count: u64) -> String {
    let mut size = count as f64;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if size < 1000.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    match size {
        _ if unit == UNITS[0] => format!("{count} B"),
        ..10.0 => format!("{size:.2} {unit}"),
        ..100.0 => format!("{size:.1} {unit}"),
        _ => format!("{size:.0} {unit}"),
    }
}

/// Formats a time in its two largest units, as `3m 12s`.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// Formats a number with what it counts, as `1 message` or `2 messages`.
pub(crate) fn count(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

/// Formats microseconds as milliseconds.
#[cfg(unix)]
pub(crate) fn millis(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1e3)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "0.98 KiB"),
            (1536, "1.50 KiB"),
            (1 << 20, "1.00 MiB"),
            (999 << 10, "999 KiB"),
            (1000 << 10, "0.98 MiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (192, "3m 12s"),
            (3600, "1h 0m"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(time(Duration::from_secs(seconds)), text);
        }
        assert_eq!(millis(1234), "1.2 ms");
        assert_eq!(
            [0, 1, 2].map(|number| count(number, "peer")),
            ["0 peers", "1 peer", "2 peers"]
        );
    }
}
