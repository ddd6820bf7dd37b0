//! The line on the terminal that shows the progress of the crawl.

use std::time::Duration;

use super::plan::Counts;

pub(super) fn text(counts: Counts, elapsed: Duration) -> String {
    let Counts {
        known,
        met,
        not_met,
        running,
    } = counts;
    let seconds = elapsed.as_secs();
    format!("{seconds} s, nodes: {known} known, {met} met, {not_met} not met, {running} under way")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_far_it_is() {
        let counts = Counts {
            known: 12,
            met: 3,
            not_met: 4,
            running: 2,
        };
        let wanted = "7 s, nodes: 12 known, 3 met, 4 not met, 2 under way";
        assert_eq!(text(counts, Duration::from_millis(7900)), wanted);
    }
}
