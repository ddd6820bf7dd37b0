use std::fmt;

/// The stage of a connection at which an error occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stage {
    /// Opening the socket.
    Dial,
    /// Reading or answering the initiator's auth packet.
    Auth,
    /// Reading the recipient's ack packet.
    Ack,
    /// Exchanging Hellos, and deciding on admission.
    Hello,
    /// Opening or writing frames.
    Frame,
    /// Decoding and routing messages.
    Message,
    /// Inside a subprotocol.
    Protocol,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dial => "dial",
            Self::Auth => "auth",
            Self::Ack => "ack",
            Self::Hello => "hello",
            Self::Frame => "frame",
            Self::Message => "message",
            Self::Protocol => "protocol",
        })
    }
}
