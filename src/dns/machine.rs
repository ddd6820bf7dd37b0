//! Decides which name is looked up next, and processes the answers.
//!
//! The machine has no socket, clock or task.

use std::collections::{BTreeSet, VecDeque};

use rand::Rng;
use rand::seq::IteratorRandom;
use tokio::time::Instant;

use super::list::{List, Part, Wanted};
use super::memory::Memory;
use super::pass::Pending;
use super::{Config, DnsError, Entry, EntryError, EntryHash, Link, LookupError, MAX_TEXT, Root};
use crate::node::NodeRecord;

/// How many of the texts at a list's name are tried as the list's root.
const MAX_ROOTS: usize = 8;

/// A result of reading.
#[derive(Debug)]
pub(super) enum Event {
    Node(NodeRecord),
    Link(Link),
    Failed(DnsError),
}

/// The next step of the caller.
#[derive(Debug)]
pub(super) enum Step {
    Event(Event),
    /// Look up this name, and report the answer.
    Lookup(String),
    Wait(Instant),
    /// There is nothing more to read.
    Done,
}

/// A name that is being looked up.
#[derive(Debug)]
struct Asked {
    link: Link,
    wanted: Wanted,
    name: String,
}

/// Reads one list once, or keeps reading lists and the lists they link to.
#[derive(Debug)]
pub(super) struct Machine {
    config: Config,
    once: bool,
    /// The lists that were given.
    given: Vec<Link>,
    lists: Vec<List>,
    asked: Option<Asked>,
    /// The results of the last answer that were not returned yet.
    ready: VecDeque<Event>,
}

impl Machine {
    /// Reads the whole of one list, and follows no links.
    pub(super) fn once(config: Config, link: Link, now: Instant) -> Self {
        Self::new(config, true, vec![link], now)
    }

    /// Reads lists, and the lists that they link to, again and again.
    pub(super) fn forever(config: Config, given: Vec<Link>, now: Instant) -> Self {
        Self::new(config, false, given, now)
    }

    fn new(config: Config, once: bool, given: Vec<Link>, now: Instant) -> Self {
        let distinct: BTreeSet<_> = given.iter().cloned().collect();
        let lists = distinct.into_iter().map(|link| List::new(link, now));
        Self {
            config,
            once,
            lists: lists.collect(),
            given,
            asked: None,
            ready: VecDeque::new(),
        }
    }

    /// The lists that are read.
    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.lists.iter().map(List::link)
    }

    /// The root of the first list.
    pub(super) fn root(&self) -> Option<&Root> {
        self.lists.first().and_then(List::root)
    }

    #[cfg(test)]
    pub(super) fn kept_links(&self) -> usize {
        self.lists.iter().map(|list| list.leads_to().count()).sum()
    }

    /// Returns the next step.
    ///
    /// A lookup is requested again until its answer is reported.
    pub(super) fn next(&mut self, now: Instant, rng: &mut impl Rng, memory: &mut Memory) -> Step {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Step::Event(event);
            }
            if let Some(asked) = &self.asked {
                return Step::Lookup(asked.name.clone());
            }
            let lists = self.lists.iter_mut();
            let able = lists.filter(|list| list.is_able(now, self.once));
            let Some(list) = able.choose(rng) else {
                return self.idle();
            };
            // Cached entries count towards the rate, too. Otherwise a caller that wants none of a
            // list's nodes would loop without a pause.
            match memory.pace.take(memory.spent, now) {
                Ok(spent) => memory.spent = Some(spent),
                Err(until) => return Step::Wait(until),
            }
            let wanted = list.take(now, self.once, rng);
            let name = match wanted {
                Wanted::Root => list.domain().to_string(),
                Wanted::Entry(_, pending) => pending.hash.name_in(list.domain()),
            };
            let link = list.link().clone();
            self.asked = Some(Asked { link, wanted, name });
            if let Wanted::Entry(_, Pending { hash, .. }) = wanted
                && let Some(text) = memory.texts.get(&hash).cloned()
            {
                self.answered(now, memory, Ok(vec![text]));
            }
        }
    }

    /// Returns the step for when nothing can be looked up.
    fn idle(&self) -> Step {
        let due = self.lists.iter().map(List::due).min();
        match due {
            Some(due) if !self.once => Step::Wait(due),
            _ => Step::Done,
        }
    }

    /// Processes the answer to the requested lookup.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        memory: &mut Memory,
        answer: Result<Vec<String>, LookupError>,
    ) {
        let Some(Asked { link, wanted, name }) = self.asked.take() else {
            return;
        };
        let mut lists = self.lists.iter_mut();
        let Some(list) = lists.find(|list| *list.link() == link) else {
            return;
        };
        let config = &self.config;
        let answer = answer.map_err(|source| DnsError::Lookup {
            name: name.clone(),
            source,
        });
        let result = match wanted {
            Wanted::Root => {
                let root = answer.and_then(|texts| find_root(&link, &texts));
                take_root(list, root, config, now, memory).map(|()| None)
            }
            Wanted::Entry(part, pending) => {
                let entry = answer.and_then(|texts| find_entry(&name, pending.hash, texts));
                let (found, errors) = take_entry(list, part, pending, &name, entry, config, memory);
                self.ready.extend(errors.into_iter().map(Event::Failed));
                Ok(found)
            }
        };
        match result {
            Ok(None) => {}
            Ok(Some(Event::Link(found))) => self.follow(&link, &name, found, now),
            Ok(Some(event)) => self.ready.push_back(event),
            Err(error) => self.ready.push_back(Event::Failed(error)),
        }
        if let Wanted::Entry(Part::Links, _) = wanted {
            self.forget_lists(&link);
        }
    }

    /// Processes a link from one list to another.
    ///
    /// Only links that are followed are kept, since there may be any number of others.
    fn follow(&mut self, from: &Link, name: &str, to: Link, now: Instant) {
        let limit = self.config.max_trees();
        let known = self.links().any(|known| *known == to);
        if !self.once && !known {
            if self.lists.len() >= limit {
                let name = name.to_owned();
                let error = DnsError::TooManyTrees { name, limit };
                self.ready.push_back(Event::Failed(error));
                return;
            }
            self.lists.push(List::new(to.clone(), now));
        }
        let mut lists = self.lists.iter_mut();
        let from = lists.find(|list| list.link() == from);
        if let Some(list) = from.filter(|_| !self.once) {
            list.found(to.clone());
        }
        self.ready.push_back(Event::Link(to));
    }

    /// If all links of `changed` have been read, forgets lists that are no longer linked.
    fn forget_lists(&mut self, changed: &Link) {
        let mut lists = self.lists.iter_mut();
        let changed = lists.find(|list| list.link() == changed);
        if !changed.is_some_and(List::settle_links) {
            return;
        }
        let mut reached: BTreeSet<Link> = BTreeSet::new();
        let mut next = self.given.clone();
        while let Some(link) = next.pop() {
            let list = self.lists.iter().find(|list| *list.link() == link);
            if let Some(list) = list.filter(|_| reached.insert(link)) {
                next.extend(list.leads_to().cloned());
            }
        }
        self.lists.retain(|list| reached.contains(list.link()));
    }
}

fn take_root(
    list: &mut List,
    root: Result<Root, DnsError>,
    config: &Config,
    now: Instant,
    memory: &mut Memory,
) -> Result<(), DnsError> {
    let known = memory.seqs.get(list.link()).copied();
    let known = known.max(list.root().map(Root::seq));
    let root = root.and_then(|root| match known {
        Some(known) if root.seq() < known => Err(DnsError::OldRoot {
            name: list.domain().to_string(),
            got: root.seq(),
            known,
        }),
        _ => Ok(root),
    });
    match root {
        Ok(root) => {
            memory.seqs.insert(list.link().clone(), root.seq());
            list.set_root(root, now, config.refresh());
            Ok(())
        }
        Err(error) => {
            list.fail_root(now, config.refresh());
            Err(error)
        }
    }
}

/// Processes an entry, and returns a node or link, and errors.
fn take_entry(
    list: &mut List,
    part: Part,
    pending: Pending,
    name: &str,
    entry: Result<(Entry, String), DnsError>,
    config: &Config,
    memory: &mut Memory,
) -> (Option<Event>, Vec<DnsError>) {
    let (entry, text) = match entry
        .and_then(|(entry, text)| belongs(part, name, entry).map(|entry| (entry, text)))
    {
        Ok(entry) => entry,
        Err(error) => {
            list.fail(part);
            return (None, vec![error]);
        }
    };
    list.succeed();
    let Some(pass) = list.pass(part) else {
        return (None, Vec::new());
    };
    if let Err(error) = pass.count_bytes(name, text.len(), config) {
        return (None, vec![error]);
    }
    memory.texts.insert(pending.hash, text);
    match entry {
        Entry::Branch(children) => (None, pass.branch(name, pending, &children, config)),
        Entry::Node(record) => {
            pass.count_leaf();
            (Some(Event::Node(record)), Vec::new())
        }
        Entry::Link(link) => {
            pass.count_leaf();
            (Some(Event::Link(link)), Vec::new())
        }
    }
}

/// Rejects an entry that does not belong in this tree.
fn belongs(part: Part, name: &str, entry: Entry) -> Result<Entry, DnsError> {
    let name = || name.to_owned();
    match (part, &entry) {
        (Part::Links, Entry::Node(_)) => Err(DnsError::NodeAmongLinks { name: name() }),
        (Part::Nodes, Entry::Link(_)) => Err(DnsError::LinkAmongNodes { name: name() }),
        _ => Ok(entry),
    }
}

/// Returns the newest correctly signed root among the texts at a list's name.
fn find_root(link: &Link, texts: &[String]) -> Result<Root, DnsError> {
    let name = || link.domain().to_string();
    let mut newest: Option<Root> = None;
    let mut first_error = None;
    let roots = texts.iter().filter(|text| Root::is_text(text));
    for text in roots.take(MAX_ROOTS) {
        let root = text.parse::<Root>();
        match root.and_then(|root| root.verify(link.key()).map(|()| root)) {
            Ok(root)
                if newest
                    .as_ref()
                    .is_none_or(|newest| newest.seq() < root.seq()) =>
            {
                newest = Some(root);
            }
            Ok(_) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    newest.ok_or_else(|| match first_error {
        Some(source) => DnsError::Invalid {
            name: name(),
            source,
        },
        None => DnsError::NoRoot { name: name() },
    })
}

/// Returns the entry with this hash among the texts at its name, and its text.
fn find_entry(
    name: &str,
    hash: EntryHash,
    texts: Vec<String>,
) -> Result<(Entry, String), DnsError> {
    let name = || name.to_owned();
    let invalid = |source| DnsError::Invalid {
        name: name(),
        source,
    };
    let other = texts.iter().find(|text| Entry::is_text(text)).cloned();
    let is_right = |text: &String| text.len() <= MAX_TEXT && hash.matches(text);
    if let Some(text) = texts.into_iter().find(is_right) {
        let entry = text.parse().map_err(invalid)?;
        return Ok((entry, text));
    }
    Err(match other {
        None => DnsError::NoEntry { name: name() },
        Some(text) if text.len() > MAX_TEXT => invalid(EntryError::too_long(&text)),
        Some(text) => DnsError::WrongHash {
            name: name(),
            found: EntryHash::of(&text),
        },
    })
}
