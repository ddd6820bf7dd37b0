//! Where automatic connections get their addresses from.

use std::collections::VecDeque;
use std::future::Future;

use futures::future::BoxFuture;

use super::filter::DialFilter;
use crate::guarded::caught_async;

/// Finds what to connect to: a list, an address book, a discovery protocol. `T` is a
/// [`Candidate`](super::Candidate) for a manager, and an [`Enode`](crate::Enode) for a
/// [`Server`](crate::Server).
pub trait AddressSource<T>: Send + 'static {
    /// The next one to try: one that `filter` allows, since others are dropped. It may wait until
    /// there is one; `None` says that there is none now, and the manager asks again after a growing
    /// wait, as after a panic. One call runs at a time. Cancelled by drop when the manager stops.
    fn next(&mut self, filter: &DialFilter<T>) -> impl Future<Output = Option<T>> + Send;
}

/// Goes round a list: each allowed one in turn, for ever.
impl<T: Clone + Send + Sync + 'static> AddressSource<T> for VecDeque<T> {
    async fn next(&mut self, filter: &DialFilter<T>) -> Option<T> {
        let position = self.iter().position(|candidate| filter.allows(candidate))?;
        self.rotate_left(position);
        let found = self.pop_front()?;
        self.push_back(found.clone());
        Some(found)
    }
}

/// What an asked source resolves to: itself, for the next time, and its answer.
pub(crate) type Answer<T> = (Box<dyn DynSource<T>>, Option<T>);

/// An [`AddressSource`] of any type.
pub(crate) trait DynSource<T>: Send {
    fn ask(self: Box<Self>, filter: DialFilter<T>) -> BoxFuture<'static, Answer<T>>;
}

impl<T: 'static, S: AddressSource<T>> DynSource<T> for S {
    fn ask(mut self: Box<Self>, filter: DialFilter<T>) -> BoxFuture<'static, Answer<T>> {
        Box::pin(async move {
            let next = async { self.next(&filter).await };
            let answer = caught_async("a source of addresses", next).await;
            (self as Box<dyn DynSource<T>>, answer.flatten())
        })
    }
}
