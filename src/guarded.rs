//! Runs users' code so that its panic does not end the calling task.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt;

/// Calls `code`, which is named `what` in the log. Returns `None` if the code panics; the changes
/// that it made before the panic remain.
pub(crate) fn caught<T>(what: &str, code: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(code));
    result.map_err(|panic| report(what, &*panic)).ok()
}

/// Like [`caught`], for a future. If users' code creates the future, call that code inside `code`,
/// so that its panics are caught too.
pub(crate) async fn caught_async<T>(what: &str, code: impl Future<Output = T>) -> Option<T> {
    let result = AssertUnwindSafe(code).catch_unwind().await;
    result.map_err(|panic| report(what, &*panic)).ok()
}

#[cold]
fn report(what: &str, panic: &(dyn Any + Send)) {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("no message");
    tracing::error!(panic = message, "{what} panicked");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_yields_none_and_does_not_propagate() {
        assert_eq!(caught("a test", || 1), Some(1));
        assert_eq!(caught::<()>("a test", || panic!("a text")), None);
        assert_eq!(caught_async("a test", async { 1 }).await, Some(1));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("number {}", 1)
        };
        assert_eq!(caught_async::<()>("a test", panics).await, None);
    }
}
