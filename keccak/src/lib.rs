//! A Keccak-256 that goes on absorbing whenever its digest is looked at, made for the MACs of
//! [RLPx](https://github.com/ethereum/devp2p/blob/master/rlpx.md): Keccak with capacity 512 and the
//! original padding, not that of the later SHA3-256 standard.
//!
//! A digest is one permutation of a copy of the state. What is absorbed afterwards doesn't depend
//! on it, so [`Keccak256::digest_and_update`] and [`Keccak256::digest_update_digest`] run the
//! permutations of both at once: where the processor has AVX-512VL, two states cost little more
//! than one, and with AVX2 less than two. Which instructions there are is found out at run time.
//!
//! This crate exists to hold the little `unsafe` that it takes to call code compiled for
//! instructions which not every processor has.

mod backend;
mod state;

pub use state::Keccak256;
