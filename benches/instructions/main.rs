//! Counts the instructions of the hot paths under callgrind.
//!
//! The count hardly depends on the machine's load, which is why continuous integration can compare
//! two revisions.
//!
//!     .ci/instructions [REVISION]
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to, and its macros write undocumented items"
)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use gungraun::prelude::*;
use peermux::node::SecretKey;
use peermux::rlpx::{
    Egress, HandshakeRandomness, Ingress, Initiator, Legacy, Opened, Recipient, Session, Step,
};
use peermux::testing::{self, Settings};
use peermux::{Message, PeerConfig, Protocol, ProtocolConn, WireMessage, messages};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// The number of messages per benchmark, high enough that one-time costs do not matter.
const MESSAGES: usize = 100;

/// The number of messages queued before the receiver reads them. A protocol's bounds allow this
/// many.
const BURST: usize = 50;

/// Returns data that does not compress, since the data of large messages usually does not.
fn payload(size: usize) -> Vec<u8> {
    let mut data = vec![0; size];
    StdRng::seed_from_u64(3).fill_bytes(&mut data);
    data
}

fn done<S, T>(step: Step<S, T>) -> T {
    match step {
        Step::Done(result) => result,
        Step::NeedMore { .. } => unreachable!("the packet is whole"),
    }
}

/// Returns both sides of a connection, always with the same keys.
fn sessions() -> (Session, Session) {
    let mut rng = StdRng::seed_from_u64(7);
    let (near, far) = (SecretKey::random(&mut rng), SecretKey::random(&mut rng));
    let randomness = HandshakeRandomness::random(&mut rng);
    let (initiator, auth) = Initiator::new(&near, &far.public_key(), randomness).unwrap();
    let recipient = Recipient::new(&far, Legacy::Refuse);
    let received = done(recipient.read_auth(&mut BytesMut::from(&auth[..])).unwrap());
    let answer = received.answer(HandshakeRandomness::random(&mut rng));
    let (ack, theirs) = answer.unwrap();
    let ours = initiator.read_ack(&mut BytesMut::from(&ack[..])).unwrap();
    (done(ours), theirs)
}

struct Sealing {
    egress: Egress,
    payload: Vec<u8>,
    out: BytesMut,
}

fn sealing(size: usize) -> Sealing {
    let mut egress = sessions().0.egress;
    egress.set_snappy(true);
    Sealing {
        egress,
        payload: payload(size),
        out: BytesMut::with_capacity(2 * size + 4096),
    }
}

#[library_benchmark]
#[bench::b16(sealing(16))]
#[bench::k1(sealing(1 << 10))]
#[bench::k32(sealing(32 << 10))]
fn seal(mut sealing: Sealing) -> Sealing {
    for _ in 0..MESSAGES {
        sealing.out.clear();
        let Sealing {
            egress,
            payload,
            out,
        } = &mut sealing;
        egress.seal(16, black_box(payload), out).unwrap();
    }
    sealing
}

struct Opening {
    ingress: Ingress,
    frames: Vec<BytesMut>,
    size: usize,
}

fn opening(size: usize) -> Opening {
    let (ours, theirs) = sessions();
    let (mut egress, mut ingress) = (ours.egress, theirs.ingress);
    egress.set_snappy(true);
    ingress.set_snappy(true);
    ingress.set_max_frame_size(usize::MAX);
    let payload = payload(size);
    let frame = |_| {
        let mut frame = BytesMut::new();
        egress.seal(16, &payload, &mut frame).unwrap();
        frame
    };
    Opening {
        ingress,
        frames: (0..MESSAGES).map(frame).collect(),
        size,
    }
}

#[library_benchmark]
#[bench::b16(opening(16))]
#[bench::k1(opening(1 << 10))]
#[bench::k32(opening(32 << 10))]
fn open(mut opening: Opening) -> Opening {
    for frame in &mut opening.frames {
        let opened = opening.ingress.open(frame).unwrap();
        let Opened::Frame { frame, .. } = opened else {
            unreachable!("the frame is whole");
        };
        black_box(frame.payload(opening.size).unwrap());
    }
    opening
}

/// Both ends of a protocol, driven by one thread.
struct Ends {
    runtime: Runtime,
    near: ProtocolConn,
    far: ProtocolConn,
    message: Message,
}

impl Ends {
    fn new(size: usize, connect: impl AsyncFnOnce() -> (ProtocolConn, ProtocolConn)) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (near, far) = runtime.block_on(connect());
        let message = Message::new(0, Bytes::from(payload(size)));
        let mut ends = Self {
            runtime,
            near,
            far,
            message,
        };
        // Run once, to let buffers grow first.
        ends.transfer();
        ends
    }

    fn transfer(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..MESSAGES / BURST {
                for _ in 0..BURST {
                    self.near.send(&self.message).await.unwrap();
                }
                for _ in 0..BURST {
                    black_box(self.far.recv().await.unwrap().unwrap());
                }
            }
        });
    }
}

/// Measures the bounded queue of a protocol alone.
fn queued(size: usize) -> Ends {
    Ends::new(size, async || ProtocolConn::pair())
}

/// Two peers over a stream in memory.
///
/// This includes the write gate, sealing, opening and dispatch to one of four protocols.
fn peers(size: usize) -> Ends {
    connected(size, PeerConfig::default())
}

/// The same as [`peers`], without the flight recorder.
fn unrecorded(size: usize) -> Ends {
    connected(size, PeerConfig::default().with_recording(false))
}

fn connected(size: usize, config: PeerConfig) -> Ends {
    #[cfg(feature = "metrics")]
    metrics_exporter_prometheus::PrometheusBuilder::new()
        .install_recorder()
        .unwrap();
    Ends::new(size, async || {
        let ((left, mut lefts), (right, mut rights)) = (protocols(), protocols());
        let with = |protocols: Vec<Protocol>| Settings::from(protocols).with_config(config.clone());
        testing::connect(with(left), with(right)).await.unwrap();
        let near = lefts.recv().await.unwrap();
        (near, rights.recv().await.unwrap())
    })
}

/// Returns four protocols; the test drives the channel of the last one.
fn protocols() -> (Vec<Protocol>, mpsc::Receiver<ProtocolConn>) {
    let (lend, lent) = mpsc::channel(1);
    let protocol = |name: &'static str| {
        let lend = (name == "d").then(|| lend.clone());
        Protocol::builder(name, 1, 8).run(move |peer, conn| {
            let lend = lend.clone();
            async move {
                let _kept = match lend {
                    Some(lend) => lend.try_send(conn).err(),
                    None => None,
                };
                peer.ending().await;
                Ok(())
            }
        })
    };
    (["a", "b", "c", "d"].map(protocol).into(), lent)
}

#[library_benchmark]
#[bench::b16(queued(16))]
fn queue(mut ends: Ends) -> Ends {
    ends.transfer();
    ends
}

#[library_benchmark]
#[bench::b16(peers(16))]
#[bench::k1(peers(1 << 10))]
fn gate_and_dispatch(mut ends: Ends) -> Ends {
    ends.transfer();
    ends
}

#[library_benchmark]
#[bench::b16(unrecorded(16))]
#[bench::k1(unrecorded(1 << 10))]
fn without_recording(mut ends: Ends) -> Ends {
    ends.transfer();
    ends
}

messages! {
    enum Typed, length = 2 {
        0x00 => Chunk { number: u64, data: Bytes },
        0x01 => Line { number: u64, time: u64, author: String, text: String },
    }
}

fn chunk(size: usize) -> Typed {
    Typed::Chunk {
        number: 1 << 20,
        data: Bytes::from(payload(size)),
    }
}

fn line() -> Typed {
    Typed::Line {
        number: 7,
        time: 1 << 40,
        author: "somebody".to_owned(),
        text: "what is said".repeat(5),
    }
}

#[library_benchmark]
#[bench::chunk_b16(chunk(16))]
#[bench::chunk_k32(chunk(32 << 10))]
#[bench::line(line())]
fn encode_and_decode(message: Typed) -> Typed {
    for _ in 0..MESSAGES {
        let payload = black_box(&message).to_payload(None);
        let _ = black_box(Typed::decode(Message::new(message.code(), payload)));
    }
    message
}

library_benchmark_group!(name = frames, benchmarks = [seal, open]);
library_benchmark_group!(name = messages, benchmarks = [queue, encode_and_decode]);
library_benchmark_group!(
    name = connections,
    compare_by_id = true,
    benchmarks = [gate_and_dispatch, without_recording]
);
main!(library_benchmark_groups = [frames, messages, connections]);
