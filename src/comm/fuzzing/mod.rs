//! Messages, proofs, connections and queues of `comm/1`, for the fuzz targets.
//!
//! Messages and proofs are bytes. The store of connections and queues is driven step by step.

mod store;

use std::time::Duration;

use bytes::Bytes;

pub use store::{Account, Placed, Room, Sent, Store};

#[cfg(feature = "x509")]
pub use super::identity::fuzzing::validate_counted;

use super::establish::{self, EstablishError};
use super::message::{ESTABLISH, Incoming, encode_ack};
use super::{IdentityError, IdentityProvider, PeerId};
use crate::message::{Message, MessageError};
use crate::node::NodeId;
use crate::setup::Direction;
use crate::spare::Spare;

/// A decoded message; `payload` is the message encoded again.
#[derive(Debug)]
pub enum Decoded {
    /// A proof of identity.
    Establish {
        /// The message's payload, as this crate would encode it.
        payload: Bytes,
    },
    /// A message of the upper layer.
    Data {
        /// The message's payload, as this crate would encode it.
        payload: Bytes,
    },
    /// The answer to a Data.
    Ack {
        /// The message's payload, as this crate would encode it.
        payload: Bytes,
        /// The text, with invalid UTF-8 replaced.
        error: String,
    },
}

/// Decodes a message and encodes it again.
pub fn decode(message: &Message) -> Result<Decoded, MessageError> {
    Ok(match Incoming::decode(message)? {
        Incoming::Establish(proof) => Decoded::Establish {
            payload: proof.encode(),
        },
        Incoming::Data { ack, envelope } => Decoded::Data {
            payload: envelope.encode(ack, &Spare::default()),
        },
        Incoming::Ack { ack, error } => Decoded::Ack {
            payload: encode_ack(ack, &error),
            error,
        },
    })
}

/// A connection, as one end sees it.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The node at this end.
    pub own: NodeId,
    /// The node at the other end.
    pub remote: NodeId,
    /// Which end dialled.
    pub direction: Direction,
    /// The channel binding.
    pub binding: [u8; 32],
}

impl Terms {
    /// Returns the payload that proves `provider`'s identity.
    pub fn prove(
        &self,
        provider: &dyn IdentityProvider,
        probe: bool,
    ) -> Result<Bytes, IdentityError> {
        let proof = self.inner().prove(provider, probe)?;
        Ok(proof.encode())
    }

    /// Checks the remote's proof at time zero; `None` if `payload` is not an Establish.
    pub fn check(
        &self,
        provider: &dyn IdentityProvider,
        payload: &[u8],
    ) -> Option<Result<PeerId, EstablishError>> {
        match Incoming::decode(&Message::new(ESTABLISH, payload.to_vec())) {
            Ok(Incoming::Establish(theirs)) => {
                let checked = self.inner().check(provider, &theirs, Duration::ZERO);
                Some(checked.map(|record| record.id))
            }
            _ => None,
        }
    }

    fn inner(&self) -> establish::Terms {
        establish::Terms {
            own: self.own,
            remote: self.remote,
            direction: self.direction,
            binding: self.binding,
        }
    }
}
