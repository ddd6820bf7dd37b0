//! The role of the measured node.

use std::str::FromStr;
use std::time::Duration;

use futures::future::try_join_all;
use peermux::{PeerConfig, ProtocolConn, SecretKey, Server};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::load::{
    ASIDE, COUNTED, LOAD, RETURNED, ignored, lent, message, returned, round_trips, served,
};
use crate::worker::{commands, tell};
use crate::{COUNTED as ALLOCATOR, machine};

/// The protocols of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One protocol, whose channels are driven by commands.
    Lend,
    /// The same protocol, but silent peers are not disconnected.
    Patient,
    /// For strangers: one protocol driven by commands, and one that is read.
    Visited,
    /// Two protocols that are read.
    Serve,
    /// Two protocols, of which only one is read.
    Neglect,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "lend" => Ok(Self::Lend),
            "patient" => Ok(Self::Patient),
            "visited" => Ok(Self::Visited),
            "serve" => Ok(Self::Serve),
            "neglect" => Ok(Self::Neglect),
            _ => Err(word.to_owned()),
        }
    }
}

/// The pause between round trips of a peer that is not busy.
const BEAT: Duration = Duration::from_millis(1);

/// A duration longer than any measurement.
const FOREVER: Duration = Duration::from_secs(3600);

struct Node {
    lent: mpsc::Receiver<ProtocolConn>,
    conns: Vec<ProtocolConn>,
}

#[tokio::main]
pub(crate) async fn run(mode: Mode) {
    let (load, lent) = lent(LOAD);
    let builder = Server::builder(SecretKey::generate())
        .listen("127.0.0.1:0".parse().expect("an address"))
        .configure(|config| config.with_max_peers(20_000).with_max_pending(256));
    let builder = match mode {
        Mode::Lend => builder.protocol(load),
        Mode::Patient => {
            let patient = PeerConfig::default().with_ping_interval(FOREVER);
            builder
                .protocol(load)
                .configure(|config| config.with_peer(patient))
        }
        Mode::Visited => builder.protocol(load).protocol(served(ASIDE)),
        Mode::Serve => builder.protocol(served(LOAD)).protocol(served(ASIDE)),
        Mode::Neglect => builder.protocol(served(LOAD)).protocol(ignored(ASIDE)),
    };
    let server = builder.start().await.expect("a free port");
    tell(&server.enode().to_string());
    let conns = Vec::new();
    let mut node = Node { lent, conns };
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        // Nothing else runs in this process's main task, so the blocking read does no harm.
        let numbers = node.obey(&words).await;
        let numbers: Vec<_> = numbers.iter().map(f64::to_string).collect();
        tell(&numbers.join(" "));
    }
}

impl Node {
    async fn obey(&mut self, words: &[&str]) -> Vec<f64> {
        let number = |at: usize| -> usize { words[at].parse().expect("a number") };
        match words {
            ["peers", _] => {
                while self.conns.len() < number(1) {
                    self.conns
                        .push(self.lent.recv().await.expect("the server lives"));
                }
                vec![]
            }
            ["settle", _] => {
                sleep(Duration::from_secs(number(1) as u64)).await;
                vec![]
            }
            ["send", _, _] => self.send(number(1), number(2)).await,
            ["echo", _, _] => self.echo(number(1), number(2), Duration::ZERO).await,
            ["beat", _, _] => self.echo(number(1), number(2), BEAT).await,
            ["live"] => {
                let stats = ALLOCATOR.stats();
                vec![stats.bytes_allocated as f64 - stats.bytes_deallocated as f64]
            }
            other => panic!("not a command of a node: {other:?}"),
        }
    }

    /// Sends `total` messages, the same number to every peer; each peer returns its last one.
    /// Returns the number of messages, and the duration and the node's CPU time, both in seconds.
    async fn send(&mut self, total: usize, size: usize) -> Vec<f64> {
        let each = (total / self.conns.len()).max(1);
        let (counted, last) = (message(COUNTED, size), message(RETURNED, size));
        let (started, cpu) = (Instant::now(), machine::cpu_seconds(std::process::id()));
        let sending = self.conns.drain(..).map(|mut conn| {
            let (counted, last) = (counted.clone(), last.clone());
            tokio::spawn(async move {
                for _ in 1..each {
                    conn.send(&counted).await.expect("the peer lives");
                }
                conn.send(&last).await.expect("the peer lives");
                returned(&mut conn).await;
                conn
            })
        });
        let sending: Vec<_> = sending.collect();
        let conns = try_join_all(sending).await.expect("no task panics");
        let seconds = started.elapsed().as_secs_f64();
        let cpu = machine::cpu_seconds(std::process::id()) - cpu;
        self.conns = conns;
        vec![(each * self.conns.len()) as f64, seconds, cpu]
    }

    /// Makes round trips with the newest peer, with pauses.
    async fn echo(&mut self, count: usize, size: usize, pause: Duration) -> Vec<f64> {
        let conn = self.conns.last_mut().expect("a peer");
        round_trips(conn, count, size, pause).await.to_vec()
    }
}
