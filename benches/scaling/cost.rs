//! Messages to increasing numbers of peers: throughput, CPU time, memory.

use crate::goals::{Goals, median, spread};
use crate::roles;
use crate::worker::Worker;
use crate::{machine, process};

const PEERS: [usize; 5] = [1, 10, 100, 1000, 5000];

/// The maximum number of peers with `--quick`; memory goals apply to this number.
const MEASURED: usize = 1000;

const SIZE: usize = 256;
const MESSAGES: usize = 200_000;
const REPETITIONS: usize = 3;

/// The seconds before the first measurement of memory, and between the first and the second. A
/// silent connection has released its buffers by the first measurement. However, a Ping every 15 s
/// allocates buffers again, so the lower of the two measurements counts.
const SETTLE: usize = 7;
const SETTLE_MORE: usize = 6;

/// The goal for the memory per idle peer of a node with 1,000 idle peers.
const KIB_PER_PEER: f64 = 16.0;

pub(crate) fn measure(quick: bool, open_files: u64, goals: &mut Goals) {
    println!(
        "\n| peers | messages/s to all | node's CPU, µs a message | peers' CPU | KiB an idle peer: resident, allocated | the same after traffic |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut each = Vec::new();
    for peers in PEERS {
        if quick && peers > MEASURED {
            continue;
        }
        if let Some(why) = process::obstacle(peers, open_files) {
            eprintln!("{why}");
            continue;
        }
        each.push((peers, with(peers, goals)));
    }
    let at = |wanted: usize| each.iter().find(|(peers, _)| *peers == wanted);
    if let (Some((few, few_cost)), Some((many, many_cost))) = (at(100), each.last()) {
        goals.add(
            format!("linear: a message's CPU time with {many} peers is below 2 × that with {few}"),
            format!("{:.2} ×", many_cost / few_cost),
            many_cost < &(2.0 * few_cost),
        );
    }
}

/// A node with its peers.
struct Scene {
    node: Worker,
    peers: usize,
    /// The processes of the peers. The first peer makes the node load everything that all peers
    /// share.
    crowds: Vec<Worker>,
    before: Memory,
}

/// The memory of a node in KiB.
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) allocated: f64,
}

/// The cost of a message in each repetition.
#[derive(Default)]
struct Traffic {
    rates: Vec<f64>,
    node_cpu: Vec<f64>,
    peers_cpu: Vec<f64>,
}

impl Scene {
    fn set(peers: usize) -> Self {
        let mut node = roles::node("lend");
        let mut crowds = vec![roles::crowd(&node, 1)];
        node.ask("peers 1");
        node.ask("send 1000 256");
        let before = Memory::settled(&mut node);
        if peers > 1 {
            crowds.push(roles::crowd(&node, peers - 1));
        }
        node.ask(&format!("peers {peers}"));
        Self {
            node,
            peers,
            crowds,
            before,
        }
    }

    /// Returns the memory per peer, without the first peer, while all peers are idle.
    fn idle(&mut self) -> Memory {
        let now = Memory::settled(&mut self.node);
        let further = (self.peers - 1).max(1) as f64;
        Memory {
            resident: (now.resident - self.before.resident) / further,
            allocated: (now.allocated - self.before.allocated) / further,
        }
    }

    fn traffic(&mut self) -> Traffic {
        let mut traffic = Traffic::default();
        let command = format!("send {MESSAGES} {SIZE}");
        self.node.ask(&command);
        let cpu = |crowds: &[Worker]| -> f64 {
            let processes = crowds.iter().map(Worker::id);
            processes.map(machine::cpu_seconds).sum()
        };
        for _ in 0..REPETITIONS {
            let before = cpu(&self.crowds);
            let told = self.node.ask(&command);
            let peers_cpu = cpu(&self.crowds) - before;
            let [count, seconds, node_cpu] = told[..] else {
                panic!("three numbers");
            };
            traffic.rates.push(count / seconds);
            traffic.node_cpu.push(node_cpu * 1e6 / count);
            traffic.peers_cpu.push(peers_cpu * 1e6 / count);
        }
        traffic
    }
}

impl Memory {
    /// Measures the memory once all connections are silent.
    pub(crate) fn settled(node: &mut Worker) -> Self {
        let [one, other] = [SETTLE, SETTLE_MORE].map(|seconds| {
            node.ask(&format!("settle {seconds}"));
            Self::of(node)
        });
        Self {
            resident: one.resident.min(other.resident),
            allocated: one.allocated.min(other.allocated),
        }
    }

    /// Measures the memory now.
    pub(crate) fn of(node: &mut Worker) -> Self {
        Self {
            resident: machine::resident_kib(node.id()),
            allocated: node.ask("live")[0] / 1024.0,
        }
    }

    fn show(&self) -> String {
        format!("{:.1}, {:.1}", self.resident, self.allocated)
    }
}

/// Prints a row and returns the node's CPU time per message.
fn with(peers: usize, goals: &mut Goals) -> f64 {
    let mut scene = Scene::set(peers);
    let idle = scene.idle();
    let traffic = scene.traffic();
    let used = scene.idle();
    let show = |memory: &Memory| match peers {
        1 => String::new(),
        _ => memory.show(),
    };
    println!(
        "| {peers} | {:.0} | {} | {} | {} | {} |",
        median(&traffic.rates),
        spread(&traffic.node_cpu),
        spread(&traffic.peers_cpu),
        show(&idle),
        show(&used),
    );
    if peers == MEASURED {
        goals.add(
            format!("memory: an idle peer takes at most 16 KiB resident, with {MEASURED} of them"),
            format!(
                "{:.1} KiB; {:.1} KiB after traffic",
                idle.resident, used.resident
            ),
            idle.resident <= KIB_PER_PEER,
        );
    }
    median(&traffic.node_cpu)
}
