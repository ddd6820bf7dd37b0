//! Handshakes take turns, so that a storm of them does not keep established peers waiting.

use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// Turns for the public-key cryptography of a node's handshakes.
///
/// One step of a handshake occupies a thread for 0.1 ms and more. Were all of them due at once,
/// each message of an established peer would wait for all that came before it. So there are half as
/// many turns as processors, at least one, first come, first served; and whoever had to wait for a
/// turn lets all else that is due go first once more.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

impl Turns {
    pub(crate) fn new() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self::of((processors / 2).max(1))
    }

    fn of(turns: usize) -> Self {
        Self(Semaphore::new(turns))
    }

    /// Takes `step` in turn. It cannot wait for anything, so no turn is ever held while a remote is
    /// waited for. Cancel safe: a dropped call has given its turn back, with nothing done.
    pub(crate) async fn take<R>(&self, step: impl FnOnce() -> R) -> R {
        // The semaphore is never closed. While somebody waits for a turn, none is free to overtake.
        let _turn = match self.0.try_acquire() {
            Ok(turn) => Ok(turn),
            Err(_) => {
                let turn = self.0.acquire().await;
                yield_now().await;
                turn
            }
        };
        step()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn waiting_steps_come_in_order_and_behind_all_else() {
        let (turns, order) = (Arc::new(Turns::of(1)), Arc::new(Mutex::new(Vec::new())));
        let note = |what| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap().push(what)
        };
        let turn = turns.0.acquire().await.unwrap();
        let mut tasks = Vec::new();
        for number in 1..4 {
            let (turns, step) = (Arc::clone(&turns), note(number));
            tasks.push(tokio::spawn(async move { turns.take(step).await }));
        }
        yield_now().await;
        assert!(order.lock().unwrap().is_empty(), "somebody else's turn");
        drop(turn);
        let other = note(0);
        tasks.push(tokio::spawn(async move { other() }));
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_holds_no_turn() {
        let turns = Turns::of(1);
        let turn = turns.0.acquire().await.unwrap();
        let mut waiting = Box::pin(turns.take::<()>(|| unreachable!("given up before")));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(turn);
        // It has the turn now, and lets others go first.
        assert!(futures::poll!(&mut waiting).is_pending());
        assert_eq!(turns.0.available_permits(), 0);
        drop(waiting);
        assert_eq!(turns.take(|| 7).await, 7);
    }
}
