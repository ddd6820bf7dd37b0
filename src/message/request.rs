//! Requests and responses.
//!
//! In a set made by [`messages!`](crate::messages), `0x00 => Get { key: String } -> Value` means
//! that `Value` answers `Get`. Both carry the request's id as their first element, like the
//! messages of [`eth/66`](https://eips.ethereum.org/EIPS/eip-2481), so that several requests can be
//! pending at the same time. Each has its own type, which implements [`Request`] or [`Response`].

use super::WireMessage;

/// A set of messages that includes requests and responses.
pub trait RequestMessages: WireMessage + Sync {
    /// Whether the message is a request, a response, or neither.
    fn role(&self) -> Role;

    /// Whether messages with this code are requests.
    #[must_use]
    fn is_request(code: u64) -> bool;

    /// Whether messages with this code are responses.
    #[must_use]
    fn is_response(code: u64) -> bool;
}

/// Whether a message is a request, a response, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The message is the request with this id, which its sender chose.
    Request(u64),
    /// The message answers the request with this id.
    Response(u64),
    /// The message is neither a request nor a response.
    Other,
}

/// A message that is answered by another.
pub trait Request: Sized + Send + 'static {
    /// The set that the request belongs to.
    type Messages: RequestMessages;
    /// The message that answers the request.
    type Response: Response<Messages = Self::Messages>;
    /// The request's name in the set.
    const NAME: &'static str;
    /// The request's code, relative to the protocol.
    const CODE: u64;

    /// Wraps the request in a message with this id.
    fn into_message(self, id: u64) -> Self::Messages;

    /// Returns the id and the request in a message; `None` for any other message.
    fn from_message(message: Self::Messages) -> Option<(u64, Self)>;
}

/// A message that answers another.
pub trait Response: Sized + Send + 'static {
    /// The set that the response belongs to.
    type Messages: RequestMessages;
    /// The response's name in the set.
    const NAME: &'static str;
    /// The response's code, relative to the protocol.
    const CODE: u64;

    /// Wraps the response in a message, with the id of the request that it answers.
    fn into_message(self, id: u64) -> Self::Messages;

    /// Returns the id and the response in a message; `None` for any other message.
    fn from_message(message: Self::Messages) -> Option<(u64, Self)>;
}
