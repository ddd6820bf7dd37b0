use std::fmt;

/// The kind of a [`CommError`](super::CommError), for tables and decisions.
///
/// Its text is one word, which is given with each variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CommErrorKind {
    /// The layer has been stopped: `stopped`.
    Stopped,
    /// The destination is this node itself: `self`.
    SelfDial,
    /// The connection to the node could not be made: `dial`.
    Dial,
    /// The node does not speak the protocol: `not_supported`.
    NotSupported,
    /// The node did not prove an identity: `handshake`.
    Handshake,
    /// Another identity answered: `id_mismatch`.
    IdMismatch,
    /// The queue was full: `full`.
    Full,
    /// The message was too large: `too_large`.
    TooLarge,
    /// The connection ended: `closed`.
    Closed,
    /// The time limit expired: `deadline`.
    Deadline,
    /// The receiver did not accept the message: `nack`.
    Nack,
    /// The call is not valid: `misuse`.
    Misuse,
}

impl CommErrorKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::SelfDial => "self",
            Self::Dial => "dial",
            Self::NotSupported => "not_supported",
            Self::Handshake => "handshake",
            Self::IdMismatch => "id_mismatch",
            Self::Full => "full",
            Self::TooLarge => "too_large",
            Self::Closed => "closed",
            Self::Deadline => "deadline",
            Self::Nack => "nack",
            Self::Misuse => "misuse",
        }
    }
}

impl fmt::Display for CommErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
