//! The last events of a running node, for clients of its admin socket.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(unix)]
use peermux_cli::request::Event;
use serde::Serialize;
use serde_json::{Map, Value};

/// The number of events that are kept.
///
/// The size of an event is bounded, because its longest text is a client name, which fits into a Hello.
const KEPT: usize = 200;

/// The last events of a node, numbered from 1. Clones share the events.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastEvents(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// The number of the last event.
    last: u64,
    /// The events, the oldest first, each with its number.
    events: VecDeque<(u64, Map<String, Value>)>,
}

impl LastEvents {
    /// Adds an event: the JSON object that `listen` prints.
    pub(crate) fn push(&self, event: &impl Serialize) -> serde_json::Result<()> {
        let Value::Object(event) = serde_json::to_value(event)? else {
            return Ok(());
        };
        let mut kept = self.lock();
        if kept.events.len() >= KEPT {
            kept.events.pop_front();
        }
        kept.last = kept.last.saturating_add(1);
        let number = kept.last;
        kept.events.push_back((number, event));
        Ok(())
    }

    /// Skips as many numbers as events were lost.
    pub(crate) fn skip(&self, lost: u64) {
        let mut kept = self.lock();
        kept.last = kept.last.saturating_add(lost);
    }

    /// Returns the events with a higher number than this, the oldest first.
    #[cfg(unix)]
    pub(crate) fn after(&self, number: u64) -> Vec<Event> {
        let kept = self.lock();
        let events = kept.events.iter().filter(|(own, _)| *own > number);
        events
            .map(|(number, what)| Event {
                number: *number,
                what: what.clone(),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers(events: &LastEvents, after: u64) -> Vec<u64> {
        let events = events.after(after);
        events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn the_last_events_are_kept_and_their_numbers_go_on() {
        let events = LastEvents::default();
        assert!(events.after(0).is_empty());
        for _ in 0..KEPT + 2 {
            let pushed = events.push(&json!({ "event": "peer_add" }));
            pushed.expect("JSON");
        }
        let all = numbers(&events, 0);
        assert_eq!(all.len(), KEPT);
        assert_eq!((all[0], all[KEPT - 1]), (3, KEPT as u64 + 2));
        assert_eq!(numbers(&events, KEPT as u64), [201, 202]);
        assert!(numbers(&events, u64::MAX).is_empty());
        let [event, _] = &events.after(200)[..] else {
            panic!("two events");
        };
        let line = serde_json::to_value(event).expect("JSON");
        assert_eq!(line, json!({ "number": 201, "event": "peer_add" }));
    }

    #[test]
    fn lost_events_leave_a_gap() {
        let events = LastEvents::default();
        events.skip(2);
        events.push(&json!({})).expect("JSON");
        events.skip(u64::MAX);
        events.push(&json!({})).expect("JSON");
        assert_eq!(numbers(&events, 0), [3, u64::MAX]);
    }
}
