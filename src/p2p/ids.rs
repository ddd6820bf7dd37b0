//! The message ids of the base protocol.

/// Hello, the first frame of each side.
pub const HELLO: u64 = 0x00;
/// Disconnect, the last frame of a side; also allowed instead of Hello.
pub const DISCONNECT: u64 = 0x01;
/// Ping, with an empty list as payload.
pub const PING: u64 = 0x02;
/// Pong, the answer to exactly one Ping, with an empty list as payload.
pub const PONG: u64 = 0x03;
