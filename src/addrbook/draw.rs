//! The choice of addresses: to dial, and to share with others.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{CryptoRng, RngExt};

use super::Book;
use super::entry::{Entry, RECENTLY};
use super::time::within;
use crate::node::{Enode, NodeId};

/// The maximum number of draws for one dial.
pub(super) const DRAWS: u32 = 100;
/// How many of the first draws skip addresses with a recent attempt.
const DRAWS_OF_RESTED: u32 = 30;

/// Each skipped address multiplies the chance of the next one by this factor.
const IMPATIENCE: f64 = 1.2;

/// The percentage of addresses that are shared with others.
const SHARED_PERCENT: usize = 23;
/// The maximum number of addresses that are shared with others.
const SHARED_MOST: usize = 2500;

/// How long all other nodes get the same addresses. A fresh sample for each request would soon
/// reveal the whole book.
const SHARED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

impl Book {
    /// Draws a random address; `None` if the book is empty.
    ///
    /// It chooses between new and tried addresses with equal chance, then a bucket, then an entry.
    /// The entry is taken with its [`chance`](Entry::chance). Otherwise the entry is skipped, and
    /// another bucket and entry are chosen. Each skipped entry raises the chance of the next one.
    pub fn get(&self, now: SystemTime, rng: &mut (impl CryptoRng + ?Sized)) -> Option<&Entry> {
        Drawer::new(self).draw(now, rng)
    }

    /// Draws an address to dial: the first that `allowed` accepts.
    ///
    /// It makes up to 100 draws like [`get`](Self::get). The first 30 draws skip addresses that
    /// were attempted within ten minutes. Let `allowed` reject groups that already have a
    /// connection, and nodes that are connected or being dialled. Report [`attempt`](Self::attempt)
    /// before the dial, and [`good`](Self::good) or [`failed`](Self::failed) after it.
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use std::time::SystemTime;
    /// use peermux::addrbook::{Book, BookConfig, Source};
    /// use peermux::{Enode, SecretKey};
    ///
    /// let (now, mut rng) = (SystemTime::now(), rand::rng());
    /// let mut book = Book::new(BookConfig::default(), &mut rng);
    /// let key = SecretKey::random(&mut rng).public_key();
    /// let enode = Enode::new(key, ([9, 9, 9, 9], 30303).into());
    /// book.add(&enode, Source::Own, now, now, &mut rng)?;
    ///
    /// let mut in_use = HashSet::new();
    /// let drawn = book.draw(|entry| !in_use.contains(entry.group()), now, &mut rng);
    /// assert_eq!(drawn.map(|entry| entry.enode()), Some(&enode));
    /// in_use.insert(drawn.unwrap().group().clone());
    /// assert!(book.draw(|entry| !in_use.contains(entry.group()), now, &mut rng).is_none());
    /// # Ok::<(), peermux::addrbook::AddError>(())
    /// ```
    pub fn draw(
        &self,
        mut allowed: impl FnMut(&Entry) -> bool,
        now: SystemTime,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Option<&Entry> {
        let drawer = self.drawer();
        (0..DRAWS).find_map(|draw| {
            let entry = drawer.rested(draw, now, rng);
            entry.filter(|entry| allowed(entry))
        })
    }

    pub(super) fn drawer(&self) -> Drawer<'_> {
        Drawer::new(self)
    }

    /// Returns the addresses to share with others.
    ///
    /// These are chosen at random from the addresses that are not bad: 23 % of the book, at most
    /// 2500. The list stays the same for 24 hours, except for addresses that were removed.
    pub fn share(&mut self, now: SystemTime, rng: &mut (impl CryptoRng + ?Sized)) -> Arc<[Enode]> {
        if let Some((since, list)) = &self.shared
            && within(now, *since, SHARED_FOR)
        {
            return Arc::clone(list);
        }
        let count = (self.len() * SHARED_PERCENT / 100).min(SHARED_MOST);
        let fit = self.entries.iter().filter(|(_, entry)| !entry.is_bad(now));
        // The addresses are in the order of ids, so that a seed determines the choice.
        let mut fit: Vec<_> = fit.collect();
        let (chosen, _) = fit.partial_shuffle(rng, count);
        let chosen = chosen.iter().map(|(_, entry)| entry.enode());
        let list: Arc<[Enode]> = chosen.cloned().collect();
        self.shared = Some((now, Arc::clone(&list)));
        list
    }
}

/// The buckets that are not empty, gathered once for many draws.
pub(super) struct Drawer<'a> {
    book: &'a Book,
    new: Vec<&'a [NodeId]>,
    tried: Vec<&'a [NodeId]>,
}

impl<'a> Drawer<'a> {
    fn new(book: &'a Book) -> Self {
        Self {
            book,
            new: book.new.occupied(),
            tried: book.tried.occupied(),
        }
    }

    /// The result of the draw with this number. The first draws skip addresses with a recent
    /// attempt.
    pub(super) fn rested(
        &self,
        draw: u32,
        now: SystemTime,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Option<&'a Entry> {
        let entry = self.draw(now, rng)?;
        let rested = draw >= DRAWS_OF_RESTED || !entry.attempted_within(RECENTLY, now);
        rested.then_some(entry)
    }

    fn draw(&self, now: SystemTime, rng: &mut (impl CryptoRng + ?Sized)) -> Option<&'a Entry> {
        let tried = match (self.new.is_empty(), self.tried.is_empty()) {
            (false, false) => rng.random(),
            (new_is_empty, _) => new_is_empty,
        };
        let buckets = if tried { &self.tried } else { &self.new };
        let mut readiness = 1.0;
        // The loop ends, because a chance is never zero and `readiness` grows.
        loop {
            let id = buckets.choose(rng)?.choose(rng)?;
            let entry = self.book.entries.get(id)?;
            if rng.random::<f64>() < entry.chance(now) * readiness {
                return Some(entry);
            }
            readiness *= IMPATIENCE;
        }
    }
}
