//! `peermux demo`: a tour with three nodes over TCP on loopback.

mod nodes;
mod protocols;
mod report;

use std::time::Duration;

use peermux::Peer;
use peermux_protocols::{ClientError, echo};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::node;
use crate::output::{Output, micros};
use nodes::{Node, Nodes};
use report::{Done, Dropped, Matched, NodeReport, SlowReport, Throughput};

/// How many round trips are made to find a median.
const ROUND_TRIPS: u64 = 200;
/// The measured message sizes in bytes, each with the number of messages to send.
const SINKS: [(usize, u64); 3] = [(256, 16_384), (1 << 10, 16_384), (32 << 10, 512)];
/// The time limit of each step of the demo.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(out: &Output, interrupted: &CancellationToken) -> Result<(), Failure> {
    let mut nodes = Nodes::start().await?;
    let result = tokio::select! {
        // Check the result first: if it is ready, an interrupt no longer matters.
        biased;
        result = tour(&mut nodes, out) => result.map(|()| true),
        () = interrupted.cancelled() => Ok(false),
    };
    nodes.shut_down().await;
    if result? {
        out.tell(&Done { ok: true })
    } else {
        Ok(())
    }
}

async fn tour(nodes: &mut Nodes, out: &Output) -> Result<(), Failure> {
    out.remark("1. Three nodes, each with protocols of its own");
    for node in nodes.all() {
        out.tell(&NodeReport::of(node))?;
    }

    out.remark("\n2. Each pair agrees on what both speak, in the highest version of each name");
    let bob = nodes.alice.dial(&nodes.bob).await?;
    let carol = nodes.alice.dial(&nodes.carol).await?;
    for (name, peer) in [("bob", &bob), ("carol", &carol)] {
        out.tell(&Matched::new("alice", name, peer))?;
    }

    out.remark("\n3. Messages find their protocol, in its version");
    for _ in 0..nodes::GREETINGS {
        let message = timeout(PATIENCE, nodes.messages.recv()).await;
        match message.map_err(|_| late("a greeting"))? {
            Some(message) => out.tell(&message)?,
            None => break,
        }
    }

    out.remark("\n4. Throughput and round trips from alice to bob, every message verified");
    measure(&nodes.alice, &bob, out).await?;

    out.remark(
        "\n5. bob's handler of slow/1 reads nothing: the other protocols go on until its queue is full",
    );
    slow_protocol(nodes, &bob, out).await?;

    out.remark("\n6. alice quits, and sends her peers a Disconnect");
    goodbye(nodes, out).await
}

async fn goodbye(nodes: &mut Nodes, out: &Output) -> Result<(), Failure> {
    node::shut_down(&nodes.alice.server).await;
    let dropped = timeout(PATIENCE, nodes.carol.next_drop()).await;
    match dropped.map_err(|_| late("the end"))? {
        Some((peer, outcome)) => out.tell(&Dropped::new("carol", nodes.name_of(&peer), &outcome)),
        None => Ok(()),
    }
}

async fn measure(alice: &Node, bob: &Peer, out: &Output) -> Result<(), Failure> {
    let client = alice.bench.client(bob).await.map_err(Failure::because)?;
    for (size, count) in SINKS {
        let measured = client.sink(count, size).await.map_err(Failure::because)?;
        out.tell(&Throughput::new("sink", &measured))?;
    }
    let measured = client
        .source(512, 32 << 10)
        .await
        .map_err(Failure::because)?;
    out.tell(&Throughput::new("source", &measured))?;
    let measured = client
        .echo(ROUND_TRIPS, 32)
        .await
        .map_err(Failure::because)?;
    out.tell(&Throughput::new("echo", &measured))
}

async fn slow_protocol(nodes: &mut Nodes, bob: &Peer, out: &Output) -> Result<(), Failure> {
    let client = nodes
        .alice
        .echo
        .client(bob)
        .await
        .map_err(Failure::because)?;
    let before = median(&client).await.map_err(Failure::because)?;
    let slow = timeout(PATIENCE, nodes.slow.recv()).await;
    let slow = slow
        .map_err(|_| late("slow/1"))?
        .ok_or_else(|| late("slow/1"))?;
    for _ in 0..nodes::SLOW_QUEUE {
        slow.send(&protocols::Slow::Ignored)
            .await
            .map_err(Failure::because)?;
    }
    let beside = median(&client).await.map_err(Failure::because)?;
    out.tell(&SlowReport {
        queued: nodes::SLOW_QUEUE,
        p50_before_us: micros(before),
        p50_beside_us: micros(beside),
    })?;
    out.remark(
        "   one more does not fit: the connection waits, and ends when bob's limit is reached",
    );
    slow.send(&protocols::Slow::Ignored)
        .await
        .map_err(Failure::because)?;
    let dropped = timeout(PATIENCE, nodes.bob.next_drop()).await;
    match dropped.map_err(|_| late("the end of slow/1"))? {
        Some((peer, outcome)) => out.tell(&Dropped::new("bob", nodes.name_of(&peer), &outcome)),
        None => Ok(()),
    }
}

/// Returns the median of some round trips.
async fn median(client: &echo::Client) -> Result<Duration, ClientError> {
    let mut round_trips = Vec::with_capacity(ROUND_TRIPS as usize);
    for _ in 0..ROUND_TRIPS {
        round_trips.push(client.round_trip("are you there?").await?);
    }
    round_trips.sort_unstable();
    let median = round_trips.get(round_trips.len() / 2);
    Ok(median.copied().unwrap_or_default())
}

fn late(what: &str) -> Failure {
    Failure::because(format!("{what} did not come within {PATIENCE:?}"))
}
