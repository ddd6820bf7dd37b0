//! Decides which node to visit next.
//!
//! This module uses no socket and no clock.

use std::collections::{BTreeMap, VecDeque};

use peermux::{Endpoint, Enode, Node, NodeId, NodeRecord};
use peermux_cli::node_file::{KnownNode, Outcome, Source, UnixTime};

use super::addresses::{Addresses, Turn};
use super::permitted::Permitted;
use super::visited::Visited;

/// The bounds on a crawl.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The largest number of nodes to keep.
    pub(super) nodes: usize,
    /// The number of nodes to visit at once.
    pub(super) at_once: usize,
}

/// The next step for a node.
#[derive(Debug)]
pub(super) enum Step {
    /// Ask the node for its record.
    Fetch(Enode),
    /// Dial the node at one of its endpoints.
    Dial(Enode),
}

/// The state of a node in the crawl. Each node is dialled once.
#[derive(Debug)]
enum State {
    Waiting,
    Fetching,
    /// The request for the node's record has ended, or was not needed.
    Ready,
    Dialling(Vec<Endpoint>),
    Done,
}

#[derive(Debug)]
struct Entry {
    node: KnownNode,
    state: State,
}

/// The progress of a crawl.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) known: usize,
    pub(super) met: usize,
    pub(super) not_met: usize,
    pub(super) running: usize,
}

/// All known nodes, and the order of visits.
#[derive(Debug)]
pub(super) struct Plan {
    own: NodeId,
    limits: Limits,
    permitted: Permitted,
    /// Whether records can be requested from nodes.
    fetches: bool,
    nodes: BTreeMap<NodeId, Entry>,
    /// The nodes to visit: first those never visited, then those visited longest ago.
    waiting: BTreeMap<(Option<UnixTime>, u64), NodeId>,
    ready: VecDeque<NodeId>,
    addresses: Addresses,
    counts: Counts,
    order: u64,
    turned_away: u64,
    /// The nodes whose visit has ended since the last call of [`take_finished`](Plan::take_finished).
    finished: Vec<NodeId>,
}

impl Plan {
    pub(super) fn new(own: NodeId, limits: Limits, permitted: Permitted, fetches: bool) -> Self {
        Self {
            own,
            limits,
            permitted,
            fetches,
            nodes: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ready: VecDeque::new(),
            addresses: Addresses::default(),
            counts: Counts::default(),
            order: 0,
            turned_away: 0,
            finished: Vec::new(),
        }
    }

    /// Adds a node of an earlier run. Returns false if the node is known or the plan is full.
    ///
    /// A node that refused in the earlier run is visited only if `asks_refused` is set.
    pub(super) fn resume(&mut self, node: KnownNode, asks_refused: bool) -> bool {
        let is_over = node.outcome == Some(Outcome::Refused) && !asks_refused;
        let state = if is_over { State::Done } else { State::Waiting };
        self.add(node, state)
    }

    fn add(&mut self, node: KnownNode, state: State) -> bool {
        if node.node_id == self.own || self.nodes.contains_key(&node.node_id) {
            return false;
        }
        if self.nodes.len() >= self.limits.nodes {
            self.turn_away(1);
            return false;
        }
        if matches!(state, State::Waiting) {
            self.order = self.order.saturating_add(1);
            let turn = (node.last_check, self.order);
            self.waiting.insert(turn, node.node_id);
        } else {
            self.counts.not_met += 1;
        }
        self.nodes.insert(node.node_id, Entry { node, state });
        self.counts.known = self.nodes.len();
        true
    }

    /// Counts nodes that are not kept, because the limit is reached.
    pub(super) fn turn_away(&mut self, nodes: u64) {
        self.turned_away = self.turned_away.saturating_add(nodes);
    }

    /// Adds a node from a source. Returns true if the node is new and is kept.
    ///
    /// If the node has answered, `seen` is the time of the answer.
    pub(super) fn found(&mut self, node: Node, source: Source, seen: Option<UnixTime>) -> bool {
        let id = node.node_id();
        let is_new = !self.nodes.contains_key(&id) && {
            let known = KnownNode::new(node.clone(), source);
            self.add(known, State::Waiting)
        };
        if let Some(entry) = self.nodes.get_mut(&id) {
            if let Some(at) = seen {
                entry.node.seen(at);
            }
            let has_port = entry.node.take_endpoint(&node.to_enode());
            if let Node::Record(record) = node {
                entry.node.take_record(record);
            }
            if has_port {
                self.try_again(&id);
            }
        }
        is_new
    }

    /// Queues again a node that could not be dialled before.
    fn try_again(&mut self, id: &NodeId) {
        if let Some(entry) = self.nodes.get_mut(id)
            && matches!(entry.state, State::Done)
            && entry.node.outcome == Some(Outcome::NotDialled)
        {
            entry.state = State::Ready;
            self.counts.not_met -= 1;
            self.ready.push_back(*id);
        }
    }

    /// Returns the next step, unless as many visits are running as permitted.
    pub(super) fn next(&mut self, at: UnixTime) -> Option<(NodeId, Step)> {
        while self.counts.running < self.limits.at_once {
            let ready = self.ready.pop_front();
            let next = ready.or_else(|| self.waiting.pop_first().map(|(_, id)| id));
            let id = next?;
            let step = self.begin(id, at);
            if step.is_some() {
                return step.map(|step| (id, step));
            }
        }
        None
    }

    /// Begins the next step of a node. Returns `None` if the node cannot be dialled, or must wait
    /// because too many dials to its address are running.
    fn begin(&mut self, id: NodeId, at: UnixTime) -> Option<Step> {
        let entry = self.nodes.get_mut(&id)?;
        let KnownNode { enode, record, .. } = &entry.node;
        let is_waiting = matches!(entry.state, State::Waiting);
        if is_waiting && self.fetches && record.is_none() && self.permitted.asks(enode) {
            let step = Step::Fetch(enode.clone());
            entry.state = State::Fetching;
            self.counts.running += 1;
            return Some(step);
        }
        entry.state = State::Ready;
        let endpoints = self.permitted.endpoints(enode);
        if endpoints.is_empty() {
            let why = match enode.tcp_endpoint() {
                Some(_) => "its address is on a private network, or cannot be dialled",
                None => "it names no TCP port",
            };
            self.finish(id, Visited::not_dialled(why), at);
            return None;
        }
        match self.addresses.claim(id, &endpoints) {
            Turn::Now => {
                let known = Enode::incomplete(*enode.public_key());
                let to = endpoints
                    .iter()
                    .cloned()
                    .fold(known, Enode::with_other_endpoint);
                entry.state = State::Dialling(endpoints);
                self.counts.running += 1;
                Some(Step::Dial(to))
            }
            Turn::Later => {
                self.ready.extend(self.addresses.next(&endpoints));
                None
            }
            Turn::Never => {
                self.ready.extend(self.addresses.next(&endpoints));
                let why = "other nodes were dialled at the same address and port";
                self.finish(id, Visited::not_dialled(why), at);
                None
            }
        }
    }

    /// Notes the answer to a request for a record.
    pub(super) fn fetched(&mut self, id: NodeId, record: Option<NodeRecord>, at: UnixTime) {
        let Some(entry) = self.nodes.get_mut(&id) else {
            return;
        };
        if let Some(record) = record {
            entry.node.seen(at);
            entry.node.take_record(record);
        }
        entry.state = State::Ready;
        self.counts.running -= 1;
        self.ready.push_back(id);
    }

    /// Notes the result of a visit; `None` if the end of the crawl cancelled it.
    pub(super) fn dialled(&mut self, id: NodeId, visited: Option<Visited>, at: UnixTime) {
        let Some(entry) = self.nodes.get_mut(&id) else {
            return;
        };
        let State::Dialling(endpoints) = &entry.state else {
            return;
        };
        self.ready.extend(self.addresses.free(endpoints));
        entry.state = State::Done;
        self.counts.running -= 1;
        if let Some(visited) = visited {
            self.finish(id, visited, at);
        }
    }

    fn finish(&mut self, id: NodeId, visited: Visited, at: UnixTime) {
        if let Some(entry) = self.nodes.get_mut(&id) {
            match visited.outcome {
                Outcome::Met => self.counts.met += 1,
                _ => self.counts.not_met += 1,
            }
            visited.note(&mut entry.node, at);
            entry.state = State::Done;
            self.finished.push(id);
        }
    }

    /// Returns the nodes whose visits have ended since the last call.
    pub(super) fn take_finished(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.finished)
    }

    /// Returns whether no visit is running or waiting.
    pub(super) fn is_idle(&self) -> bool {
        self.counts.running == 0 && self.ready.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the number of nodes that were not kept.
    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away
    }

    pub(super) fn node(&self, id: &NodeId) -> Option<&KnownNode> {
        self.nodes.get(id).map(|entry| &entry.node)
    }

    /// Returns all nodes, sorted by id.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &KnownNode> {
        self.nodes.values().map(|entry| &entry.node)
    }
}

#[cfg(test)]
mod tests {
    use peermux::SecretKey;
    use peermux::setup::FailureInfo;

    use super::*;

    const AT: UnixTime = UnixTime::EPOCH;

    fn plan(nodes: usize, at_once: usize, fetches: bool) -> Plan {
        let own = SecretKey::generate().public_key().node_id();
        let limits = Limits { nodes, at_once };
        Plan::new(own, limits, Permitted::new(false, &[]), fetches)
    }

    fn node(addr: &str) -> Node {
        let key = SecretKey::generate().public_key();
        Enode::new(key, addr.parse().expect("an address")).into()
    }

    fn dialled(plan: &mut Plan) -> Option<NodeId> {
        match plan.next(AT)? {
            (id, Step::Dial(_)) => Some(id),
            other => panic!("{other:?}"),
        }
    }

    fn in_vain() -> Option<Visited> {
        Some(Visited::in_vain(
            Outcome::TimedOut,
            FailureInfo::of_text("slow"),
        ))
    }

    #[test]
    fn each_node_is_dialled_once_and_few_at_a_time() {
        let mut plan = plan(10, 2, false);
        let nodes = ["8.1.0.1:1", "8.1.0.2:1", "8.1.0.3:1"].map(node);
        for known in &nodes {
            assert!(plan.found(known.clone(), Source::V4, None));
            assert!(!plan.found(known.clone(), Source::Dns, None));
        }
        let two = [dialled(&mut plan), dialled(&mut plan)];
        assert_eq!(two, [0, 1].map(|at| Some(nodes[at].node_id())));
        assert_eq!(dialled(&mut plan), None);
        plan.dialled(nodes[0].node_id(), in_vain(), AT);
        assert_eq!(dialled(&mut plan), Some(nodes[2].node_id()));
        for known in &nodes {
            plan.dialled(known.node_id(), in_vain(), AT);
            assert!(!plan.found(known.clone(), Source::V4, None));
        }
        assert!(plan.next(AT).is_none() && plan.is_idle());
        assert_eq!(plan.counts().not_met, 3);
    }

    #[test]
    fn a_record_is_asked_for_first_and_says_where_to_dial() {
        let mut plan = plan(10, 2, true);
        let key = SecretKey::generate();
        let old = Enode::new(key.public_key(), ([8, 1, 0, 1], 1).into());
        plan.found(old.clone().into(), Source::V4, None);
        let Some((id, Step::Fetch(asked))) = plan.next(AT) else {
            panic!("no record is asked for");
        };
        assert_eq!(asked, old);
        assert!(plan.next(AT).is_none());
        let record = NodeRecord::builder(1).ip([8, 1, 0, 2].into()).tcp(2);
        let record = record.sign(&key).expect("a short record");
        plan.fetched(id, Some(record.clone()), AT);
        let Some((_, Step::Dial(to))) = plan.next(AT) else {
            panic!("it is not dialled");
        };
        assert_eq!(to.tcp_endpoint(), record.to_enode().tcp_endpoint());
        assert_eq!(plan.node(&id).expect("known").last_seen, Some(AT));
    }

    #[test]
    fn what_is_not_to_be_dialled_is_not() {
        let mut plan = plan(10, 2, true);
        for addr in ["10.0.0.1:1", "127.0.0.1:1", "8.1.0.1:0"] {
            plan.found(node(addr), Source::V4, None);
        }
        assert!(plan.next(AT).is_none() && plan.is_idle());
        let outcomes: Vec<_> = plan.nodes().map(|node| node.outcome).collect();
        assert_eq!(outcomes, [Some(Outcome::NotDialled); 3]);
        assert!(plan.nodes().all(|node| node.last_check.is_none()));
    }

    #[test]
    fn a_port_that_is_told_later_is_dialled() {
        let mut plan = plan(10, 2, false);
        let key = SecretKey::generate().public_key();
        let at = |port| Enode::new(key, ([8, 1, 0, 1], port).into());
        plan.found(at(0).into(), Source::V4, None);
        assert!(plan.next(AT).is_none() && plan.is_idle());
        assert_eq!(plan.counts().not_met, 1);
        assert!(!plan.found(at(1).into(), Source::V4, None));
        assert_eq!(dialled(&mut plan), Some(key.node_id()));
        plan.found(at(2).into(), Source::V4, None);
        plan.dialled(key.node_id(), in_vain(), AT);
        assert!(plan.next(AT).is_none());
        assert_eq!(plan.counts().not_met, 1);
    }

    #[test]
    fn no_more_nodes_are_kept_than_may_be_and_never_ourselves() {
        let mut plan = plan(2, 2, false);
        let own = plan.own;
        let added = |plan: &mut Plan| plan.found(node("8.1.0.1:1"), Source::V4, None);
        assert!(added(&mut plan) && added(&mut plan) && !added(&mut plan));
        assert_eq!((plan.counts().known, plan.turned_away()), (2, 1));
        let mut ourselves = KnownNode::new(node("8.1.0.1:1"), Source::V4);
        ourselves.node_id = own;
        assert!(!plan.resume(ourselves, false));
        assert_eq!(plan.turned_away(), 1);
    }

    #[test]
    fn those_who_wait_at_an_address_all_have_their_turn() {
        let mut plan = plan(100, 10, false);
        for _ in 0..12 {
            plan.found(node("8.1.0.1:1"), Source::V4, None);
        }
        for _ in 0..12 {
            plan.found(node("8.1.0.1:2"), Source::V4, None);
        }
        let mut dialled_in_all = 0;
        while let Some(id) = dialled(&mut plan) {
            dialled_in_all += 1;
            plan.dialled(id, in_vain(), AT);
        }
        assert_eq!(dialled_in_all, 8, "four at each port");
        assert!(plan.is_idle());
        assert_eq!(plan.counts().not_met, 24);
    }

    #[test]
    fn an_earlier_run_is_gone_on_with_where_it_was_left() {
        let mut plan = plan(10, 10, false);
        let mut ids = Vec::new();
        for (number, checked) in [(1u8, Some(20)), (2, None), (3, Some(10)), (4, None)] {
            let mut known = KnownNode::new(node(&format!("8.1.0.{number}:1")), Source::File);
            known.last_check = checked.map(UnixTime::from_secs);
            ids.push(known.node_id);
            plan.resume(known, false);
        }
        let order: Vec<_> = std::iter::from_fn(|| dialled(&mut plan)).collect();
        assert_eq!(order, [1, 3, 2, 0].map(|at| ids[at]));
    }

    #[test]
    fn who_refused_in_an_earlier_run_is_visited_only_on_request() {
        for asks_refused in [false, true] {
            let mut plan = plan(10, 10, false);
            let mut known = KnownNode::new(node("8.1.0.1:1"), Source::File);
            known.outcome = Some(Outcome::Refused);
            known.last_check = Some(AT);
            let id = known.node_id;
            let again = Node::Enode(known.enode.clone());
            assert!(plan.resume(known, asks_refused));
            // Discovery finds the node again, which changes nothing.
            assert!(!plan.found(again, Source::V4, Some(AT)));
            assert_eq!(dialled(&mut plan), asks_refused.then_some(id));
            assert_eq!(plan.is_idle(), !asks_refused);
            assert_eq!(plan.counts().not_met, usize::from(!asks_refused));
        }
    }
}
