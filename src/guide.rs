//! Chapters, each with programs that are compiled and run with the tests.

#[doc = include_str!("../docs/protocols.md")]
pub mod protocols {}

#[doc = include_str!("../docs/json.md")]
pub mod json {}

#[doc = include_str!("../docs/reach.md")]
pub mod reach {}

#[doc = include_str!("../docs/operating.md")]
pub mod operating {}

#[doc = include_str!("../docs/metrics.md")]
pub mod metrics {}

#[cfg(all(feature = "discv4", feature = "discv5"))]
#[doc = include_str!("../docs/discovery.md")]
pub mod discovery {}

#[cfg(feature = "comm")]
#[doc = include_str!("../docs/comm.md")]
pub mod comm {}
