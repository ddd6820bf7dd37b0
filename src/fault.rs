//! Who is to blame for an error.

/// Whose doing an error is: ours, the remote's, or the connection's.
///
/// Every error of a connection answers `fault()` with one of these, so that a caller can tell a
/// misbehaving peer from a bug of its own and from a cable that was pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Fault {
    /// This side asked for something impossible; the remote did nothing wrong.
    Local,
    /// The remote broke the protocol.
    Remote,
    /// Input or output failed, and neither side is known to be at fault.
    Io,
}
