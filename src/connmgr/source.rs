//! Sources of addresses for automatic connections.

use std::collections::VecDeque;
use std::future::Future;

use futures::future::BoxFuture;

use super::filter::DialFilter;
use crate::guarded::caught_async;

/// Finds addresses to connect to, for example from an address book or discovery.
///
/// `T` is a [`Candidate`](super::Candidate) for a manager. For a [`Server`](crate::Server) it is an
/// [`Enode`](crate::Enode), a [`NodeRecord`](crate::NodeRecord) or a [`Node`](crate::Node).
pub trait AddressSource<T>: Send + 'static {
    /// Returns the next address to try.
    ///
    /// The address must be one that `filter` allows, since the manager ignores all others. The
    /// source may wait until it has such an address. `None` means that there is none at present;
    /// the manager then asks again after a growing wait. A panic counts as `None`. Only one call
    /// runs at a time. The manager drops the future when it stops.
    fn next(&mut self, filter: &DialFilter<T>) -> impl Future<Output = Option<T>> + Send;
}

/// Returns the allowed addresses of the list in turn, endlessly.
impl<T: Clone + Send + Sync + 'static> AddressSource<T> for VecDeque<T> {
    async fn next(&mut self, filter: &DialFilter<T>) -> Option<T> {
        let position = self.iter().position(|candidate| filter.allows(candidate))?;
        self.rotate_left(position);
        let found = self.pop_front()?;
        self.push_back(found.clone());
        Some(found)
    }
}

/// The result of a call of `next`: the source itself, and its answer.
///
/// The source is returned so that it can be called again.
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
