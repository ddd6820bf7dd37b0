//! The handling of each version's messages.

use std::sync::Arc;

use peermux::message::{Request, RequestMessages};
use peermux::requests::{Requests, RequestsBuilder};
use peermux::{Bytes, Message, MessageError, Received};

use super::event::Announcement;
use super::store::Store;
use super::v68::Eth68;
use super::v69::Eth69;
use super::v70::Eth70;
use super::{Header, HeadersQuery, Status};

/// The messages of one version.
pub(super) trait Version: RequestMessages {
    /// The version's number.
    const VERSION: u64;
    /// The request for headers.
    type GetHeaders: Request<Messages = Self>;

    /// Returns the requests of this version.
    fn requests(all: &AllRequests) -> &Requests<Self>;

    /// Returns the first message to a peer.
    fn from_status(ours: &Status) -> Self;

    /// Returns the status in a Status message; `None` for other messages.
    fn status(&self) -> Option<Status>;

    /// Returns the announcement in a message after the Status.
    ///
    /// # Errors
    /// [`MessageError`] if the message is not allowed here or breaks a rule.
    fn into_announcement(self) -> Result<Announcement, MessageError>;

    /// Makes a request for headers.
    fn get_headers(query: HeadersQuery) -> Self::GetHeaders;

    /// Returns the headers of a response.
    fn headers(response: <Self::GetHeaders as Request>::Response) -> Vec<Header>;

    /// Sets the answers: headers from `store`, empty answers to other requests.
    fn answers(requests: RequestsBuilder<Self>, store: &Arc<Store>) -> RequestsBuilder<Self>;
}

impl Status {
    /// Decodes a Status payload of one of the [`VERSIONS`](super::VERSIONS).
    ///
    /// This is for tools that handle single messages.
    ///
    /// # Errors
    /// [`MessageError`] if the payload is malformed or the version is not supported.
    pub fn decode(version: u64, payload: impl Into<Bytes>) -> Result<Self, MessageError> {
        const CODE: u64 = 0;
        fn read<V: Version>(message: Message) -> Result<Option<Status>, MessageError> {
            V::decode(message).map(|message| message.status())
        }
        let message = Message::new(CODE, payload);
        let read = match version {
            Eth68::VERSION => read::<Eth68>(message),
            Eth69::VERSION => read::<Eth69>(message),
            Eth70::VERSION => read::<Eth70>(message),
            _ => Ok(None),
        };
        read?.ok_or(MessageError::NotAllowed {
            code: CODE,
            rule: "the version is supported",
        })
    }
}

/// The requests of all versions. A peer uses one version.
#[derive(Debug)]
pub(super) struct AllRequests {
    pub(super) requests68: Requests<Eth68>,
    pub(super) requests69: Requests<Eth69>,
    pub(super) requests70: Requests<Eth70>,
}

/// Splits a message into the announcement and the message's room in the queue. Dropping the room
/// releases it.
pub(super) fn announced<V: Version>(
    message: Received<V>,
) -> Result<(Announcement, Box<dyn Send>), MessageError> {
    let (message, room) = message.into_parts();
    Ok((message.into_announcement()?, Box::new(room)))
}

/// Implements [`Version`] for a set of messages. Three functions differ between versions and are
/// defined in each version's module: `status_message`, `status_of` and `no_receipts`.
macro_rules! version {
    ($messages:ident, $version:literal, $requests:ident $(, $range:ident)?) => {
        impl $crate::eth::version::Version for $messages {
            const VERSION: u64 = $version;
            type GetHeaders = GetBlockHeaders;

            fn requests(
                all: &$crate::eth::version::AllRequests,
            ) -> &peermux::requests::Requests<Self> {
                &all.$requests
            }

            fn from_status(ours: &Status) -> Self {
                status_message(ours)
            }

            fn status(&self) -> Option<Status> {
                status_of(self)
            }

            fn into_announcement(
                self,
            ) -> Result<$crate::eth::event::Announcement, peermux::MessageError> {
                use $crate::eth::event::Announcement;
                let code = peermux::WireMessage::code(&self);
                match self {
                    Self::NewBlockHashes(blocks) => Ok(Announcement::BlockHashes(blocks)),
                    Self::NewBlock(block) => Ok(Announcement::Block(block)),
                    Self::Transactions(transactions) => {
                        Ok(Announcement::Transactions(transactions))
                    }
                    Self::NewPooledTransactionHashes(pooled) => {
                        pooled.check(code)?;
                        Ok(Announcement::Pooled(pooled))
                    }
                    $(Self::$range(range) => {
                        let not_allowed =
                            |rule| peermux::MessageError::NotAllowed { code, rule };
                        range.check().map_err(not_allowed)?;
                        Ok(Announcement::Range(range))
                    })?
                    // Only a second Status can be left, because requests and responses are handled
                    // by `requests`.
                    _ => Err(peermux::MessageError::NotAllowed {
                        code,
                        rule: "a Status is sent once",
                    }),
                }
            }

            fn get_headers(query: HeadersQuery) -> GetBlockHeaders {
                GetBlockHeaders(query)
            }

            fn headers(response: BlockHeaders) -> Vec<Header> {
                response.0
            }

            fn answers(
                requests: peermux::requests::RequestsBuilder<Self>,
                store: &std::sync::Arc<$crate::eth::store::Store>,
            ) -> peermux::requests::RequestsBuilder<Self> {
                let store = std::sync::Arc::clone(store);
                requests
                    .answer(move |peer, ask: GetBlockHeaders| {
                        let store = std::sync::Arc::clone(&store);
                        async move { Ok(BlockHeaders(store.headers(peer, ask.0).await)) }
                    })
                    .answer(|_, _: GetBlockBodies| async { Ok(BlockBodies(Vec::new())) })
                    .answer(|_, _: GetPooledTransactions| async {
                        Ok(PooledTransactions(Vec::new()))
                    })
                    .answer(|_, _: GetReceipts| async { Ok(no_receipts()) })
            }
        }
    };
}

/// Defines `status_message` and `status_of` for versions whose Status contains a range of blocks.
macro_rules! status_with_blocks {
    ($messages:ident) => {
        fn status_message(ours: &Status) -> $messages {
            let (earliest, latest) = ours.blocks.unwrap_or_default();
            $messages::Status {
                version: ours.version,
                network: ours.network,
                genesis: ours.genesis,
                fork_id: ours.fork_id,
                earliest,
                latest,
                latest_hash: ours.head,
            }
        }

        fn status_of(message: &$messages) -> Option<Status> {
            let $messages::Status {
                version,
                network,
                genesis,
                fork_id,
                earliest,
                latest,
                latest_hash,
            } = *message
            else {
                return None;
            };
            Some(Status {
                version,
                network,
                genesis,
                fork_id,
                head: latest_hash,
                total_difficulty: None,
                blocks: Some((earliest, latest)),
            })
        }
    };
}

pub(super) use {status_with_blocks, version};
