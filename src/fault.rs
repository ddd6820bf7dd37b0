//! Which side is at fault for an error.

/// The party at fault for an error: this side, the remote, or the connection.
///
/// The method `fault()` of every error of a connection returns one of these parties, so that a
/// caller can distinguish a misbehaving peer, a bug of its own, and a broken network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Fault {
    /// This side attempted something impossible; the remote did nothing wrong.
    Local,
    /// The remote broke the protocol.
    Remote,
    /// Input or output failed, and neither side is known to be at fault.
    Io,
}
