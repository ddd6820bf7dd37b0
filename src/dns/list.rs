//! One list that is being read.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::pass::{Pass, Pending};
use super::{Domain, EntryHash, Link, Root};
use crate::time::{after, doubled};

/// The first wait after a root was not found.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// If this many entries in a row have failed, the root may have changed.
const FAILURES: u32 = 5;

/// One of a list's two trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Nodes,
    Links,
}

/// What to look up next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Root,
    Entry(Part, Pending),
}

/// A list, as far as it has been read.
#[derive(Debug)]
pub(super) struct List {
    link: Link,
    reading: Option<Reading>,
    /// When the root is looked up again.
    due: Instant,
    /// When the root was last looked up.
    checked: Instant,
    root_failures: u32,
    /// How many times in a row the root was read after failed entries.
    hurried: u32,
    /// How many entries in a row could not be read.
    failures: u32,
    /// The lists to which this list linked before this pass, as far as known.
    known: BTreeSet<Link>,
    /// The lists that this list links to in this pass.
    found: BTreeSet<Link>,
}

#[derive(Debug)]
struct Reading {
    root: Root,
    nodes: Pass,
    links: Pass,
}

impl List {
    pub(super) fn new(link: Link, now: Instant) -> Self {
        Self {
            link,
            reading: None,
            due: now,
            checked: now,
            root_failures: 0,
            hurried: 0,
            failures: 0,
            known: BTreeSet::new(),
            found: BTreeSet::new(),
        }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn domain(&self) -> &Domain {
        self.link.domain()
    }

    pub(super) fn root(&self) -> Option<&Root> {
        self.reading.as_ref().map(|reading| &reading.root)
    }

    /// When the root is looked up again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The lists that this list links to, as far as they are known.
    pub(super) fn leads_to(&self) -> impl Iterator<Item = &Link> {
        self.known.union(&self.found)
    }

    /// Whether there is something to look up now.
    ///
    /// With `once`, neither the root nor the nodes of a list are read again.
    pub(super) fn is_able(&self, now: Instant, once: bool) -> bool {
        let due = now >= self.due;
        match &self.reading {
            None => due,
            Some(Reading { nodes, links, .. }) => {
                !links.is_done() || !nodes.is_done() || (!once && (due || nodes.has_leaves()))
            }
        }
    }

    /// Takes the next lookup. The root comes first if it is due, then an entry of the tree of
    /// links, then one of the tree of nodes.
    pub(super) fn take(&mut self, now: Instant, once: bool, rng: &mut impl Rng) -> Wanted {
        let due = now >= self.due && !once;
        let Some(reading) = self.reading.as_mut().filter(|_| !due) else {
            return Wanted::Root;
        };
        if let Some(pending) = reading.links.take(rng) {
            return Wanted::Entry(Part::Links, pending);
        }
        if reading.nodes.is_done() {
            reading.nodes = Pass::new(reading.root.nodes());
        }
        match reading.nodes.take(rng) {
            Some(pending) => Wanted::Entry(Part::Nodes, pending),
            None => Wanted::Root,
        }
    }

    /// Sets the root that was read. If a tree is unchanged, the pass through that tree continues,
    /// unless the pass is complete and has failed.
    pub(super) fn set_root(&mut self, root: Root, now: Instant, refresh: Duration) {
        self.root_failures = 0;
        self.failures = 0;
        self.checked = now;
        self.due = after(now, refresh);
        let (nodes, links) = match self.reading.take() {
            Some(Reading { nodes, links, .. }) => (Some(nodes), Some(links)),
            None => (None, None),
        };
        let mut before = nodes.iter().chain(&links);
        self.hurried = if before.any(Pass::has_failed) {
            self.hurried.saturating_add(1)
        } else {
            0
        };
        let same = |pass: &Pass, root: EntryHash| {
            pass.root() == root && !(pass.is_done() && pass.has_failed())
        };
        let nodes = nodes.filter(|pass| same(pass, root.nodes()));
        let links = links.filter(|pass| same(pass, root.links()));
        if links.is_none() {
            self.known.append(&mut self.found);
        }
        self.reading = Some(Reading {
            nodes: nodes.unwrap_or_else(|| Pass::new(root.nodes())),
            links: links.unwrap_or_else(|| Pass::new(root.links())),
            root,
        });
    }

    /// Records that no valid root was found. Entries that were read before are kept.
    pub(super) fn fail_root(&mut self, now: Instant, refresh: Duration) {
        self.due = after(now, doubled(FIRST_WAIT, self.root_failures).min(refresh));
        self.root_failures = self.root_failures.saturating_add(1);
        self.failures = 0;
        self.checked = now;
    }

    pub(super) fn pass(&mut self, part: Part) -> Option<&mut Pass> {
        let reading = self.reading.as_mut()?;
        Some(match part {
            Part::Nodes => &mut reading.nodes,
            Part::Links => &mut reading.links,
        })
    }

    /// Records that an entry was read.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Records that an entry could not be read.
    ///
    /// The root is looked up again soon if several entries in a row have failed or if nothing else
    /// is left to read of a tree, because the root may have changed or the network may recover. If
    /// the failures continue, the waits before further lookups grow.
    pub(super) fn fail(&mut self, part: Part) {
        self.failures = self.failures.saturating_add(1);
        let Some(pass) = self.pass(part) else {
            return;
        };
        pass.fail();
        let is_over = pass.is_done() && (part == Part::Links || !pass.has_leaves());
        if is_over || self.failures >= FAILURES {
            self.due = self
                .due
                .min(after(self.checked, doubled(FIRST_WAIT, self.hurried)));
        }
    }

    pub(super) fn found(&mut self, link: Link) {
        self.found.insert(link);
    }

    /// Whether the pass through the tree of links is done.
    ///
    /// If so, the links of earlier passes are forgotten, unless this pass failed to read an entry.
    pub(super) fn settle_links(&mut self) -> bool {
        let Some(reading) = &self.reading else {
            return false;
        };
        if !reading.links.is_done() {
            return false;
        }
        if !reading.links.has_failed() {
            self.known = std::mem::take(&mut self.found);
        }
        true
    }
}
