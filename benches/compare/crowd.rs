//! Many peers that send to one node concurrently.
//!
//! The peers are always peermux, whichever implementation the node is.

use std::time::Duration;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use peermux::{Enode, Peer, SecretKey, Server};
use peermux_protocols::bench::{Bench, Client, Config};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};

use crate::figures::{Figures, Section, Unit};
use crate::kind::{Kind, Served};
use crate::options::Options;

const PEERS: [usize; 4] = [1, 10, 100, 1000];
const SIZE: usize = 1 << 10;

/// The number of connects that are made concurrently.
const CONNECTING: usize = 8;

/// The peers of one node.
pub(crate) struct Crowd {
    runtime: Runtime,
    enode: Enode,
    members: Vec<Member>,
}

struct Member {
    client: Client,
    peer: Peer,
    _server: Server,
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

impl Crowd {
    pub(crate) fn of(node: &Served) -> Self {
        let runtime = Builder::new_multi_thread().enable_all().build();
        Self {
            runtime: runtime.expect("a runtime"),
            enode: node.enode.parse().expect("an enode URL"),
            members: Vec::new(),
        }
    }

    /// Connects more peers until there are `peers`.
    pub(crate) fn grow(&mut self, peers: usize) -> Result<(), Problem> {
        let missing = self.members.len()..peers;
        let joining = stream::iter(missing).map(|_| join(&self.enode));
        let joined = joining.buffer_unordered(CONNECTING).try_collect::<Vec<_>>();
        self.members.extend(self.runtime.block_on(joined)?);
        Ok(())
    }

    /// Idles for a while.
    pub(crate) fn wait(&self, time: Duration) {
        self.runtime.block_on(async { sleep(time).await });
    }

    /// Sends `count` messages from all peers in total. Returns the exact number of messages sent,
    /// and the seconds that this took.
    fn send(&self, count: u64) -> Result<(u64, f64), Problem> {
        let each = (count / self.members.len() as u64).max(1);
        let started = Instant::now();
        let sending = self.members.iter().map(|member| member.send(each));
        self.runtime.block_on(try_join_all(sending))?;
        let seconds = started.elapsed().as_secs_f64();
        Ok((each * self.members.len() as u64, seconds))
    }
}

impl Member {
    async fn send(&self, count: u64) -> Result<(), Problem> {
        let Err(error) = self.client.sink(count, SIZE).await else {
            return Ok(());
        };
        match self.peer.outcome() {
            Some(outcome) => Err(format!("{error}: {}", outcome.error).into()),
            None => Err(error.into()),
        }
    }
}

async fn join(enode: &Enode) -> Result<Member, Problem> {
    let bench = Bench::new(Config::default());
    let server = Server::builder(SecretKey::generate()).protocol(bench.clone());
    let server = server.start().await?;
    let peer = server.dial(enode).await?;
    Ok(Member {
        client: bench.client(&peer).await?,
        peer,
        _server: server,
    })
}

/// A node, its peers, and the number of messages in one measurement.
struct Scene {
    kind: Kind,
    crowd: Crowd,
    node: Served,
    count: u64,
}

/// Measures nodes of each kind with increasing numbers of peers.
pub(crate) fn measure(options: &Options, kinds: &[Kind], figures: &mut Figures) {
    let mut scenes: Vec<Scene> = Vec::new();
    for peers in PEERS {
        let wanted = |kind: Kind| options.wants(&format!("peers/{peers}/{}", kind.id()));
        for &kind in kinds.iter().filter(|kind| wanted(**kind)) {
            if !scenes.iter().any(|scene| scene.kind == kind) {
                let node = kind.serve();
                scenes.push(Scene {
                    kind,
                    crowd: Crowd::of(&node),
                    node,
                    count: 1000,
                });
            }
        }
        scenes.retain_mut(|scene| match prepare(options, scene, peers) {
            Ok(()) => true,
            Err(why) => {
                eprintln!(
                    "{} with {peers} peers is left out: {why}",
                    scene.kind.name()
                );
                false
            }
        });
        for repetition in 1..=options.repetitions() {
            for scene in scenes.iter().filter(|scene| wanted(scene.kind)) {
                eprintln!("{repetition} {peers} peers of {}", scene.kind.name());
                if let Err(why) = once(scene, peers, figures) {
                    eprintln!("failed: {why}");
                }
            }
        }
    }
}

fn prepare(options: &Options, scene: &mut Scene, peers: usize) -> Result<(), Problem> {
    scene.crowd.grow(peers)?;
    loop {
        let (sent, seconds) = scene.crowd.send(scene.count)?;
        match options.calibrate(sent, seconds) {
            Ok(count) => {
                scene.count = count;
                return Ok(());
            }
            Err(more) => scene.count = more,
        }
    }
}

fn once(scene: &Scene, peers: usize, figures: &mut Figures) -> Result<(), Problem> {
    let before = scene.node.process.cpu_seconds();
    let (sent, seconds) = scene.crowd.send(scene.count)?;
    let after = scene.node.process.cpu_seconds();
    let (row, name) = (format!("{peers} peers"), scene.kind.name());
    let rate = sent as f64 / seconds.max(1e-9);
    figures.add(
        Section::Peers,
        row.clone(),
        Unit::MessagesPerSecond,
        name,
        rate,
    );
    if let Some((after, before)) = after.zip(before) {
        let each = (after - before) * 1e6 / sent as f64;
        let row = format!("{row}, CPU of the node a message");
        figures.add(Section::Peers, row, Unit::Microseconds, name, each);
    }
    Ok(())
}
