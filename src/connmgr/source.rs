//! Where automatic connections get their addresses from.

use std::collections::VecDeque;
use std::future::Future;

use futures::future::BoxFuture;

use super::filter::DialFilter;
use super::request::{Address, Candidate};

/// Finds addresses for automatic connections.
pub trait AddressSource<A: Address>: Send + 'static {
    /// The next address to try: one that `filter` allows, since others are dropped. It may wait
    /// until there is one; `None` says that there is none now, and the manager asks again after a
    /// growing wait. One call runs at a time. Cancelled by drop when the manager stops.
    fn next(&mut self, filter: &DialFilter<A>)
    -> impl Future<Output = Option<Candidate<A>>> + Send;
}

/// Goes round a list: each allowed candidate in turn, for ever.
impl<A: Address> AddressSource<A> for VecDeque<Candidate<A>> {
    async fn next(&mut self, filter: &DialFilter<A>) -> Option<Candidate<A>> {
        let position = self.iter().position(|candidate| filter.allows(candidate))?;
        self.rotate_left(position);
        let found = self.pop_front()?;
        self.push_back(found.clone());
        Some(found)
    }
}

/// What an asked source resolves to: itself, for the next time, and its answer.
pub(super) type Answer<A> = (Box<dyn DynSource<A>>, Option<Candidate<A>>);

/// An [`AddressSource`] of any type.
pub(super) trait DynSource<A: Address>: Send {
    fn ask(self: Box<Self>, filter: DialFilter<A>) -> BoxFuture<'static, Answer<A>>;
}

impl<A: Address, S: AddressSource<A>> DynSource<A> for S {
    fn ask(mut self: Box<Self>, filter: DialFilter<A>) -> BoxFuture<'static, Answer<A>> {
        Box::pin(async move {
            let answer = self.next(&filter).await;
            (self as Box<dyn DynSource<A>>, answer)
        })
    }
}
