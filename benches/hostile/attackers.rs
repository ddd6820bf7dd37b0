//! The role of the attackers.
//!
//! Each attacker reconnects from a different network and as a different node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use peermux::p2p::{RawMessage, RlpxCodec};
use peermux::rlpx::Legacy;
use peermux::setup::{accept, initiate};
use peermux::{Capability, DisconnectReason, Enode, Hello, SecretKey};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::codec::Encoder;

use crate::attacks::{Attack, How, Talk, all};
use crate::connect::{capabilities, open, source};
use crate::greet::{Problem, address_of, greet};
use crate::pin::pin;
use crate::proof::proof;
use crate::worker::{commands, tell};
use crate::{OTHERS, machine, states};

/// The number of values for the second byte of attackers' addresses.
const NETWORKS: u8 = 199;

/// How long an attacker keeps a socket open after the node has refused it.
const LINGER: Duration = Duration::from_secs(5);

/// The attackers' use of resources.
#[derive(Debug, Default)]
struct Spent {
    bytes: AtomicU64,
    connections: AtomicU64,
}

#[derive(Debug, Clone)]
struct Target {
    node: Enode,
    /// The address of the sink, while the attack goes there instead of to the node.
    sink: Option<SocketAddr>,
    spent: Arc<Spent>,
    next_source: Arc<AtomicUsize>,
}

pub(crate) fn run(enode: &str, sink: &str) {
    pin(OTHERS);
    attack(
        &enode.parse().expect("an enode URL"),
        sink.parse().expect("an address"),
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn attack(node: &Enode, sink: SocketAddr) {
    tell("ready");
    let (next_source, mut running, mut held) = (Arc::<AtomicUsize>::default(), None, Vec::new());
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let numbers = match words.as_slice() {
            ["begin", target, attackers, name @ ..] => {
                let target = Target {
                    node: node.clone(),
                    sink: (*target == "sink").then_some(sink),
                    spent: Arc::default(),
                    next_source: Arc::clone(&next_source),
                };
                let cpu = machine::cpu_seconds(std::process::id());
                let attackers = attackers.parse().expect("a number");
                let tasks = begin(&target, &name.join(" "), attackers);
                running = Some((target, tasks, cpu));
                vec![]
            }
            ["end"] => {
                let (target, mut tasks, cpu) = running.take().expect("begun");
                tasks.shutdown().await;
                let spent = &target.spent;
                let count = |of: &AtomicU64| of.load(Ordering::Relaxed) as f64;
                let cpu = machine::cpu_seconds(std::process::id()) - cpu;
                vec![count(&spent.bytes), count(&spent.connections), cpu]
            }
            ["hold", connections, state @ ..] => {
                let connections: usize = connections.parse().expect("a number");
                for _ in 0..connections {
                    let number = next_source.fetch_add(1, Ordering::Relaxed);
                    let reached = states::reach(&state.join(" "), node, number).await;
                    held.push(reached.unwrap_or_else(|error| panic!("{state:?}: {error}")));
                }
                vec![]
            }
            ["release"] => {
                held.clear();
                vec![]
            }
            other => panic!("not a command of attackers: {other:?}"),
        };
        let numbers: Vec<_> = numbers.iter().map(f64::to_string).collect();
        tell(&numbers.join(" "));
    }
}

fn begin(target: &Target, name: &str, attackers: usize) -> JoinSet<()> {
    let attack = Arc::new(all().find(|attack| attack.name == name).expect("an attack"));
    // The messages are shared between attackers, because the largest have the maximum size of a
    // message.
    let says: Arc<[_]> = attack.messages().into();
    let attacker = |number: usize| {
        let (attack, says, target) = (Arc::clone(&attack), Arc::clone(&says), target.clone());
        async move {
            sleep(Duration::from_millis(number as u64)).await;
            loop {
                // The error is expected: the node closes the connection.
                let _ = once(&attack, &says, &target, number == 0).await;
                sleep(attack.away).await;
            }
        }
    };
    (0..attackers).map(attacker).collect()
}

async fn once(
    attack: &Attack,
    says: &[RawMessage],
    target: &Target,
    is_first: bool,
) -> Result<(), Problem> {
    let number = target.next_source.fetch_add(1, Ordering::Relaxed);
    let from = match attack.how {
        How::Seats => source(1, 1, 0),
        _ => source(1, NETWORKS, number),
    };
    let addr = target.sink.unwrap_or_else(|| address_of(&target.node));
    let mut stream = open(from, addr).await?;
    target.spent.connections.fetch_add(1, Ordering::Relaxed);
    match &attack.how {
        How::Unproven(says) => {
            write(&mut stream, &says(&target.node), target).await?;
            discard(stream).await;
        }
        How::Refused(says) => {
            write(&mut stream, &says(&target.node), target).await?;
            tokio::spawn(async move {
                sleep(LINGER).await;
                drop(stream);
            });
        }
        How::Passing if target.sink.is_some() => drop(sealing(capabilities()).await?),
        How::Passing => {
            let met = greet(stream, &target.node, &SecretKey::generate(), capabilities()).await?;
            met.refuse(DisconnectReason::CLIENT_QUITTING).await;
        }
        How::Seats => {
            let line = Line::open(stream, capabilities(), target).await?;
            discard(line.reader).await;
        }
        How::Peer(talk) if talk.own => {
            line(stream, talk, &(talk.beat)(), is_first, target).await?;
        }
        How::Peer(talk) => line(stream, talk, says, is_first, target).await?,
    }
    Ok(())
}

/// Connects as a peer, and stays until the connection ends.
async fn line(
    stream: TcpStream,
    talk: &Talk,
    says: &[RawMessage],
    is_first: bool,
    target: &Target,
) -> Result<(), Problem> {
    let mut line = Line::open(stream, (talk.capabilities)(), target).await?;
    if let Some(identity) = talk.identity {
        let proof = proof(&*identity(), &line.key, &target.node, &line.binding);
        line.say(&[proof], target).await?;
    }
    let (once, always) = says.split_at(talk.once);
    if is_first {
        line.say(once, target).await?;
    }
    let reading = async {
        if talk.reads {
            discard(line.reader).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let beats = beats(line.codec, line.writer, always, talk, target);
    tokio::select! {
        result = beats => result,
        () = reading => Ok(()),
    }
}

/// A connection, and the codec that seals its messages.
struct Line {
    codec: RlpxCodec,
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    key: SecretKey,
    binding: [u8; 32],
}

impl Line {
    async fn open(
        stream: TcpStream,
        capabilities: Vec<Capability>,
        target: &Target,
    ) -> Result<Self, Problem> {
        let key = SecretKey::generate();
        if target.sink.is_some() {
            let codec = sealing(capabilities).await?;
            let (reader, writer) = stream.into_split();
            return Ok(Self {
                codec,
                reader: Box::new(reader),
                writer: Box::new(writer),
                key,
                binding: [0; 32],
            });
        }
        let met = greet(stream, &target.node, &key, capabilities).await?;
        let binding = *met.channel_binding().as_bytes();
        let parts = met.into_framed().into_parts();
        let (reader, writer) = split(parts.io);
        Ok(Self {
            codec: parts.codec,
            reader: Box::new(reader),
            writer: Box::new(writer),
            key,
            binding,
        })
    }

    async fn say(&mut self, messages: &[RawMessage], target: &Target) -> Result<(), Problem> {
        let mut out = BytesMut::new();
        for message in messages {
            self.codec.encode(message.clone(), &mut out)?;
        }
        write(&mut self.writer, &out, target).await
    }
}

/// Sends the same messages repeatedly until the node closes the connection.
async fn beats(
    mut codec: RlpxCodec,
    mut writer: impl AsyncWrite + Unpin,
    messages: &[RawMessage],
    talk: &Talk,
    target: &Target,
) -> Result<(), Problem> {
    let mut out = BytesMut::new();
    loop {
        if out.is_empty() {
            for message in messages {
                codec.encode(message.clone(), &mut out)?;
            }
        }
        let now = out.split_to(talk.at_once.min(out.len()));
        write(&mut writer, &now, target).await?;
        sleep(talk.pause).await;
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    bytes: &[u8],
    target: &Target,
) -> Result<(), Problem> {
    writer.write_all(bytes).await?;
    let bytes = bytes.len() as u64;
    target.spent.bytes.fetch_add(bytes, Ordering::Relaxed);
    Ok(())
}

async fn discard(mut reader: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(1..) = reader.read(&mut buffer).await {}
}

/// Returns a codec for messages that the sink discards. Making it costs the same handshake as a
/// real connection.
async fn sealing(capabilities: Vec<Capability>) -> Result<RlpxCodec, Problem> {
    let (near, far) = duplex(16 << 10);
    let (key, other) = (SecretKey::generate(), SecretKey::generate());
    let public = other.public_key();
    let hello = Hello::new("hostile", capabilities.clone(), key.public_key());
    let answer = Hello::new("hostile", capabilities, public);
    let dial = async {
        let authenticated = initiate(near, &key, &public).await?;
        authenticated.exchange_hello(&hello).await
    };
    let serve = async {
        let authenticated = accept(far, &other, Legacy::Refuse).await?;
        authenticated.exchange_hello(&answer).await
    };
    let both = async { tokio::join!(dial, serve) };
    let (dialled, served) = timeout(Duration::from_secs(5), both).await?;
    served?;
    Ok(dialled?.into_framed().into_parts().codec)
}
