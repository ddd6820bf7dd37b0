//! The source of the headers in this node's answers.

use std::fmt;
use std::future::Future;

use futures::FutureExt;
use futures::future::BoxFuture;
use peermux::Peer;

use super::{Header, HeadersQuery, MAX_HEADERS, MAX_RESPONSE};

type HeadersFn = dyn Fn(Peer, HeadersQuery) -> BoxFuture<'static, Vec<Header>> + Send + Sync;

/// The application's function that answers header queries, if set.
#[derive(Default)]
pub(super) struct Store(Option<Box<HeadersFn>>);

impl Store {
    pub(super) fn new<F, Fut>(headers: F) -> Self
    where
        F: Fn(Peer, HeadersQuery) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Header>> + Send + 'static,
    {
        Self(Some(Box::new(move |peer, query| {
            headers(peer, query).boxed()
        })))
    }

    /// Returns the headers for a peer's query, as many as fit into a response.
    pub(super) async fn headers(&self, peer: Peer, mut query: HeadersQuery) -> Vec<Header> {
        query.limit = query.limit.min(MAX_HEADERS as u64);
        let Some(headers) = self.0.as_ref().filter(|_| query.limit > 0) else {
            return Vec::new();
        };
        let mut headers = headers(peer, query).await;
        headers.truncate(usize::try_from(query.limit).unwrap_or(MAX_HEADERS));
        let mut size = 0_usize;
        let fit = headers.iter().take_while(|header| {
            let first = size == 0;
            size = size.saturating_add(header.as_bytes().len());
            first || size <= MAX_RESPONSE
        });
        let fit = fit.count();
        headers.truncate(fit);
        headers
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Store" } else { "none" })
    }
}
