//! The cryptography of every byte on a connection of
//! [RLPx](https://github.com/ethereum/devp2p/blob/master/rlpx.md): AES and a running Keccak-256.
//!
//! This is a crate of its own for two reasons:
//! - The ciphers of the crates `aes` and `ctr` are generic, so they are compiled in the crate that
//!   uses them. In this crate they can be optimised while the rest of a debug build is not.
//! - With the feature `vector`, this crate contains the `unsafe` calls of code that is compiled for
//!   instructions not available on every processor.
//!
//! The feature `vector`, on by default, adds `Keccak256`: Keccak with capacity 512 and the original
//! padding, not that of the later SHA3-256 standard. It returns digests at any time and continues
//! to absorb. A digest is one permutation of a copy of the state. The state after later input does
//! not depend on that digest, so `Keccak256::digest_and_update` and
//! `Keccak256::digest_update_digest` run both permutations at once. With AVX-512VL two states cost
//! little more than one, and with AVX2 less than two. The processor's instructions are detected at
//! run time.

mod aes;
#[cfg(feature = "vector")]
mod backend;
#[cfg(feature = "vector")]
mod state;

pub use aes::{Aes128Ctr, Aes256Block, Aes256Ctr};
#[cfg(feature = "vector")]
pub use state::Keccak256;
