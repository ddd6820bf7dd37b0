use std::time::Duration;

use crate::settings::{TooSmall, settings};

settings! {
    /// How a [`Client`](super::Client) reads lists.
    ///
    /// A time limit of [`Duration::MAX`] means no limit.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Config {
        /// The maximum depth of the entries that are read.
        ///
        /// In each of a list's two trees, the first entry has depth 0. Default: 16.
        max_depth / with_max_depth: usize = 16;
        /// Maximum number of entries that are read from each of a list's two trees.
        ///
        /// At least 1. Default: 16,384.
        max_entries / with_max_entries: usize = 1 << 14;
        /// Maximum bytes of text that are read from each of a list's two trees.
        ///
        /// At least 1. Default: 4 MiB.
        max_bytes / with_max_bytes: usize = 4 << 20;
        /// Maximum number of lists that a walk reads when it follows links.
        ///
        /// The lists that the walk was given are always read. Default: 16.
        max_trees / with_max_trees: usize = 16;
        /// How many entries a client reads per second, after a burst of 10.
        ///
        /// All walks and syncs of the client share this rate, and cached entries count too. At
        /// least 1. Default: 3.
        entries_per_second / with_entries_per_second: u32 = 3;
        /// How long the lookup of one name may take.
        ///
        /// More than zero. Default: 5 s.
        lookup_timeout / with_lookup_timeout: Duration = Duration::from_secs(5);
        /// How long [`Client::sync`](super::Client::sync) may take.
        ///
        /// Default: 30 min.
        sync_timeout / with_sync_timeout: Duration = Duration::from_secs(30 * 60);
        /// How long a walk waits before it looks a list's root up again.
        ///
        /// After a failure it waits 5 s, then twice as long each time, up to this value. At least 1
        /// s. Default: 30 min.
        refresh / with_refresh: Duration = Duration::from_secs(30 * 60);
        /// How many texts of entries are cached; each has up to 512 bytes.
        ///
        /// Default: 1,000.
        cache / with_cache: usize = 1_000;
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), TooSmall> {
        TooSmall::check("max_entries", self.max_entries, 1)?;
        TooSmall::check("max_bytes", self.max_bytes, 1)?;
        TooSmall::check("entries_per_second", self.entries_per_second, 1)?;
        TooSmall::check(
            "lookup_timeout",
            self.lookup_timeout,
            Duration::from_nanos(1),
        )?;
        TooSmall::check("refresh", self.refresh, Duration::from_secs(1))
    }
}
