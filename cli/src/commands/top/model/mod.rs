//! The state of the view, changed by keys and new data.
//!
//! The code of this module does not wait, send requests or draw.

mod cursor;
mod input;
mod keys;
mod protocols;
mod rates;
#[cfg(test)]
pub(super) mod samples;
mod sort;
#[cfg(test)]
mod tests;

use std::cmp::{Ordering, Reverse};
use std::collections::VecDeque;

use peermux::NodeId;
use peermux::peer::{NodeInfo, PeerInfo};
use peermux_cli::request::{Change, Changed, DiscoveryInfo, Event};

use crate::commands::peers::{Done, StaticNode};

pub(super) use cursor::Cursor;
pub(super) use input::{Input, Question};
pub(super) use keys::{Wish, short};
pub(super) use protocols::ProtocolRow;
pub(super) use rates::{Rate, Row};
pub(super) use sort::Sort;

/// How many events are kept: as many as the node keeps.
const EVENTS: usize = 200;

/// The number of digits of a node id in a list.
pub(super) const SHORT_ID: usize = 12;

/// The answers to all requests of one refresh.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) node: NodeInfo,
    pub(super) peers: Vec<PeerInfo>,
    pub(super) kept: Vec<StaticNode>,
    pub(super) discovery: DiscoveryInfo,
    /// The events that happened since the previous snapshot.
    pub(super) events: Vec<Event>,
    /// Whether `events` holds all events that the node keeps. After a new connection to the node,
    /// all events are requested again, because the node may have restarted.
    pub(super) from_start: bool,
}

/// The tabs, each with a list in the middle of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Peers,
    Protocols,
    Dials,
    Memory,
    Events,
}

impl Tab {
    pub(super) const ALL: [Self; 5] = [
        Self::Peers,
        Self::Protocols,
        Self::Dials,
        Self::Memory,
        Self::Events,
    ];
}

/// The mode of the view, which decides what keys mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mode {
    /// A list is shown.
    List,
    /// The details of the selected row are shown, from this line on.
    Details(usize),
    /// The list of keys is shown, from this line on.
    Help(usize),
    /// A line is being typed.
    Input(Input),
    /// A question is shown.
    Question(Question),
}

/// The line below the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) text: String,
    pub(super) is_error: bool,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) tab: Tab,
    pub(super) mode: Mode,
    pub(super) sort: Sort,
    pub(super) reverse: bool,
    /// A text that rows must contain.
    pub(super) filter: String,
    pub(super) status: Option<Status>,
    /// Why the node does not answer, and the number of attempts.
    pub(super) lost: Option<(String, u32)>,
    /// The node's description; `None` before the first answer.
    pub(super) node: Option<NodeInfo>,
    pub(super) discovery: DiscoveryInfo,
    /// All peers, sorted by id.
    rows: Vec<Row>,
    /// The indexes of the shown peers in `rows`, in the chosen order.
    order: Vec<usize>,
    /// The indexes of the shown peers in `rows`, those with the most memory first.
    holders: Vec<usize>,
    protocols: Vec<ProtocolRow>,
    kept: Vec<StaticNode>,
    /// The last events, the newest first.
    events: VecDeque<Event>,
    /// The traffic of all peers together.
    pub(super) total: Rate,
    pub(super) peer: Cursor<NodeId>,
    pub(super) protocol: Cursor<String>,
    pub(super) dial: Cursor<NodeId>,
    pub(super) holder: Cursor<NodeId>,
    pub(super) event: Cursor<u64>,
    /// The number of visible rows of a list.
    page: usize,
}

impl Model {
    pub(super) fn new(sort: Sort) -> Self {
        Self {
            tab: Tab::Peers,
            mode: Mode::List,
            sort,
            reverse: false,
            filter: String::new(),
            status: None,
            lost: None,
            node: None,
            discovery: DiscoveryInfo::default(),
            rows: Vec::new(),
            order: Vec::new(),
            holders: Vec::new(),
            protocols: Vec::new(),
            kept: Vec::new(),
            events: VecDeque::new(),
            total: Rate::default(),
            peer: Cursor::default(),
            protocol: Cursor::default(),
            dial: Cursor::default(),
            holder: Cursor::default(),
            event: Cursor::default(),
            page: 1,
        }
    }

    /// Updates the state from a new snapshot.
    pub(super) fn refresh(&mut self, snapshot: Snapshot) {
        self.lost = None;
        self.discovery = snapshot.discovery;
        self.rows = rates::rows(snapshot.peers, &self.rows);
        self.total = Rate::default();
        for rate in self.rows.iter().filter_map(|row| row.rate) {
            self.total += rate;
        }
        let offered = snapshot.node.protocols.keys();
        self.protocols = protocols::of(offered, &self.rows);
        self.node = Some(snapshot.node);
        self.kept = snapshot.kept;
        // Nodes that are not connected come first.
        self.kept.sort_by_key(|node| (node.connected, node.node_id));
        if snapshot.from_start {
            self.events.clear();
        }
        for event in snapshot.events {
            self.events.push_front(event);
        }
        self.events.truncate(EVENTS);
        self.arrange();
    }

    /// Notes that the node did not answer. The last known state stays visible.
    pub(super) fn lose(&mut self, why: String) {
        let attempts = self.lost.as_ref().map_or(0, |(_, attempts)| *attempts);
        self.lost = Some((why, attempts.saturating_add(1)));
    }

    /// Shows the outcome of a change.
    pub(super) fn conclude(&mut self, change: &Change, result: &Result<Changed, String>) {
        let text = match result {
            Ok(changed) => Done::of(change, changed.clone()).to_string(),
            Err(error) => error.clone(),
        };
        self.status = Some(Status {
            text,
            is_error: result.is_err(),
        });
    }

    pub(super) fn complain(&mut self, text: impl Into<String>) {
        self.status = Some(Status {
            text: text.into(),
            is_error: true,
        });
    }

    /// Sets the number of visible rows of a list.
    pub(super) fn resize(&mut self, page: usize) {
        if self.page != page {
            self.page = page;
            self.follow();
        }
    }

    /// Returns the shown peers, in their order.
    pub(super) fn peers(&self) -> Vec<&Row> {
        self.rows_at(&self.order)
    }

    /// Returns the shown peers, those with most memory first.
    pub(super) fn holders(&self) -> Vec<&Row> {
        self.rows_at(&self.holders)
    }

    fn rows_at(&self, order: &[usize]) -> Vec<&Row> {
        order.iter().filter_map(|at| self.rows.get(*at)).collect()
    }

    /// Returns the number of all peers.
    pub(super) fn all_peers(&self) -> usize {
        self.rows.len()
    }

    /// Returns the shown protocols.
    pub(super) fn protocols(&self) -> Vec<&ProtocolRow> {
        let shown = self.protocols.iter();
        shown.filter(|row| self.matches([&*row.name])).collect()
    }

    /// Returns the shown static nodes; those that are not connected come first.
    pub(super) fn dials(&self) -> Vec<&StaticNode> {
        let matches = |node: &&StaticNode| {
            let (id, enode) = (node.node_id.to_string(), node.enode.to_string());
            let error = node.error.as_ref().map_or("", |error| &error.text);
            self.matches([&*id, &enode, error])
        };
        self.kept.iter().filter(matches).collect()
    }

    /// Returns the number of static nodes, and how many of them are not connected.
    pub(super) fn kept(&self) -> [usize; 2] {
        let missing = self.kept.iter().filter(|node| !node.connected);
        [self.kept.len(), missing.count()]
    }

    /// Returns the shown events, the newest first.
    pub(super) fn events(&self) -> Vec<&Event> {
        let matches = |event: &&Event| {
            self.filter.is_empty() || {
                let text = serde_json::to_string(&event.what);
                text.is_ok_and(|text| self.matches([&*text]))
            }
        };
        self.events.iter().filter(matches).collect()
    }

    /// Returns how many events were lost between the events that are kept.
    pub(super) fn lost_events(&self) -> u64 {
        let ends = self.events.front().zip(self.events.back());
        let numbers = ends.map_or(0, |(newest, oldest)| {
            newest
                .number
                .saturating_sub(oldest.number)
                .saturating_add(1)
        });
        numbers.saturating_sub(self.events.len() as u64)
    }

    /// Returns the node that is selected in the current tab.
    pub(super) fn selected(&self) -> Option<NodeId> {
        match self.tab {
            Tab::Peers => self.peer.selected().copied(),
            Tab::Memory => self.holder.selected().copied(),
            Tab::Dials => self.dial.selected().copied(),
            Tab::Protocols => None,
            Tab::Events => {
                let number = self.event.selected()?;
                let event = self.events.iter().find(|event| event.number == *number)?;
                event.what.get("node_id")?.as_str()?.parse().ok()
            }
        }
    }

    /// Returns a peer, if it is connected.
    pub(super) fn connected(&self, id: &NodeId) -> Option<&Row> {
        self.rows.iter().find(|row| row.info.node_id == *id)
    }

    /// Returns whether a node is static.
    pub(super) fn is_kept(&self, id: &NodeId) -> bool {
        self.kept.iter().any(|node| node.node_id == *id)
    }

    /// Returns whether one of these texts contains the filter. The case of letters does not matter.
    fn matches<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let filter = self.filter.to_lowercase();
        let mut texts = texts.into_iter();
        filter.is_empty() || texts.any(|text| text.to_lowercase().contains(&filter))
    }

    /// Filters and sorts the peers.
    fn arrange(&mut self) {
        let mut order: Vec<usize> = Vec::with_capacity(self.rows.len());
        for (at, row) in self.rows.iter().enumerate() {
            if self.filter.is_empty() || self.matches(texts(row).iter().map(String::as_str)) {
                order.push(at);
            }
        }
        let row = |at: &usize| self.rows.get(*at);
        let mut holders = order.clone();
        holders.sort_by_key(|at| Reverse(row(at).map(|row| row.queues().iter().sum::<u64>())));
        order.sort_by(|one, other| {
            let compared = row(one).zip(row(other));
            compared.map_or(Ordering::Equal, |(one, other)| {
                self.sort.compare(one, other)
            })
        });
        if self.reverse {
            order.reverse();
        }
        (self.order, self.holders) = (order, holders);
        self.follow();
    }

    /// Finds the selected rows of all tabs again after a change.
    fn follow(&mut self) {
        self.move_all(Step::None);
    }

    /// Moves the selection of the current tab. Finds the selected rows of the other tabs again.
    fn move_all(&mut self, step: Step) {
        let ids = |rows: Vec<&Row>| -> Vec<_> { rows.iter().map(|row| row.info.node_id).collect() };
        let (peers, holders) = (ids(self.peers()), ids(self.holders()));
        let dials: Vec<_> = self.dials().iter().map(|node| node.node_id).collect();
        let protocols = self.protocols();
        let protocols: Vec<_> = protocols.iter().map(|row| row.name.clone()).collect();
        let events: Vec<_> = self.events().iter().map(|event| event.number).collect();
        let (tab, page) = (self.tab, self.page);
        let of = |own: Tab| if own == tab { step } else { Step::None };
        of(Tab::Peers).apply(&mut self.peer, &peers, page);
        of(Tab::Protocols).apply(&mut self.protocol, &protocols, page);
        of(Tab::Dials).apply(&mut self.dial, &dials, page);
        of(Tab::Memory).apply(&mut self.holder, &holders, page);
        // While the newest event is selected, the selection moves on to newer events.
        match of(Tab::Events) {
            Step::None if self.event.index() == 0 => Step::First,
            step => step,
        }
        .apply(&mut self.event, &events, page);
    }
}

/// A move of the selection.
#[derive(Debug, Clone, Copy)]
enum Step {
    None,
    By(isize),
    Pages(isize),
    First,
    Last,
}

impl Step {
    fn apply<K: PartialEq + Clone>(self, cursor: &mut Cursor<K>, keys: &[K], page: usize) {
        match self {
            Self::None => cursor.follow(keys, page),
            Self::By(rows) => cursor.step(rows, keys, page),
            Self::Pages(pages) => {
                let page_rows = isize::try_from(page).unwrap_or(isize::MAX);
                cursor.step(pages.saturating_mul(page_rows), keys, page);
            }
            Self::First => cursor.select(0, keys, page),
            Self::Last => cursor.select(usize::MAX, keys, page),
        }
    }
}

/// Returns the texts of a peer in which a filter searches.
fn texts(row: &Row) -> Vec<String> {
    let info = &row.info;
    let mut texts = vec![info.node_id.to_string(), info.client.clone()];
    texts.extend(info.addr.map(|addr| addr.to_string()));
    texts.extend(
        info.capabilities
            .iter()
            .map(|one| format!("{}/{}", one.name, one.version)),
    );
    texts.push(info.direction.as_str().to_owned());
    texts.push(notes(row));
    texts
}

/// Returns remarks about a peer.
pub(super) fn notes(row: &Row) -> String {
    let notes = [
        (row.info.static_dialled, "static"),
        (row.info.trusted, "trusted"),
    ];
    let notes: Vec<_> = notes
        .iter()
        .filter_map(|(holds, text)| holds.then_some(*text))
        .collect();
    notes.join(" ")
}
