//! Lookups of names.

use std::future::Future;

use super::LookupError;

/// Looks names up in the DNS.
///
/// With the feature `dns-resolver`, `DnsResolver` implements it.
pub trait Resolver: Send + Sync + 'static {
    /// Returns the TXT records of a full name without a dot at its end.
    ///
    /// The strings of each record are joined, and the records may come in any order. The caller
    /// limits the time, and cancels a lookup by dropping the future.
    ///
    /// # Errors
    /// [`LookupError::NotFound`] if there is no such record, [`LookupError::Failed`] for any other
    /// failure.
    fn texts(&self, name: &str) -> impl Future<Output = Result<Vec<String>, LookupError>> + Send;
}
