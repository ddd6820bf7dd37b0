//! The handle to a running node.

use std::fmt;
use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::contact::Contact;
use super::driver::Command;
use super::error::Discv4Error;
use super::machine::{Found, LookupDone, Observation};
use super::table::TableEntry;
use crate::event_stream::{EventFeed, EventStream};
use crate::node::{Enode, NodeRecord, PublicKey};

/// The parts of a handle.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) found: EventFeed<Found>,
    pub(super) observed: EventFeed<Observation>,
    pub(super) local_addr: Option<SocketAddr>,
    pub(super) stop: CancellationToken,
    pub(super) ended: CancellationToken,
}

/// A handle to a running node of Node Discovery v4; cheap to clone.
///
/// The node ends with [`shutdown`](Self::shutdown), or when the last handle is dropped.
///
/// # Cancel safety
/// All async methods are cancel safe. After a cancellation, requests to other nodes continue, but
/// their results are lost.
#[derive(Clone)]
pub struct Discv4(Parts);

impl Discv4 {
    pub(super) fn of(parts: Parts) -> Self {
        Self(parts)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Discv4Error>>) -> Command,
    ) -> Result<T, Discv4Error> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.commands.send(command(reply)).await;
        sent.map_err(|_| Discv4Error::Stopped)?;
        answer.await.unwrap_or(Err(Discv4Error::Stopped))
    }

    /// Looks up the nodes nearest to a key.
    ///
    /// Returns at most 16 nodes that answered, the nearest first.
    ///
    /// # Errors
    /// [`Discv4Error::Busy`] if 16 lookups are in progress, [`Discv4Error::Stopped`] if discovery
    /// has ended.
    pub async fn lookup(&self, target: &PublicKey) -> Result<LookupDone, Discv4Error> {
        let target = Some(target.to_bytes());
        self.ask(|reply| Command::Lookup { target, reply }).await
    }

    /// Looks up the nodes nearest to a random target, anywhere in the network.
    ///
    /// # Errors
    /// The errors of [`lookup`](Self::lookup).
    pub async fn random_lookup(&self) -> Result<LookupDone, Discv4Error> {
        let target = None;
        self.ask(|reply| Command::Lookup { target, reply }).await
    }

    /// Requests a node's current record.
    ///
    /// # Errors
    /// [`Discv4Error::NoAddress`] if the node has no address for discovery,
    /// [`Discv4Error::NoAnswer`] if it does not answer in time, [`Discv4Error::BadRecord`] if it
    /// answers with an unacceptable record, [`Discv4Error::Busy`] if 64 such requests are in
    /// progress, [`Discv4Error::Stopped`] if discovery has ended.
    pub async fn request_record(&self, node: &Enode) -> Result<NodeRecord, Discv4Error> {
        let contact =
            Contact::of_enode(node).ok_or_else(|| Discv4Error::NoAddress { id: node.node_id() })?;
        self.record_of(contact).await
    }

    async fn record_of(&self, contact: Contact) -> Result<NodeRecord, Discv4Error> {
        self.ask(|reply| Command::Record { contact, reply }).await
    }

    /// Finds a node's current record.
    ///
    /// If the node's endpoint is known, asks the node itself. Otherwise, or if that fails, looks
    /// the node up.
    ///
    /// # Errors
    /// [`Discv4Error::NotFound`] if the lookup does not find the node, or the node does not answer
    /// the lookup, and the errors of [`lookup`](Self::lookup) and
    /// [`request_record`](Self::request_record).
    pub async fn resolve(&self, node: &Enode) -> Result<NodeRecord, Discv4Error> {
        use Discv4Error::{BadRecord, NoAnswer};
        if let Some(contact) = Contact::of_enode(node) {
            match self.record_of(contact).await {
                Err(NoAnswer { .. } | BadRecord { .. }) => {}
                result => return result,
            }
        }
        let (id, near) = (node.node_id(), self.lookup(node.public_key()).await?);
        let found = near.nodes.iter().find(|near| near.node_id() == id);
        let found = found.ok_or(Discv4Error::NotFound { id })?;
        self.record_of(*found).await
    }

    /// Returns the nodes in the table, at most 272, and when each last answered.
    ///
    /// # Errors
    /// [`Discv4Error::Stopped`] if discovery has ended.
    pub async fn table(&self) -> Result<Vec<TableEntry>, Discv4Error> {
        self.ask(|reply| Command::Table { reply }).await
    }

    /// Returns the nodes in the table that are worth keeping until the next start.
    ///
    /// See [`TableEntry::is_worth_keeping`].
    ///
    /// # Errors
    /// [`Discv4Error::Stopped`] if discovery has ended.
    pub async fn worth_keeping(&self) -> Result<Vec<TableEntry>, Discv4Error> {
        let mut table = self.table().await?;
        table.retain(TableEntry::is_worth_keeping);
        Ok(table)
    }

    /// Replaces our own record.
    ///
    /// # Errors
    /// [`Discv4Error::ForeignRecord`] if the record is another node's, [`Discv4Error::OldRecord`]
    /// if it is not newer than the present one, [`Discv4Error::Stopped`] if discovery has ended.
    pub async fn set_record(&self, record: NodeRecord) -> Result<(), Discv4Error> {
        self.ask(|reply| Command::SetRecord { record, reply }).await
    }

    /// Subscribes to nodes that prove their endpoint, and to fetched records.
    ///
    /// A reader that is more than 1,024 events behind loses the oldest ones, and receives the
    /// number of lost events instead.
    #[must_use]
    pub fn found(&self) -> EventStream<Found> {
        self.0.found.subscribe()
    }

    /// Subscribes to the addresses at which other nodes see us, one for each Pong.
    ///
    /// The stream is bounded like that of [`found`](Self::found).
    #[must_use]
    pub fn observations(&self) -> EventStream<Observation> {
        self.0.observed.subscribe()
    }

    /// Returns the socket's address; `None` if the socket is shared.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.local_addr
    }

    /// Ends discovery, and waits until it has ended.
    ///
    /// Pending calls return [`Discv4Error::Stopped`].
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.ended.cancelled().await;
    }
}

impl fmt::Debug for Discv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discv4")
            .field("local_addr", &self.0.local_addr)
            .finish_non_exhaustive()
    }
}
