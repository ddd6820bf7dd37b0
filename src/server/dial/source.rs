//! The sources of nodes to dial.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::timeout;

use super::{NodeAddr, candidate};
use crate::connmgr::{AddressSource, Answer, Candidate, DialFilter, DynSource};
use crate::node::{Enode, Node};
use crate::server::checks::NodeStore;

/// How long to wait for a source while no other source has a node.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many nodes are drawn from the store at once.
const REMEMBERED: usize = 64;

/// How many unwanted nodes are drawn before the sources return `None`. The manager then waits before
/// it asks again.
const DRAWS: usize = 64;

/// The store of nodes as a source.
pub(crate) struct Remembered(pub(crate) Arc<dyn NodeStore>);

impl AddressSource<Enode> for Remembered {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        let drawn = self.0.draw(REMEMBERED);
        drawn.into_iter().find(|node| wanted.allows(node))
    }
}

/// Returns a source of enodes or records as a source of nodes.
pub(crate) fn nodes_of<N>(source: impl AddressSource<N>) -> Box<dyn DynSource<Node>>
where
    N: Into<Node> + Clone + 'static,
{
    let of = PhantomData;
    Box::new(Nodes { source, of })
}

struct Nodes<S, N> {
    source: S,
    of: PhantomData<fn() -> N>,
}

impl<S: AddressSource<N>, N: Into<Node> + Clone + 'static> AddressSource<Node> for Nodes<S, N> {
    async fn next(&mut self, wanted: &DialFilter<Node>) -> Option<Node> {
        let wanted = wanted.clone();
        let wanted = DialFilter::new(move |found: &N| wanted.allows(&found.clone().into()));
        self.source.next(&wanted).await.map(Into::into)
    }
}

/// Several sources that take turns. A waiting source does not delay the others.
pub(crate) struct Mixed {
    /// The source with the next turn is first.
    sources: VecDeque<State>,
    /// The nodes that may be dialled, whatever the source.
    permitted: DialFilter<Node>,
}

enum State {
    Idle(Box<dyn DynSource<Node>>),
    Asked(BoxFuture<'static, Answer<Node>>),
}

impl Mixed {
    pub(crate) fn new(sources: Vec<Box<dyn DynSource<Node>>>, permitted: DialFilter<Node>) -> Self {
        Self {
            sources: sources.into_iter().map(State::Idle).collect(),
            permitted,
        }
    }

    /// Asks all idle sources at once, and returns the first node. If several sources have one, the
    /// source with the next turn wins. Returns `None` if there is none within [`PATIENCE`].
    async fn any(&mut self, wanted: &DialFilter<Node>) -> Option<Node> {
        for state in &mut self.sources {
            if let State::Idle(_) = state {
                state.ask(wanted);
            }
        }
        let first = poll_fn(|cx| self.poll(cx));
        timeout(PATIENCE, first).await.ok().flatten()
    }

    /// Returns `Ready(None)` once every source has reported that it has no node.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Node>> {
        let mut waiting = false;
        for position in 0..self.sources.len() {
            let Some(state) = self.sources.get_mut(position) else {
                break;
            };
            match state.poll(cx) {
                Poll::Ready(None) => {}
                Poll::Pending => waiting = true,
                Poll::Ready(Some(node)) => {
                    // The source's next turn comes after the turns of all other sources.
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
    fn ask(&mut self, wanted: &DialFilter<Node>) {
        let idle = std::mem::replace(self, Self::Asked(Box::pin(std::future::pending())));
        *self = match idle {
            Self::Idle(source) => Self::Asked(source.ask(wanted.clone())),
            asked @ Self::Asked(_) => asked,
        };
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Node>> {
        let Self::Asked(answer) = self else {
            return Poll::Ready(None);
        };
        answer.as_mut().poll(cx).map(|(source, answer)| {
            *self = Self::Idle(source);
            answer
        })
    }
}

impl AddressSource<Candidate<NodeAddr>> for Mixed {
    async fn next(
        &mut self,
        filter: &DialFilter<Candidate<NodeAddr>>,
    ) -> Option<Candidate<NodeAddr>> {
        let (filter, permitted) = (filter.clone(), self.permitted.clone());
        let wanted = DialFilter::new(move |node: &Node| {
            let enode = node.to_enode();
            // The user's filter comes last, since it may be slow.
            enode.tcp_endpoint().is_some()
                && filter.allows(&candidate(&enode))
                && permitted.allows(node)
        });
        for _ in 0..DRAWS {
            let node = self.any(&wanted).await?;
            // A source that waited may return a node that is no longer wanted.
            if wanted.allows(&node) {
                return Some(candidate(&node.to_enode()));
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::time::sleep;

    use super::*;
    use crate::connmgr::Family;
    use crate::node::SecretKey;

    /// A source that returns another node each time, after a wait. All its nodes have
    /// the same IP address.
    struct Endless {
        ip: [u8; 4],
        port: u16,
        after: Duration,
    }

    impl AddressSource<Enode> for Endless {
        async fn next(&mut self, _: &DialFilter<Enode>) -> Option<Enode> {
            if !self.after.is_zero() {
                sleep(self.after).await;
            }
            self.port += 1;
            let key = SecretKey::from_bytes(&[1; 32]).unwrap().public_key();
            Some(Enode::new(key, SocketAddr::from((self.ip, self.port))))
        }
    }

    /// Returns how many of 300 dialled nodes are from each source, with pauses between dials.
    async fn dialled(slow: Duration, pause: Duration) -> [usize; 3] {
        let sources = [Duration::ZERO, slow, Duration::ZERO];
        let sources = sources.into_iter().zip(1..).map(|(after, number)| {
            let (ip, port) = ([20, number, 0, 1], 0);
            nodes_of(Endless { ip, port, after })
        });
        let mut mixed = Mixed::new(sources.collect(), DialFilter::new(|_| true));
        let all = DialFilter::new(|_: &Candidate<NodeAddr>| true);
        let mut counts = [0; 3];
        for _ in 0..300 {
            let found = mixed.next(&all).await.unwrap();
            assert_eq!(found.family(), Some(Family::V4));
            let node = super::super::node_of(&found).unwrap();
            let addr = node.endpoint().unwrap().socket_addr().unwrap();
            for (count, number) in counts.iter_mut().zip(1..) {
                *count += usize::from(addr.ip() == SocketAddr::from(([20, number, 0, 1], 0)).ip());
            }
            sleep(pause).await;
        }
        counts
    }

    #[tokio::test(start_paused = true)]
    async fn a_productive_source_does_not_starve_others() {
        // Automatic dials begin at this rate, twice a second.
        let pause = Duration::from_millis(500);
        assert_eq!(dialled(Duration::ZERO, pause).await, [100; 3]);
        // A source that needs longer than the time between its turns supplies as many nodes as it
        // can. The other sources share the rest.
        for (seconds, least) in [(1, 60), (3, 30)] {
            let counts = dialled(Duration::from_secs(seconds), pause).await;
            let [first, slow, second] = counts;
            assert!(slow >= least && first.abs_diff(second) <= 2, "{counts:?}");
        }
    }
}
