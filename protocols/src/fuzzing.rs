//! Bodies of the fuzz targets, in the way of [`peermux::fuzzing`].

use peermux::fuzzing::Body;

pub use crate::gossip::fuzzing::gossip;

/// All targets, under the names of their binaries and of the folders with their kept inputs.
pub const TARGETS: &[(&str, Body)] = &[("gossip", gossip)];
