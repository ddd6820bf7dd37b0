//! The waiting items of a queue: one line per source, served in turn.

use std::collections::{HashMap, VecDeque};

use super::{Bound, Source};

/// The maximum number of empty small lines that are kept. A kept line saves an allocation when its
/// source adds its next item.
const IDLE_LINES: usize = 16;
/// A line is small if it has room for at most this many items.
const SMALL_LINE: usize = 16;

/// All waiting items, within a bound that the caller checks with [`fits`](Self::fits).
#[derive(Debug)]
pub(super) struct Lines<T, K> {
    bound: Bound,
    by_source: HashMap<K, Line<T>>,
    /// The sources with waiting items, in the order in which they are served.
    turns: VecDeque<K>,
    items: usize,
    weight: usize,
}

/// The waiting items of one source.
#[derive(Debug)]
struct Line<T> {
    items: VecDeque<(T, usize)>,
    /// The sum of the items' shares. The source with the largest sum loses items first.
    share: usize,
}

/// The end of a line that loses items when the queue makes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loses {
    Newest,
    Oldest,
}

/// An item that was taken out of turn to make room.
pub(super) struct Pulled<T, K> {
    source: K,
    item: T,
    weight: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        let items = VecDeque::new();
        Self { items, share: 0 }
    }
}

impl<T, K: Source> Lines<T, K> {
    pub(super) fn new(bound: Bound) -> Self {
        Self {
            bound,
            by_source: HashMap::new(),
            turns: VecDeque::new(),
            items: 0,
            weight: 0,
        }
    }

    /// Whether an item of this weight has room. An item of any weight has room if none waits.
    pub(super) fn fits(&self, weight: usize) -> bool {
        let beside_others = self.items < self.bound.items
            && self.weight.saturating_add(weight) <= self.bound.weight;
        self.items == 0 || beside_others
    }

    /// The share of an item: its weight, but at least a minimum. The minimum is the bound on weight
    /// divided by the bound on items.
    fn share(&self, weight: usize) -> usize {
        let least = self.bound.weight.checked_div(self.bound.items);
        weight.max(least.unwrap_or(1)).max(1)
    }

    pub(super) fn put(&mut self, source: K, item: T, weight: usize) {
        self.line_for(source, weight).push_back((item, weight));
    }

    /// Puts back an item that was pulled in vain.
    pub(super) fn put_back(&mut self, pulled: Pulled<T, K>, loses: Loses) {
        let line = self.line_for(pulled.source, pulled.weight);
        match loses {
            Loses::Newest => line.push_back((pulled.item, pulled.weight)),
            Loses::Oldest => line.push_front((pulled.item, pulled.weight)),
        }
    }

    /// Counts another item of this weight, and returns the line to add it to.
    fn line_for(&mut self, source: K, weight: usize) -> &mut VecDeque<(T, usize)> {
        let share = self.share(weight);
        let line = self.by_source.entry(source).or_default();
        if line.items.is_empty() {
            self.turns.push_back(source);
        }
        line.share = line.share.saturating_add(share);
        self.items += 1;
        self.weight = self.weight.saturating_add(weight);
        &mut line.items
    }

    /// Pulls one item, to make room for an item of this source and weight.
    pub(super) fn pull(&mut self, source: K, weight: usize, loses: Loses) -> Option<Pulled<T, K>> {
        match loses {
            Loses::Newest => self.crowd_out(source, weight),
            Loses::Oldest => self.expire(source, weight),
        }
    }

    pub(super) fn take(&mut self) -> Option<T> {
        let source = self.turns.pop_front()?;
        let line = self.by_source.get_mut(&source)?;
        let (item, weight) = line.items.pop_front()?;
        if !line.items.is_empty() {
            self.turns.push_back(source);
        }
        self.taken(source, weight);
        Some(item)
    }

    /// Removes all items and returns them, so that the caller can drop them later.
    pub(super) fn clear(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.bound))
    }

    /// Takes the newest item of the source with the largest share. Returns `None` if `source`, with
    /// another item of this weight, would have at least that share.
    fn crowd_out(&mut self, source: K, weight: usize) -> Option<Pulled<T, K>> {
        let own = self.share_with(source, weight);
        let (largest, line) = self
            .by_source
            .iter_mut()
            .max_by_key(|(_, line)| line.share)?;
        if line.share <= own {
            return None;
        }
        let (source, (item, weight)) = (*largest, line.items.pop_back()?);
        Some(self.pulled(source, item, weight))
    }

    /// Takes the oldest item of the source with the largest share. In this comparison, `source`
    /// counts as if it had another item of this weight. Returns `None` if the new item alone would
    /// give `source` the largest share, because then `source` has no item to take.
    fn expire(&mut self, source: K, weight: usize) -> Option<Pulled<T, K>> {
        let own = self.share_with(source, weight);
        let has_older = self
            .by_source
            .get(&source)
            .is_some_and(|line| line.share > 0);
        let (largest, line) = self.by_source.iter().max_by_key(|(_, line)| line.share)?;
        let largest = if line.share < own || line.share == own && has_older {
            source
        } else {
            *largest
        };
        let (item, weight) = self.by_source.get_mut(&largest)?.items.pop_front()?;
        Some(self.pulled(largest, item, weight))
    }

    /// The share of `source` with another item of this weight.
    fn share_with(&self, source: K, weight: usize) -> usize {
        let own = self.by_source.get(&source).map_or(0, |line| line.share);
        own.saturating_add(self.share(weight))
    }

    /// Updates the state after an item has been taken out of turn.
    fn pulled(&mut self, source: K, item: T, weight: usize) -> Pulled<T, K> {
        let line = self.by_source.get(&source);
        if line.is_none_or(|line| line.items.is_empty()) {
            self.turns.retain(|other| *other != source);
        }
        self.taken(source, weight);
        Pulled {
            source,
            item,
            weight,
        }
    }

    fn taken(&mut self, source: K, weight: usize) {
        self.items = self.items.saturating_sub(1);
        self.weight = self.weight.saturating_sub(weight);
        let (share, lines) = (self.share(weight), self.by_source.len());
        if let Some(line) = self.by_source.get_mut(&source) {
            line.share = line.share.saturating_sub(share);
            let small = lines <= IDLE_LINES && line.items.capacity() <= SMALL_LINE;
            if line.items.is_empty() && !small {
                self.by_source.remove(&source);
            }
        }
    }
}
