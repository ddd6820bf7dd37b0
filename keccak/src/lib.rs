//! A running Keccak-256: it returns digests at any time and continues to absorb.
//!
//! The crate is made for the MACs of
//! [RLPx](https://github.com/ethereum/devp2p/blob/master/rlpx.md). It implements Keccak with
//! capacity 512 and the original padding, not that of the later SHA3-256 standard.
//!
//! A digest is one permutation of a copy of the state. The state after later input does not depend
//! on that digest, so [`Keccak256::digest_and_update`] and [`Keccak256::digest_update_digest`] run
//! both permutations at once. With AVX-512VL two states cost little more than one, and with AVX2
//! less than two. The processor's instructions are detected at run time.
//!
//! This crate contains the `unsafe` calls of code that is compiled for instructions not available
//! on every processor.

mod backend;
mod state;

pub use state::Keccak256;
