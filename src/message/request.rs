//! Messages that ask, and messages that answer.
//!
//! In a set made by [`messages!`](crate::messages) `0x00 => Get { key: String } -> Value` says that
//! `Value` answers `Get`. Both carry the request's id as their first element, as the messages of
//! [`eth/66`](https://eips.ethereum.org/EIPS/eip-2481) do, so that several requests can be open at
//! once. Each has a type of its own, which implements [`Request`] or [`Response`].

use super::WireMessage;

/// A set of messages of which some answer others.
pub trait RequestMessages: WireMessage + Sync {
    /// What the message is to a request.
    fn role(&self) -> Role;
}

/// What a message is to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It is the request with this id, which its sender chose.
    Request(u64),
    /// It answers the request with this id.
    Response(u64),
    /// It has nothing to do with requests.
    Other,
}

/// A message that is answered by another.
pub trait Request: Sized + Send + 'static {
    /// The set that it belongs to.
    type Messages: RequestMessages;
    /// What answers it.
    type Response: Response<Messages = Self::Messages>;
    /// Its name in the set.
    const NAME: &'static str;
    /// Its code, relative to the protocol.
    const CODE: u64;

    /// The message with an id.
    fn into_message(self, id: u64) -> Self::Messages;

    /// The id and the request in a message; `None` if it is another one.
    fn from_message(message: Self::Messages) -> Option<(u64, Self)>;
}

/// A message that answers another.
pub trait Response: Sized + Send + 'static {
    /// The set that it belongs to.
    type Messages: RequestMessages;
    /// Its name in the set.
    const NAME: &'static str;
    /// Its code, relative to the protocol.
    const CODE: u64;

    /// The message with the id of the request that it answers.
    fn into_message(self, id: u64) -> Self::Messages;

    /// The id and the response in a message; `None` if it is another one.
    fn from_message(message: Self::Messages) -> Option<(u64, Self)>;
}
