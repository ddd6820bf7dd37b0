//! A running Keccak-256: it returns digests at any time and goes on absorbing.
//!
//! Made for the MACs of [RLPx](https://github.com/ethereum/devp2p/blob/master/rlpx.md). It is
//! Keccak with capacity 512 and the original padding, not that of the later SHA3-256 standard.
//!
//! A digest is one permutation of a copy of the state. Later input does not depend on it, so
//! [`Keccak256::digest_and_update`] and [`Keccak256::digest_update_digest`] run both permutations
//! at once. With AVX-512VL two states cost little more than one, and with AVX2 less than two. The
//! instructions of the processor are detected at run time.
//!
//! This crate contains the `unsafe` calls of code that is compiled for instructions which not every
//! processor has.

mod backend;
mod state;

pub use state::Keccak256;
