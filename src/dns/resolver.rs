//! Who answers for names.

use std::future::Future;

use super::LookupError;

/// Looks names up in the DNS. With the feature `dns-resolver`, `DnsResolver` is one.
pub trait Resolver: Send + Sync + 'static {
    /// The TXT records of a full name, which has no dot at its end: each one's strings joined, in any
    /// order. The caller bounds it in time, and gives it up by dropping the future.
    ///
    /// # Errors
    /// [`LookupError::NotFound`] if there is no such record, [`LookupError::Failed`] otherwise.
    fn texts(&self, name: &str) -> impl Future<Output = Result<Vec<String>, LookupError>> + Send;
}
