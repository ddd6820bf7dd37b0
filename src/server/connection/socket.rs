//! The streams of a server's connection manager.

use std::net::SocketAddr;

use tokio_util::either::Either;

use crate::server::accept::Slot;
use crate::server::meters::DialMeter;
use crate::transport::Transport;

/// Either of two transports, for a node that dials and accepts different types of streams.
impl<A: Transport, B: Transport> Transport for Either<A, B> {
    type Reader = Either<A::Reader, B::Reader>;
    type Writer = Either<A::Writer, B::Writer>;

    fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Left(stream) => stream.local_addr(),
            Self::Right(stream) => stream.local_addr(),
        }
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Left(stream) => stream.remote_addr(),
            Self::Right(stream) => stream.remote_addr(),
        }
    }

    fn split(self) -> (Self::Reader, Self::Writer) {
        match self {
            Self::Left(stream) => {
                let (reader, writer) = stream.split();
                (Either::Left(reader), Either::Left(writer))
            }
            Self::Right(stream) => {
                let (reader, writer) = stream.split();
                (Either::Right(reader), Either::Right(writer))
            }
        }
    }
}

/// A stream, and a guard that is held until the set-up of the connection ends.
///
/// The guard of an accepted stream is its slot. The guard of a dialled stream is its meter.
#[derive(Debug)]
pub(crate) struct Socket<T> {
    pub(crate) stream: T,
    pub(crate) slot: Option<Slot>,
    pub(crate) dial: Option<DialMeter>,
}
