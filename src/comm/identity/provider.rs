use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{IdentityError, IdentityProvider};
use crate::guarded::caught;

/// Calls the identity provider without blocking the runtime.
///
/// A slow provider, such as a check of certificates, runs on threads for blocking code. The
/// provider uses at most half of the processors at a time, but at least one. So strangers cannot
/// occupy all processors of a machine that has more than one.
pub(crate) struct Provider {
    provider: Arc<dyn IdentityProvider>,
    is_quick: bool,
    turns: Arc<Semaphore>,
}

impl Provider {
    pub(crate) fn new(provider: Arc<dyn IdentityProvider>) -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self {
            is_quick: provider.is_quick(),
            provider,
            turns: Arc::new(Semaphore::new((processors / 2).max(1))),
        }
    }

    /// The provider itself, for calls about this node's identity.
    pub(crate) fn direct(&self) -> &dyn IdentityProvider {
        &*self.provider
    }

    /// Asks the provider about a remote's identity, when it is the turn of this call.
    ///
    /// # Errors
    /// [`IdentityError::Unknown`] if the provider panics.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn IdentityProvider) -> T + Send + 'static,
    ) -> Result<T, IdentityError> {
        let provider = Arc::clone(&self.provider);
        let ask = move || caught("the identity provider", || question(&*provider));
        let answer = if self.is_quick {
            ask()
        } else {
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            // The work keeps its turn until it ends, even if the caller stops waiting.
            let work = spawn_blocking(move || {
                let answer = ask();
                drop(turn);
                answer
            });
            work.await.ok().flatten()
        };
        answer.ok_or_else(|| IdentityError::Unknown("its provider did not answer".to_owned()))
    }
}
