//! Where the nodes to dial come from.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::timeout;

use super::gate::Gate;
use super::memory::NodeMemory;
use super::node_addr::{NodeAddr, candidate};
use crate::connmgr::{AddressSource, Candidate, DialFilter};
use crate::node::Enode;

/// How long a source that has nothing yet is waited for while the others have nothing either.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many banned nodes are drawn from the sources before the next pause.
const DRAWS: usize = 64;

/// Finds nodes to dial: a list, an address book, a discovery protocol.
pub trait NodeSource: Send + 'static {
    /// The next node to try: one that `wanted` allows, since others are dropped. It may wait until
    /// there is one; `None` says that there is none now, and the server asks again after a growing
    /// wait. One call runs at a time. Dropped when the server stops.
    fn next(&mut self, wanted: &Wanted) -> impl Future<Output = Option<Enode>> + Send;
}

/// Goes round a list: each wanted node in turn, for ever.
impl NodeSource for VecDeque<Enode> {
    async fn next(&mut self, wanted: &Wanted) -> Option<Enode> {
        let position = self.iter().position(|node| wanted.allows(node))?;
        self.rotate_left(position);
        let found = self.pop_front()?;
        self.push_back(found.clone());
        Some(found)
    }
}

/// Tells a [`NodeSource`] which nodes are of use now: not the own one, not those that are
/// connected, are dialled, or were a moment ago, not those in a network in which there is a
/// connection already or that may not be talked to, and none while there is no room for a peer.
#[derive(Debug, Clone)]
pub struct Wanted(DialFilter<NodeAddr>);

impl Wanted {
    /// Whether the server would dial `node` now.
    #[must_use]
    pub fn allows(&self, node: &Enode) -> bool {
        let dialable = node.endpoint().is_some_and(|endpoint| endpoint.tcp != 0);
        dialable && self.0.allows(&candidate(node))
    }
}

/// What the server remembers, as one of its sources.
pub(crate) struct Remembered(pub(crate) Arc<dyn NodeMemory>);

impl NodeSource for Remembered {
    async fn next(&mut self, wanted: &Wanted) -> Option<Enode> {
        self.0.draw(&mut |node| wanted.allows(node))
    }
}

/// A source, and its answer.
type Answer = (Box<dyn DynSource>, Option<Enode>);

/// A [`NodeSource`] of any type.
pub(crate) trait DynSource: Send {
    fn ask(self: Box<Self>, wanted: Wanted) -> BoxFuture<'static, Answer>;
}

impl<S: NodeSource> DynSource for S {
    fn ask(mut self: Box<Self>, wanted: Wanted) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            let answer = self.next(&wanted).await;
            (self as Box<dyn DynSource>, answer)
        })
    }
}

/// Several sources that take turns. One that waits does not hold the others up.
pub(crate) struct Mixed {
    /// The one whose turn it is comes first.
    sources: VecDeque<State>,
    gate: Arc<Gate>,
}

enum State {
    Idle(Box<dyn DynSource>),
    Asked(BoxFuture<'static, Answer>),
}

impl Mixed {
    pub(crate) fn new(sources: Vec<Box<dyn DynSource>>, gate: Arc<Gate>) -> Self {
        Self {
            sources: sources.into_iter().map(State::Idle).collect(),
            gate,
        }
    }

    /// Asks all sources in their turn until one answers with a node.
    async fn any(&mut self, wanted: &Wanted) -> Option<Enode> {
        for state in &mut self.sources {
            if let State::Idle(_) = state {
                state.ask(wanted);
            }
        }
        let first = poll_fn(|cx| self.poll(cx));
        timeout(PATIENCE, first).await.ok().flatten()
    }

    /// `Ready(None)` once every source has answered that it has nothing.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Enode>> {
        let mut waiting = false;
        for position in 0..self.sources.len() {
            let Some(state) = self.sources.get_mut(position) else {
                break;
            };
            match state.poll(cx) {
                Poll::Ready(None) => {}
                Poll::Pending => waiting = true,
                Poll::Ready(Some(node)) => {
                    // Its next turn comes after everybody else's.
                    if let Some(served) = self.sources.remove(position) {
                        self.sources.push_back(served);
                    }
                    return Poll::Ready(Some(node));
                }
            }
        }
        if waiting {
            Poll::Pending
        } else {
            Poll::Ready(None)
        }
    }
}

impl State {
    fn ask(&mut self, wanted: &Wanted) {
        let idle = std::mem::replace(self, Self::Asked(Box::pin(std::future::pending())));
        *self = match idle {
            Self::Idle(source) => Self::Asked(source.ask(wanted.clone())),
            asked @ Self::Asked(_) => asked,
        };
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Enode>> {
        let Self::Asked(answer) = self else {
            return Poll::Ready(None);
        };
        answer.as_mut().poll(cx).map(|(source, answer)| {
            *self = Self::Idle(source);
            answer
        })
    }
}

impl AddressSource<NodeAddr> for Mixed {
    async fn next(&mut self, filter: &DialFilter<NodeAddr>) -> Option<Candidate<NodeAddr>> {
        let wanted = Wanted(filter.clone());
        for _ in 0..DRAWS {
            let node = self.any(&wanted).await?;
            // A source that waited may answer with what was of use then.
            if self.gate.check_node(&node).is_ok() && wanted.allows(&node) {
                return Some(candidate(&node));
            }
        }
        None
    }
}

impl fmt::Debug for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mixed")
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}
