//! The handle to a running manager.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::error::ManagerError;
use super::request::{
    Address, Candidate, ConnState, Counts, Reconnect, ReqId, RequestInfo, RetryPolicy,
};
use super::token_bucket::Rate;

type Reply<T> = oneshot::Sender<Result<T, ManagerError>>;

/// A command from a handle to the manager.
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

/// Sends commands to a manager; cheap to clone.
///
/// When the last handle is dropped, the manager stops, unless it is configured to [keep
/// running](super::ConnConfig::with_keep_running).
///
/// Every command is answered, with [`ManagerError::Stopped`] if the manager is dropped first. If a
/// command's future is dropped before the answer, the command may or may not have been carried out.
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
    /// Dials an address once.
    ///
    /// The request ends with the connection, or with the dial if the dial fails.
    ///
    /// # Errors
    /// [`AlreadyManaged`](ManagerError::AlreadyManaged) if another request leads to this address or
    /// node, [`Refused`](ManagerError::Refused) if the filter refuses the candidate,
    /// [`LimitReached`](ManagerError::LimitReached) if there are too many requests,
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn connect(
        &self,
        candidate: impl Into<Candidate<A>>,
    ) -> Result<Request, ManagerError> {
        self.connect_as(candidate.into(), None).await
    }

    /// Maintains a connection permanently: redials after each failed dial and after each
    /// connection's end.
    ///
    /// # Errors
    /// The errors of [`connect`](Self::connect).
    pub async fn connect_permanent(
        &self,
        candidate: impl Into<Candidate<A>>,
        retry: RetryPolicy,
    ) -> Result<Request, ManagerError> {
        self.connect_as(candidate.into(), Some(retry)).await
    }

    /// Retries failed permanent requests early, because the network may have changed.
    ///
    /// Call this after a suspend, for example. Permanent requests that wait after a failure are
    /// dialled now, but not before the minimum wait of their backoff has passed since their last
    /// dial. The network no longer counts as down. The manager does the same automatically in two
    /// cases: when a connection succeeds while no other is open, and when the dialer [may again
    /// reach](super::Dialer::may_reach) an address to which it had found no route.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
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

    /// Closes a request's connection; `reconnect` determines whether the address is dialled again.
    ///
    /// A request of any kind that has no connection is cancelled. With [`Reconnect::Force`] such a
    /// request is instead dialled at once.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId) if there is no such request,
    /// [`Inbound`](ManagerError::Inbound) if `reconnect` is [`Reconnect::Force`] but the connection
    /// was accepted, so this side cannot dial it, [`Stopped`](ManagerError::Stopped) if the manager
    /// has stopped.
    pub async fn disconnect(&self, id: ReqId, reconnect: Reconnect) -> Result<(), ManagerError> {
        self.ask(|reply| Command::Disconnect {
            id,
            reconnect,
            reply,
        })
        .await
    }

    /// Retries a request that the [filter](super::Filter) or the dialer refused.
    ///
    /// A request that waits because of a refusal is dialled at once, unless its last attempt that
    /// was not refused is too recent. The call has no effect on requests in any other state.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId) if there is no such request,
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn reconsider(&self, id: ReqId) -> Result<(), ManagerError> {
        self.ask(|reply| Command::Reconsider { id, reply }).await
    }

    /// Ends a request for good, whether it is dialling, waiting or connected.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId) if there is no such request,
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn remove(&self, id: ReqId) -> Result<(), ManagerError> {
        self.ask(|reply| Command::Remove { id, reply }).await
    }

    /// Like [`remove`](Self::remove), but selects the request by address and returns its id.
    ///
    /// # Errors
    /// [`UnknownAddress`](ManagerError::UnknownAddress) if no request leads to this address,
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn remove_addr(&self, addr: A) -> Result<ReqId, ManagerError> {
        self.ask(|reply| Command::RemoveAddr { addr, reply }).await
    }

    /// Changes the number of automatic connections.
    ///
    /// Attempts that exceed the new number are cancelled. Excess connections stay, and are not
    /// replaced when they end.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn set_target(&self, connections: usize) -> Result<(), ManagerError> {
        let target = connections;
        self.ask(|reply| Command::SetTarget { target, reply }).await
    }

    /// Changes the limits on dials.
    ///
    /// `max_dials` limits the dials in flight (0 counts as 1), `timeout` the duration of each, and
    /// `rate` how fast automatic ones start. Dials in flight keep their old limits.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
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

    /// Changes the address of a permanent request.
    ///
    /// If the request has a connection, this connection stays until it ends. Otherwise its dial or
    /// its wait is cancelled, and the new address is dialled.
    ///
    /// # Errors
    /// The errors of [`connect`](Self::connect), [`UnknownId`](ManagerError::UnknownId) if there is
    /// no such request, [`NotPermanent`](ManagerError::NotPermanent) if the request is not
    /// permanent.
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
    /// [`UnknownId`](ManagerError::UnknownId) if there is no such request,
    /// [`Inbound`](ManagerError::Inbound) if the id is that of an accepted connection,
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn set_permanent(&self, id: ReqId, retry: RetryPolicy) -> Result<(), ManagerError> {
        self.ask(|reply| Command::SetPermanent { id, retry, reply })
            .await
    }

    /// Watches the state of a request.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId) if there is no such request,
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn watch(&self, id: ReqId) -> Result<Request, ManagerError> {
        self.ask(|reply| Command::Watch { id, reply }).await
    }

    /// Returns one request.
    ///
    /// # Errors
    /// [`UnknownId`](ManagerError::UnknownId) if there is no such request,
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn get(&self, id: ReqId) -> Result<RequestInfo<A>, ManagerError> {
        self.ask(|reply| Command::Get { id, reply }).await
    }

    /// Returns the request that leads to an address, or the connection accepted from it.
    ///
    /// # Errors
    /// [`UnknownAddress`](ManagerError::UnknownAddress) if no request leads to this address,
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn find(&self, addr: A) -> Result<RequestInfo<A>, ManagerError> {
        self.ask(|reply| Command::Find { addr, reply }).await
    }

    /// Returns all requests and accepted connections, in the order of their ids.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn list(&self) -> Result<Vec<RequestInfo<A>>, ManagerError> {
        self.ask(|reply| Command::List { reply }).await
    }

    /// Returns the number of requests of each kind.
    ///
    /// # Errors
    /// [`Stopped`](ManagerError::Stopped) if the manager has stopped.
    pub async fn counts(&self) -> Result<Counts, ManagerError> {
        self.ask(|reply| Command::Counts { reply }).await
    }

    /// Stops the manager and waits until it has stopped.
    ///
    /// Dials are cancelled, and owners are asked to end their connections. After the [drain
    /// time](super::ConnConfig::with_drain) the manager forgets the remaining connections. A second
    /// call waits until the same stop is complete.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future does not revoke the stop.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.stopped.cancelled().await;
    }

    /// Waits until the manager has stopped, without stopping it.
    ///
    /// # Cancel safety
    /// Cancel safe.
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

/// Watches a request.
///
/// Dropping the watch does not affect the request.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) id: ReqId,
    pub(super) state: watch::Receiver<ConnState>,
}

impl Request {
    /// Returns the request's id.
    #[must_use]
    pub fn id(&self) -> ReqId {
        self.id
    }

    /// Returns the current state.
    ///
    /// A state that was replaced between two calls is not reported.
    #[must_use]
    pub fn state(&self) -> ConnState {
        self.state.borrow().clone()
    }

    /// Waits until `wanted` accepts the state, or the state is terminal.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&ConnState) -> bool) -> ConnState {
        let reached = |state: &ConnState| state.is_terminal() || wanted(state);
        match self.state.wait_for(reached).await {
            Ok(state) => state.clone(),
            // The manager was dropped before it reported a final state.
            Err(_) => ConnState::Canceled,
        }
    }
}
