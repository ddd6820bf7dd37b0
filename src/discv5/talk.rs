//! Talk requests of users' own protocols over Discovery v5.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use discv5::TalkRequest as Theirs;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tracing::debug;

use super::record::from_id;
use crate::guarded::caught_async;
use crate::node::NodeId;

/// The maximum length of an answer. Such an answer fits into a packet of 1,280 bytes.
const MAX_ANSWER: usize = 1024;

/// A request that another node sent over discovery to a protocol of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Talk {
    /// The sender, whose id is proven.
    pub from: NodeId,
    /// The request, at most 1,280 bytes.
    pub request: Vec<u8>,
}

type Answer = Arc<dyn Fn(Talk) -> BoxFuture<'static, Vec<u8>> + Send + Sync>;

/// The handlers by protocol.
#[derive(Clone, Default)]
pub(super) struct Talks(BTreeMap<Vec<u8>, Answer>);

impl Talks {
    pub(super) fn insert<F, Fut>(&mut self, protocol: Vec<u8>, answer: F)
    where
        F: Fn(Talk) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<u8>> + Send + 'static,
    {
        let answer: Answer = Arc::new(move |talk| Box::pin(answer(talk)));
        self.0.insert(protocol, answer);
    }

    /// Returns the future of the answer, if there is a handler and a free slot.
    ///
    /// Otherwise the request is dropped, and dropping a request sends an empty answer.
    pub(super) fn answer(
        &self,
        request: Theirs,
        places: &Arc<Semaphore>,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        let answer = Arc::clone(self.0.get(request.protocol())?);
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        let talk = Talk {
            from: from_id(request.node_id()),
            request: request.body().to_vec(),
        };
        Some(async move {
            let _place = place;
            let from = talk.from;
            let made = caught_async("a talk handler", async { answer(talk).await }).await;
            match made {
                Some(made) if made.len() <= MAX_ANSWER => {
                    if let Err(error) = request.respond(made) {
                        debug!(%from, %error, "a talk request was not answered");
                    }
                }
                Some(made) => debug!(
                    %from, length = made.len(), limit = MAX_ANSWER,
                    "the answer to a talk request is too long"
                ),
                None => {}
            }
        })
    }
}

impl fmt::Debug for Talks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocols = self.0.keys().map(|name| String::from_utf8_lossy(name));
        f.debug_set().entries(protocols).finish()
    }
}
