//! Handshakes take turns, so that a burst of them does not delay established peers.

use std::num::NonZero;
use std::pin::pin;
use std::thread::available_parallelism;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Turns for the public-key cryptography of a node's handshakes.
///
/// A step of a handshake occupies a thread for at least 0.1 ms. If many steps ran at once, a
/// message of an established peer would wait for all steps before it. Therefore there are half as
/// many turns as processors, but at least one.
///
/// Waiting steps are woken in order of arrival, but a new step may overtake them when a turn
/// becomes free. A turn reserved for the first waiting step would be idle until its task is
/// scheduled, which would cost a fifth of the connection rate when the processors are busy.
#[derive(Debug)]
pub(crate) struct Turns {
    free: Semaphore,
    given_back: Notify,
    #[cfg(debug_assertions)]
    times: super::debug_build::StepTimes,
}

impl Turns {
    pub(crate) fn new() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self::of((processors / 2).max(1))
    }

    fn of(turns: usize) -> Self {
        Self {
            free: Semaphore::new(turns),
            given_back: Notify::new(),
            #[cfg(debug_assertions)]
            times: super::debug_build::StepTimes::new(),
        }
    }

    /// Runs `step` when a turn is free.
    ///
    /// `step` cannot wait, so no turn is held while a remote is silent.
    ///
    /// # Cancel safety
    /// Cancel safe: a dropped call has not run `step`, and holds no turn.
    pub(crate) async fn take<R>(&self, step: impl FnOnce() -> R) -> R {
        let _turn = match self.take_free() {
            Some(turn) => turn,
            None => self.wait().await,
        };
        #[cfg(debug_assertions)]
        return self.times.time(step);
        #[cfg(not(debug_assertions))]
        step()
    }

    async fn wait(&self) -> Turn<'_> {
        loop {
            let mut given_back = pin!(self.given_back.notified());
            // Registers before the check, so no notification is lost.
            given_back.as_mut().enable();
            if let Some(turn) = self.take_free() {
                return turn;
            }
            given_back.await;
        }
    }

    fn take_free(&self) -> Option<Turn<'_>> {
        let permit = self.free.try_acquire().ok()?;
        Some(Turn {
            turns: self,
            permit: Some(permit),
        })
    }
}

/// A turn, released on drop.
struct Turn<'a> {
    turns: &'a Turns,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // The permit must be free before the notification.
        drop(self.permit.take());
        self.turns.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::poll;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn waiting_steps_run_in_order_and_others_in_between() {
        let (turns, order) = (Arc::new(Turns::of(1)), Arc::new(Mutex::new(Vec::new())));
        let note = |what| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap().push(what)
        };
        let turn = turns.take_free().unwrap();
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
        assert_eq!(*order.lock().unwrap(), [1, 0, 2, 3]);
    }

    #[tokio::test]
    async fn a_free_turn_is_not_kept_for_sleeping_tasks() {
        let turns = Turns::of(1);
        let turn = turns.take_free().unwrap();
        let mut asleep = Box::pin(turns.take(|| 1));
        assert!(poll!(&mut asleep).is_pending());
        drop(turn);
        assert_eq!(turns.take(|| 2).await, 2, "overtakes");
        assert_eq!(asleep.await, 1, "is notified again");
    }

    #[tokio::test]
    async fn a_cancelled_call_passes_on_its_notification() {
        let turns = Turns::of(1);
        let turn = turns.take_free().unwrap();
        let mut given_up = Box::pin(turns.take::<()>(|| unreachable!("dropped before")));
        let mut waiting = Box::pin(turns.take(|| 7));
        assert!(poll!(&mut given_up).is_pending());
        assert!(poll!(&mut waiting).is_pending());
        drop(turn);
        drop(given_up);
        assert_eq!(waiting.await, 7);
    }

    #[tokio::test]
    async fn turns_released_together_reach_all_waiting_steps() {
        let turns = Turns::of(2);
        let held = [turns.take_free(), turns.take_free()];
        let mut first = Box::pin(turns.wait());
        let mut second = Box::pin(turns.wait());
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        drop(held);
        assert!(poll!(&mut first).is_ready());
        assert!(poll!(&mut second).is_ready());
    }
}
