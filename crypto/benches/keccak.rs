//! Compares this crate with crates that compute digests one after the other.
//!
//! The benchmarks measure one and two permutations, long messages, and the MAC of RLPx frames.
//! `cargo bench -p peermux-crypto` runs them on the backend for this processor.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peermux_crypto::Keccak256;

/// A running state, which all crates provide.
trait Running: Clone {
    fn new() -> Self;
    fn update(&mut self, data: &[u8]);
    fn digest(&self) -> [u8; 32];

    fn digest_update_digest(&mut self, data: &[u8]) -> ([u8; 32], [u8; 32]) {
        let before = self.digest();
        self.update(data);
        (before, self.digest())
    }
}

impl Running for Keccak256 {
    fn new() -> Self {
        Self::new()
    }

    fn update(&mut self, data: &[u8]) {
        self.update(data);
    }

    fn digest(&self) -> [u8; 32] {
        self.digest()
    }

    fn digest_update_digest(&mut self, data: &[u8]) -> ([u8; 32], [u8; 32]) {
        self.digest_update_digest(data)
    }
}

/// This crate, with digests computed one after the other.
#[derive(Clone)]
struct Separate(Keccak256);

impl Running for Separate {
    fn new() -> Self {
        Self(Keccak256::new())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn digest(&self) -> [u8; 32] {
        self.0.digest()
    }
}

impl Running for sha3::Keccak256 {
    fn new() -> Self {
        sha3::Digest::new()
    }

    fn update(&mut self, data: &[u8]) {
        sha3::Digest::update(self, data);
    }

    fn digest(&self) -> [u8; 32] {
        sha3::Digest::finalize(self.clone()).into()
    }
}

#[cfg(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    any(unix, windows)
))]
impl Running for keccak_asm::Keccak256 {
    fn new() -> Self {
        keccak_asm::Digest::new()
    }

    fn update(&mut self, data: &[u8]) {
        keccak_asm::Digest::update(self, data);
    }

    fn digest(&self) -> [u8; 32] {
        keccak_asm::Digest::finalize(self.clone()).into()
    }
}

/// Measures one digest, and two digests at once.
fn digests<S: Running>(c: &mut Criterion, name: &str) {
    let mut state = S::new();
    state.update(&[7; 48]);
    c.bench_function(&format!("digest/{name}"), |b| {
        b.iter(|| black_box(&state).digest());
    });
    c.bench_function(&format!("two digests/{name}"), |b| {
        b.iter(|| state.digest_update_digest(black_box(&[])));
    });
}

/// Measures the throughput for a long message.
fn absorb<S: Running>(c: &mut Criterion, name: &str) {
    let data = vec![7; 32 * 1024];
    let mut group = c.benchmark_group("absorb 32 KiB");
    group.throughput(Throughput::Bytes(data.len() as u64));
    let mut state = S::new();
    group.bench_function(name, |b| b.iter(|| state.update(black_box(&data))));
}

/// Measures the three digests of an RLPx frame, without the encryption of the seeds.
///
/// The digests are taken after the header's seed, after the body, and after the body's seed.
fn frame<S: Running>(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group("frame");
    for length in [16, 256, 1024] {
        let body = vec![7; length];
        let mut state = S::new();
        let mut seed = [0; 16];
        group.bench_function(BenchmarkId::new(name, length), |b| {
            b.iter(|| {
                state.update(&seed);
                let (header, seed_of_body) = state.digest_update_digest(black_box(&body));
                state.update(&seed_of_body[..16]);
                seed.copy_from_slice(&state.digest()[..16]);
                header
            });
        });
    }
}

fn all<S: Running>(c: &mut Criterion, name: &str) {
    digests::<S>(c, name);
    absorb::<S>(c, name);
    frame::<S>(c, name);
}

fn keccak(c: &mut Criterion) {
    all::<Keccak256>(c, "peermux-crypto");
    all::<Separate>(c, "peermux-crypto, one by one");
    #[cfg(all(
        any(target_arch = "x86_64", target_arch = "aarch64"),
        target_pointer_width = "64",
        any(unix, windows)
    ))]
    all::<keccak_asm::Keccak256>(c, "keccak-asm");
    all::<sha3::Keccak256>(c, "sha3");
}

criterion_group!(benches, keccak);
criterion_main!(benches);
