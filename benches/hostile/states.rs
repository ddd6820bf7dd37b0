//! The memory of one connection in each of its states.

use std::any::Any;

use bytes::BytesMut;
use peermux::setup::initiate;
use peermux::{Enode, SecretKey};
use tokio::io::AsyncWriteExt;
use tokio_util::codec::Encoder;

use crate::connect::{capabilities, open, source};
use crate::greet::{Problem, address_of, greet};
use crate::machine;
use crate::messages::{ask, half_an_auth, many_capabilities, noise};
use crate::report::Report;
use crate::worker::Worker;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// How much of a message has arrived in the state "receiving", in bytes.
const ARRIVED: usize = MIB;

struct State {
    name: &'static str,
    connections: usize,
    seats: usize,
    /// The bound for one connection, in bytes.
    bound: usize,
}

const fn state(name: &'static str, connections: usize, bound: usize) -> State {
    State {
        name,
        connections,
        seats: 300,
        bound,
    }
}

const STATES: [State; 9] = [
    state("accepted", 50, 16 * KIB),
    state("half an auth", 50, 16 * KIB),
    state("authenticated", 50, 16 * KIB),
    State {
        seats: 0,
        ..state("refused", 32, 16 * KIB)
    },
    state("idle", 200, 64 * KIB),
    state("long Hello", 200, 64 * KIB),
    // The buffer doubles as bytes arrive.
    state("receiving", 50, 2 * ARRIVED + 64 * KIB),
    state("sending", 3, 32 * MIB + 64 * KIB),
    // Each of these "connections" is one unread event.
    state("unread events", 1024, KIB),
];

pub(crate) fn measure(report: &mut Report) {
    for state in STATES {
        let mut node = Worker::start(&["node", &state.seats.to_string()]);
        let mut crowd = Worker::start(&["attackers", &node.greeting, "127.0.0.1:9"]);
        if state.name == "unread events" {
            node.ask("subscribe");
        }
        // Allocate in advance what first use allocates.
        crowd.ask(&format!("hold 2 {}", state.name));
        crowd.ask("release");
        node.ask("settle 2");
        let before = (node.ask("live")[0], machine::resident_kib(node.id()));
        crowd.ask(&format!("hold {} {}", state.connections, state.name));
        node.ask("settle 1");
        let after = (node.ask("live")[0], machine::resident_kib(node.id()));
        let connections = state.connections as f64;
        let live = (after.0 - before.0) / connections;
        let resident = (after.1 - before.1) * 1024.0 / connections;
        report.add_state(state.name, live, resident, state.bound as f64);
    }
}

/// Brings a connection into a state.
pub(crate) async fn reach(
    state: &str,
    node: &Enode,
    number: usize,
) -> Result<Box<dyn Any + Send>, Problem> {
    let from = match state {
        // Repeated connections from one address are refused, and each refusal is an event.
        "unread events" => source(1, 1, 0),
        _ => source(1, 199, number),
    };
    let mut stream = open(from, address_of(node)).await?;
    let key = SecretKey::generate();
    match state {
        "accepted" => Ok(Box::new(stream)),
        "unread events" => Ok(Box::new(())),
        "half an auth" => {
            stream.write_all(&half_an_auth(node)).await?;
            Ok(Box::new(stream))
        }
        "authenticated" | "refused" => {
            let authenticated = initiate(stream, &key, node.public_key()).await?;
            Ok(Box::new(authenticated))
        }
        "idle" => Ok(Box::new(greet(stream, node, &key, capabilities()).await?)),
        "long Hello" => Ok(Box::new(
            greet(stream, node, &key, many_capabilities()).await?,
        )),
        "receiving" | "sending" => {
            let mut link = greet(stream, node, &key, capabilities())
                .await?
                .into_framed();
            let (message, part) = match state {
                "sending" => (ask(), usize::MAX),
                _ => (noise(), ARRIVED),
            };
            let mut out = BytesMut::new();
            link.codec_mut().encode(message, &mut out)?;
            link.get_mut()
                .write_all(&out[..part.min(out.len())])
                .await?;
            Ok(Box::new(link))
        }
        other => panic!("not a state: {other}"),
    }
}
