//! The cost of a handshake, and of sealing and opening messages of different sizes.
//!
//! `cargo bench --bench rlpx`
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to, and its macros write undocumented items"
)]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peermux::node::SecretKey;
use peermux::rlpx::{
    AuthReceived, HandshakeRandomness, Initiator, Legacy, Opened, Recipient, Session, Step,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SIZES: [usize; 5] = [16, 256, 1024, 32 * 1024, 1024 * 1024];

/// The bytes of frames in a batch. The number is large, so that the clock is read rarely.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

struct Nodes {
    dialler: SecretKey,
    listener: SecretKey,
    rng: StdRng,
}

impl Nodes {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        Self {
            dialler: SecretKey::random(&mut rng),
            listener: SecretKey::random(&mut rng),
            rng,
        }
    }

    fn initiator(&mut self) -> (Initiator, BytesMut) {
        let randomness = HandshakeRandomness::random(&mut self.rng);
        let remote = self.listener.public_key();
        let (initiator, auth) = Initiator::new(&self.dialler, &remote, randomness).unwrap();
        (initiator, auth.into())
    }

    fn received(&self, auth: &mut BytesMut) -> AuthReceived {
        done(
            Recipient::new(&self.listener, Legacy::Refuse)
                .read_auth(auth)
                .unwrap(),
        )
    }

    fn answer(&mut self, auth: &mut BytesMut) -> (BytesMut, Session) {
        let received = self.received(auth);
        let randomness = HandshakeRandomness::random(&mut self.rng);
        let (ack, session) = received.answer(randomness).unwrap();
        (ack.into(), session)
    }

    fn sessions(&mut self) -> (Session, Session) {
        let (initiator, mut auth) = self.initiator();
        let (mut ack, recipient) = self.answer(&mut auth);
        (done(initiator.read_ack(&mut ack).unwrap()), recipient)
    }
}

fn done<S, T>(step: Step<S, T>) -> T {
    match step {
        Step::Done(result) => result,
        Step::NeedMore { .. } => panic!("packet is not complete"),
    }
}

fn handshake(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    let mut nodes = Nodes::new();
    group.bench_function("initiator_auth", |b| {
        b.iter(|| black_box(nodes.initiator()));
    });
    let (_, auth) = nodes.initiator();
    group.bench_function("recipient", |b| {
        b.iter_batched(
            || auth.clone(),
            |mut auth| black_box(nodes.answer(&mut auth)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("initiator_ack", |b| {
        b.iter_batched(
            || {
                let (initiator, mut auth) = nodes.initiator();
                (initiator, nodes.answer(&mut auth).0)
            },
            |(initiator, mut ack)| black_box(done(initiator.read_ack(&mut ack).unwrap())),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("both_sides", |b| b.iter(|| black_box(nodes.sessions())));
    group.finish();
}

/// Returns data, half noise and half repetition, so that Snappy has something to compress.
fn payload(size: usize) -> Vec<u8> {
    let mut data = vec![0; size];
    StdRng::seed_from_u64(3).fill_bytes(&mut data);
    for block in data.chunks_mut(128) {
        let half = block.len() / 2;
        block[half..].fill(7);
    }
    data
}

fn seal(c: &mut Criterion) {
    for snappy in [false, true] {
        let mut group = c.benchmark_group(if snappy { "seal_snappy" } else { "seal" });
        for size in SIZES {
            let data = payload(size);
            let mut egress = Nodes::new().sessions().0.egress;
            egress.set_snappy(snappy);
            let mut out = BytesMut::with_capacity(2 * size + 4096);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter(|| {
                    out.clear();
                    egress.seal(16, black_box(&data), &mut out).unwrap();
                    black_box(&out);
                });
            });
        }
        group.finish();
    }
}

fn open(c: &mut Criterion) {
    for snappy in [false, true] {
        let mut group = c.benchmark_group(if snappy { "open_snappy" } else { "open" });
        for size in SIZES {
            let data = payload(size);
            let (initiator, recipient) = Nodes::new().sessions();
            let (mut egress, mut ingress) = (initiator.egress, recipient.ingress);
            egress.set_snappy(snappy);
            ingress.set_snappy(snappy);
            ingress.set_max_frame_size(usize::MAX);
            let batch = (BATCH_BYTES / size).clamp(1, 4096) as u64;
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                // Each frame can be opened only once. So a batch is sealed first, and the sealing
                // is not timed.
                b.iter_custom(|iterations| {
                    let mut elapsed = std::time::Duration::ZERO;
                    let mut left = iterations;
                    let mut wire = Vec::new();
                    while left > 0 {
                        let frames = left.min(batch);
                        wire.clear();
                        wire.resize_with(frames as usize, || {
                            let mut frame = BytesMut::new();
                            egress.seal(16, &data, &mut frame).unwrap();
                            frame
                        });
                        elapsed += time(|| {
                            for frame in &mut wire {
                                let Ok(Opened::Frame { frame, .. }) = ingress.open(frame) else {
                                    panic!("frame was refused");
                                };
                                black_box(frame.payload(size).unwrap());
                            }
                        });
                        left -= frames;
                    }
                    elapsed
                });
            });
        }
        group.finish();
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn time(work: impl FnOnce()) -> std::time::Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

criterion_group!(benches, handshake, seal, open);
criterion_main!(benches);
