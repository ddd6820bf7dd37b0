//! Random operations on a small book: whatever happens, the book keeps its invariants.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::SeedableRng;

use super::super::entry::slot;
use super::super::entry::{Entry, Place};
use super::super::rows::{self, Pending};
use super::super::{NodeDb, Row, Table};
use super::*;

#[derive(Debug, Clone, Copy)]
enum Op {
    Add {
        node: u32,
        place: u8,
        source: u8,
        seen_hours_ago: u32,
    },
    Good {
        node: u32,
        place: u8,
    },
    Failed {
        node: u32,
    },
    DialSucceeded,
    Connected {
        node: u32,
    },
    Probe {
        answers: bool,
    },
    Draw,
    Share,
    Remove {
        node: u32,
    },
    RemoveIp {
        place: u8,
    },
    Expire,
    Pass {
        hours: u32,
    },
    Reload,
}

fn op() -> impl Strategy<Value = Op> {
    let (node, place) = (0..40u32, 0..50u8);
    prop_oneof![
        8 => (node.clone(), place.clone(), any::<u8>(), 0..1000u32).prop_map(
            |(node, place, source, seen_hours_ago)| Op::Add { node, place, source, seen_hours_ago }
        ),
        6 => (node.clone(), place.clone()).prop_map(|(node, place)| Op::Good { node, place }),
        4 => node.clone().prop_map(|node| Op::Failed { node }),
        2 => Just(Op::DialSucceeded),
        1 => node.clone().prop_map(|node| Op::Connected { node }),
        4 => any::<bool>().prop_map(|answers| Op::Probe { answers }),
        2 => Just(Op::Draw),
        1 => Just(Op::Share),
        1 => node.prop_map(|node| Op::Remove { node }),
        1 => place.prop_map(|place| Op::RemoveIp { place }),
        1 => Just(Op::Expire),
        2 => (0..300u32).prop_map(|hours| Op::Pass { hours }),
        1 => Just(Op::Reload),
    ]
}

/// A shape with few slots, so that all buckets overflow.
fn small() -> Shape {
    Shape {
        new_buckets: 4,
        new_capacity: 3,
        new_per_source: 3,
        new_per_address: 3,
        tried_buckets: 2,
        tried_capacity: 3,
        tried_per_group: 2,
    }
}

fn spot(place: u8) -> String {
    format!("{}.1.1.1:{}", 20 + place / 2, 1 + place % 2)
}

struct Model {
    book: Book,
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    now: SystemTime,
    rng: StdRng,
}

impl Model {
    fn new(seed: u64) -> Self {
        let book = book_of_shape(small());
        let meta = rows::meta_rows(&book).into_iter();
        Self {
            rows: meta
                .map(|row| ((row.table, row.key), row.value.unwrap()))
                .collect(),
            book,
            now: start(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    fn apply(&mut self, op: Op) {
        let (now, rng) = (self.now, &mut self.rng);
        let node_id = |node| key(node).node_id();
        match op {
            Op::Add {
                node,
                place,
                source,
                seen_hours_ago,
            } => {
                let source = match source {
                    0..16 => Source::Own,
                    by => Source::Ip(ip(&format!("{by}.2.2.2"))),
                };
                let seen = now - seen_hours_ago * HOUR;
                // The book may reject the address; the invariants show whether that did harm.
                let _ = self
                    .book
                    .add(&at(node, &spot(place)), source, seen, now, rng);
            }
            Op::Good { node, place } => {
                self.book.good(&at(node, &spot(place)), now).unwrap();
                let entry = self.book.entry(&node_id(node)).unwrap();
                assert_eq!(entry.last_success(), Some(now));
            }
            Op::Failed { node } => {
                self.book.failed(&node_id(node), now);
            }
            Op::DialSucceeded => self.book.dial_succeeded(),
            Op::Connected { node } => {
                self.book.connected(&node_id(node), now);
            }
            Op::Probe { answers } => {
                if let Some(probed) = self.book.probe(now) {
                    assert!(self.book.entry(&id(&probed)).unwrap().is_tried());
                    if answers {
                        self.book.good(&probed, now).unwrap();
                    } else {
                        self.book.probe_failed(&id(&probed), now);
                    }
                }
            }
            Op::Draw => {
                assert_eq!(self.book.get(now, rng).is_none(), self.book.is_empty());
                self.book.draw(Entry::is_tried, now, rng);
            }
            Op::Share => {
                let list = self.book.share(now, rng);
                assert!(
                    list.iter()
                        .all(|enode| self.book.entry(&id(enode)).is_some())
                );
            }
            Op::Remove { node } => {
                self.book.remove(&node_id(node));
                assert!(self.book.entry(&node_id(node)).is_none());
            }
            Op::RemoveIp { place } => {
                let ip: SocketAddr = spot(place).parse().unwrap();
                self.book.remove_ip(ip.ip());
            }
            Op::Expire => {
                self.book.expire(now);
                assert!(self.book.entries().all(|entry| !entry.is_bad(now)));
            }
            Op::Pass { hours } => self.now += hours * HOUR,
            Op::Reload => self.reload(),
        }
    }

    /// Writes the changes, and builds the book again from all rows written so far.
    fn reload(&mut self) {
        let mut nodes = NodeDb::default();
        let mut pending = Pending::take(&mut self.book, &mut nodes);
        for change in pending.next(&mut self.book, &mut nodes, usize::MAX) {
            let key = (change.table, change.key);
            match change.value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        let row = |((table, key), value): (&(Table, Vec<u8>), &Vec<u8>)| {
            Row::new(*table, key.clone(), value.clone())
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        let config = BookConfig::default();
        let (book, _) = rows::load(
            &rows,
            config,
            Default::default(),
            small(),
            start(),
            &mut self.rng,
        )
        .unwrap();
        let lasting = |book: &Book| {
            let entries = book.entries().map(|entry| {
                let times = (entry.last_seen, entry.last_attempt, entry.last_success);
                let place = entry.place.clone();
                (
                    entry.enode.clone(),
                    entry.source,
                    times,
                    entry.attempts,
                    place,
                )
            });
            entries.collect::<Vec<_>>()
        };
        assert_eq!(lasting(&book), lasting(&self.book));
        self.book = book;
    }

    fn check(&self) {
        let (book, shape) = (&self.book, small());
        let mut slots = BTreeSet::new();
        let (mut new_places, mut tried) = (0, 0);
        for (id, entry) in &book.entries {
            assert_eq!(*id, entry.enode.node_id());
            let slot = slot(entry.enode.endpoint().unwrap());
            assert_eq!(book.by_endpoint.get(&slot), Some(id));
            assert!(slots.insert(slot), "two entries at one place");
            match &entry.place {
                Place::New(buckets) => {
                    let different: BTreeSet<_> = buckets.iter().collect();
                    assert_eq!(different.len(), buckets.len());
                    assert!((1..=shape.new_per_address).contains(&buckets.len()));
                    assert!(buckets.iter().all(|bucket| book.new.contains(*bucket, id)));
                    new_places += buckets.len();
                }
                Place::Tried(bucket) => {
                    assert!(book.tried.contains(*bucket, id));
                    tried += 1;
                }
            }
        }
        assert_eq!(book.by_endpoint.len(), book.len());
        assert_eq!((book.new.places(), book.tried_len()), (new_places, tried));
        for bucket in 0..shape.new_buckets {
            assert!(book.new.bucket(bucket).len() <= shape.new_capacity);
        }
        for bucket in 0..shape.tried_buckets {
            assert!(book.tried.bucket(bucket).len() <= shape.tried_capacity);
        }
        for (bucket, contest) in &book.contests {
            assert!(book.tried.contains(*bucket, &contest.incumbent));
            assert!(!book.entry(&contest.challenger).unwrap().is_tried());
        }
        let unsaved = |id: &NodeId| {
            let row = (Table::Addresses, id.as_bytes().to_vec());
            book.entries.contains_key(id) || self.rows.contains_key(&row)
        };
        assert!(
            book.unsaved.iter().all(unsaved),
            "unsaved changes are bounded"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_book_keeps_its_invariants(
        seed: u64,
        ops in proptest::collection::vec(op(), 1..300),
    ) {
        let mut model = Model::new(seed);
        for op in ops {
            model.apply(op);
            model.check();
        }
        model.reload();
        model.check();
    }
}
