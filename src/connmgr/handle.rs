//! What the owner of a manager holds.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::error::ManagerError;
use super::request::{
    Address, Candidate, ConnState, Counts, Reconnect, ReqId, RequestInfo, RetryPolicy,
};
use super::token_bucket::Rate;

type Reply<T> = oneshot::Sender<Result<T, ManagerError>>;

/// What a handle asks of the manager.
pub(super) enum Command<A: Address> {
    Connect {
        candidate: Candidate<A>,
        retry: Option<RetryPolicy>,
        reply: Reply<Request>,
    },
    Disconnect {
        id: ReqId,
        reconnect: Reconnect,
        reply: Reply<()>,
    },
    Reconsider {
        id: ReqId,
        reply: Reply<()>,
    },
    NetworkChanged {
        reply: Reply<()>,
    },
    Remove {
        id: ReqId,
        reply: Reply<()>,
    },
    RemoveAddr {
        addr: A,
        reply: Reply<ReqId>,
    },
    SetTarget {
        target: usize,
        reply: Reply<()>,
    },
    SetDialLimits {
        max_dials: usize,
        timeout: Duration,
        rate: Rate,
        reply: Reply<()>,
    },
    SetAddr {
        id: ReqId,
        candidate: Candidate<A>,
        reply: Reply<()>,
    },
    SetPermanent {
        id: ReqId,
        retry: RetryPolicy,
        reply: Reply<()>,
    },
    Watch {
        id: ReqId,
        reply: Reply<Request>,
    },
    Get {
        id: ReqId,
        reply: Reply<RequestInfo<A>>,
    },
    Find {
        addr: A,
        reply: Reply<RequestInfo<A>>,
    },
    List {
        reply: Reply<Vec<RequestInfo<A>>>,
    },
    Counts {
        reply: Reply<Counts>,
    },
}

/// Gives commands to a manager. Cheap to clone; when the last one is dropped the manager stops,
/// unless it is told to [keep running](super::ConnConfig::with_keep_running).
///
/// Every command is answered, with [`ManagerError::Stopped`] at the latest when the manager is
/// dropped. A command whose future is dropped before its answer may have been carried out or not.
#[derive(Debug)]
pub struct ConnHandle<A: Address> {
    pub(super) commands: mpsc::Sender<Command<A>>,
    pub(super) stop: CancellationToken,
    pub(super) stopped: CancellationToken,
}

impl<A: Address> Clone for ConnHandle<A> {
    fn clone(&self) -> Self {
        Self {
            commands: self.commands.clone(),
            stop: self.stop.clone(),
            stopped: self.stopped.clone(),
        }
    }
}

impl<A: Address> ConnHandle<A> {
    /// Dials once. The request ends with the connection, or with the dial if that fails.
    ///
    /// # Errors
    /// [`AlreadyManaged`](ManagerError::AlreadyManaged) if a request leads to this address or
    /// node, [`Refused`](ManagerError::Refused), [`LimitReached`](ManagerError::LimitReached),
    /// [`Stopped`](ManagerError::Stopped).
    pub async fn connect(
        &self,
        candidate: impl Into<Candidate<A>>,
    ) -> Result<Request, ManagerError> {
        self.connect_as(candidate.into(), None).await
    }

    /// Keeps a connection for ever: dials again after a failure and after an end.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn connect_permanent(
        &self,
        candidate: impl Into<Candidate<A>>,
        retry: RetryPolicy,
    ) -> Result<Request, ManagerError> {
        self.connect_as(candidate.into(), Some(retry)).await
    }

    /// Tells that the network may be another one now, such as after a suspend: permanent requests that wait
    /// after a failure are dialled now rather than after up to minutes, though not sooner than the
    /// shortest wait of their backoff after their last dial, and the network does not count as down any
    /// more. By itself the manager does so when something gets through while nothing is connected, and when
    /// the dialer [may reach](super::Dialer::may_reach) again what it found no route to.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped).
    pub async fn network_changed(&self) -> Result<(), ManagerError> {
        self.ask(|reply| Command::NetworkChanged { reply }).await
    }

    async fn connect_as(
        &self,
        candidate: Candidate<A>,
        retry: Option<RetryPolicy>,
    ) -> Result<Request, ManagerError> {
        self.ask(|reply| Command::Connect {
            candidate,
            retry,
            reply,
        })
        .await
    }

    /// Closes a request's connection, and then reconnects or not as `reconnect` says. A request
    /// without a connection is cancelled, of whatever kind; with [`Reconnect::Force`] it is dialled
    /// at once instead.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId), [`Stopped`](ManagerError::Stopped), and
    /// [`Inbound`](ManagerError::Inbound) if an accepted connection is to be forced.
    pub async fn disconnect(&self, id: ReqId, reconnect: Reconnect) -> Result<(), ManagerError> {
        self.ask(|reply| Command::Disconnect {
            id,
            reconnect,
            reply,
        })
        .await
    }

    /// Says that what the [filter](super::Filter) or the dialer did not want may be wanted now: a
    /// request that waits because of that waits no longer, unless its last real attempt was too short
    /// a time ago. Without effect on requests in any other state.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId), [`Stopped`](ManagerError::Stopped).
    pub async fn reconsider(&self, id: ReqId) -> Result<(), ManagerError> {
        self.ask(|reply| Command::Reconsider { id, reply }).await
    }

    /// Ends a request for good in any state: a dial in flight, a wait, a connection.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId), [`Stopped`](ManagerError::Stopped).
    pub async fn remove(&self, id: ReqId) -> Result<(), ManagerError> {
        self.ask(|reply| Command::Remove { id, reply }).await
    }

    /// The same by address; answers the id that it had.
    ///
    /// # Errors
    /// [`UnknownAddress`](ManagerError::UnknownAddress), [`Stopped`](ManagerError::Stopped).
    pub async fn remove_addr(&self, addr: A) -> Result<ReqId, ManagerError> {
        self.ask(|reply| Command::RemoveAddr { addr, reply }).await
    }

    /// Changes how many automatic connections are held. Attempts beyond that are given up;
    /// connections beyond it stay, and are not replaced when they end.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped).
    pub async fn set_target(&self, connections: usize) -> Result<(), ManagerError> {
        let target = connections;
        self.ask(|reply| Command::SetTarget { target, reply }).await
    }

    /// Changes the limits on dials: how many may be in flight (0 counts as 1), how long one may take,
    /// and how fast automatic ones start. Dials that are in flight go on as they began.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped).
    pub async fn set_dial_limits(
        &self,
        max_dials: usize,
        timeout: Duration,
        rate: Rate,
    ) -> Result<(), ManagerError> {
        self.ask(|reply| Command::SetDialLimits {
            max_dials,
            timeout,
            rate,
            reply,
        })
        .await
    }

    /// Lets a permanent request lead elsewhere. Its connection stays until it ends; a dial or a
    /// wait is given up for a dial of the new address.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect), [`UnknownId`](ManagerError::UnknownId),
    /// [`NotPermanent`](ManagerError::NotPermanent).
    pub async fn set_addr(
        &self,
        id: ReqId,
        candidate: impl Into<Candidate<A>>,
    ) -> Result<(), ManagerError> {
        let candidate = candidate.into();
        self.ask(|reply| Command::SetAddr {
            id,
            candidate,
            reply,
        })
        .await
    }

    /// Makes an automatic or one-shot request permanent, or changes the policy of a permanent one.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId), [`Inbound`](ManagerError::Inbound),
    /// [`Stopped`](ManagerError::Stopped).
    pub async fn set_permanent(&self, id: ReqId, retry: RetryPolicy) -> Result<(), ManagerError> {
        self.ask(|reply| Command::SetPermanent { id, retry, reply })
            .await
    }

    /// Watches the state of a request.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId), [`Stopped`](ManagerError::Stopped).
    pub async fn watch(&self, id: ReqId) -> Result<Request, ManagerError> {
        self.ask(|reply| Command::Watch { id, reply }).await
    }

    /// One request.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId), [`Stopped`](ManagerError::Stopped).
    pub async fn get(&self, id: ReqId) -> Result<RequestInfo<A>, ManagerError> {
        self.ask(|reply| Command::Get { id, reply }).await
    }

    /// The request that leads to an address, or the accepted connection that came from it.
    ///
    /// # Errors
    /// [`UnknownAddress`](ManagerError::UnknownAddress), [`Stopped`](ManagerError::Stopped).
    pub async fn find(&self, addr: A) -> Result<RequestInfo<A>, ManagerError> {
        self.ask(|reply| Command::Find { addr, reply }).await
    }

    /// All requests and accepted connections, in the order of their ids.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped).
    pub async fn list(&self) -> Result<Vec<RequestInfo<A>>, ManagerError> {
        self.ask(|reply| Command::List { reply }).await
    }

    /// How many there are of each kind.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped).
    pub async fn counts(&self) -> Result<Counts, ManagerError> {
        self.ask(|reply| Command::Counts { reply }).await
    }

    /// Ends the manager and waits until it is gone: dials are given up, owners are asked to end
    /// their connections, after the [drain time](super::ConnConfig::with_drain) the rest is closed.
    /// A second call waits too. Cancel safe: once called, the manager stops.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.stopped.cancelled().await;
    }

    /// Waits until the manager is gone, without ending it. Cancel safe.
    pub async fn stopped(&self) {
        self.stopped.cancelled().await;
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command<A>,
    ) -> Result<T, ManagerError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| ManagerError::Stopped)?;
        answer.await.map_err(|_| ManagerError::Stopped)?
    }
}

/// A request that can be watched. Dropping it changes nothing.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) id: ReqId,
    pub(super) state: watch::Receiver<ConnState>,
}

impl Request {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> ReqId {
        self.id
    }

    /// Where it is now. States that passed in between are not kept.
    #[must_use]
    pub fn state(&self) -> ConnState {
        self.state.borrow().clone()
    }

    /// Waits until the state is one that `wanted` accepts, or a terminal one. Cancel safe.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&ConnState) -> bool) -> ConnState {
        let reached = |state: &ConnState| state.is_terminal() || wanted(state);
        match self.state.wait_for(reached).await {
            Ok(state) => state.clone(),
            // The manager is gone without a word to this request: it was dropped.
            Err(_) => ConnState::Canceled,
        }
    }
}
