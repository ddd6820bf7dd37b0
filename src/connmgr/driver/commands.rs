use tokio::sync::watch;
use tokio::time::Instant;

use super::Driver;
use crate::connmgr::dialer::Dialer;
use crate::connmgr::error::ManagerError;
use crate::connmgr::handle::{Command, Request};
use crate::connmgr::request::{Candidate, ConnState, ReqId, RetryPolicy};

impl<D: Dialer> Driver<D> {
    /// Carries out a command and answers it. The caller may no longer wait for the answer, so a
    /// failure to deliver it is ignored.
    pub(super) fn carry_out(&mut self, command: Command<D::Addr>, now: Instant) {
        let machine = &mut self.machine;
        match command {
            Command::Connect {
                candidate,
                retry,
                reply,
            } => {
                let request = self.connect(candidate, retry, now);
                reply.send(request).ok();
            }
            Command::Disconnect {
                id,
                reconnect,
                reply,
            } => {
                reply.send(machine.disconnect(id, reconnect, now)).ok();
            }
            Command::Reconsider { id, reply } => {
                reply.send(machine.reconsider(id, now)).ok();
            }
            Command::NetworkChanged { reply } => {
                machine.network_changed(now);
                reply.send(Ok(())).ok();
            }
            Command::Remove { id, reply } => {
                reply.send(machine.remove(id, now)).ok();
            }
            Command::RemoveAddr { addr, reply } => {
                let removed = machine.find(&addr);
                let removed = removed.and_then(|id| machine.remove(id, now).map(|()| id));
                reply.send(removed).ok();
            }
            Command::SetTarget { target, reply } => {
                reply.send(machine.set_target(target, now)).ok();
            }
            Command::SetDialLimits {
                max_dials,
                timeout,
                rate,
                reply,
            } => {
                self.config = self.config.with_dial_timeout(timeout);
                reply
                    .send(machine.set_dial_limits(max_dials, rate, now))
                    .ok();
            }
            Command::SetAddr {
                id,
                candidate,
                reply,
            } => {
                reply.send(machine.set_addr(id, candidate, now)).ok();
            }
            Command::SetPermanent { id, retry, reply } => {
                reply.send(machine.set_permanent(id, retry, now)).ok();
            }
            Command::Watch { id, reply } => {
                reply.send(self.watch(id, now)).ok();
            }
            Command::Get { id, reply } => {
                reply.send(machine.get(id, now)).ok();
            }
            Command::Find { addr, reply } => {
                let found = machine.find(&addr).and_then(|id| machine.get(id, now));
                reply.send(found).ok();
            }
            Command::List { reply } => {
                reply.send(Ok(machine.list(now))).ok();
            }
            Command::Counts { reply } => {
                reply.send(Ok(machine.counts())).ok();
            }
        }
    }

    fn connect(
        &mut self,
        candidate: Candidate<D::Addr>,
        retry: Option<RetryPolicy>,
        now: Instant,
    ) -> Result<Request, ManagerError> {
        let id = self.machine.connect(candidate, retry, now)?;
        let (sender, state) = watch::channel(ConnState::Pending { attempt: 0 });
        self.states.insert(id, sender);
        Ok(Request { id, state })
    }

    fn watch(&mut self, id: ReqId, now: Instant) -> Result<Request, ManagerError> {
        let state = self.machine.get(id, now)?.state;
        let sender = self
            .states
            .entry(id)
            .or_insert_with(|| watch::channel(state).0);
        Ok(Request {
            id,
            state: sender.subscribe(),
        })
    }
}
