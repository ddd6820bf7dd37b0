//! The turns of classes by urgency, and of the lanes within a class.
//!
//! Pure: no clock, no I/O.

use std::collections::VecDeque;

use crate::channel::Class;

/// More urgent classes send this many bytes for each byte of a waiting class.
const PARTS: usize = 19;

/// The lanes that have messages.
///
/// There are few, and most peers have none, so one queue for all classes takes the least memory.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Each with its class, those of a class in the order of their turns.
    lanes: VecDeque<(Class, usize)>,
    /// Bytes that more urgent classes sent while a normal or a bulk class waited.
    ///
    /// Less [`PARTS`] times the bytes that the class has sent itself.
    passed_over: [usize; 2],
}

impl Turns {
    /// Adds a lane that has messages now.
    pub(super) fn join(&mut self, class: Class, lane: usize) {
        self.lanes.push_back((class, lane));
    }

    /// Removes the lane at the front of its class, which sends no more.
    pub(super) fn leave(&mut self, class: Class) {
        self.take_front(class);
        if self.front(class).is_none()
            && let Some(passed_over) = self.passed_over(class)
        {
            *passed_over = 0;
        }
    }

    /// Passes the turn to the next lane of a class.
    pub(super) fn rotate(&mut self, class: Class) {
        let front = self.take_front(class);
        self.lanes.extend(front);
    }

    /// Whether only one lane of a class has messages.
    pub(super) fn is_alone(&self, class: Class) -> bool {
        self.lanes.iter().filter(|(of, _)| *of == class).count() == 1
    }

    /// Returns the class and lane that send next, and how many bytes.
    ///
    /// That is one message if a more urgent class waits. `first` returns the size of a lane's first
    /// message.
    pub(super) fn next(&self, first: impl Fn(usize) -> usize) -> Option<(Class, usize, usize)> {
        let mut waiting = Class::ALL
            .into_iter()
            .filter_map(|class| Some((class, self.front(class)?)));
        let (most_urgent, lane) = waiting.next()?;
        // The least urgent goes first, since it has fewer chances.
        let due = waiting.rev().find_map(|(class, lane)| {
            let passed_over = self.passed_over.get(place(class)?)?;
            let (share, one) = (passed_over / PARTS, first(lane));
            (share >= one).then_some((class, lane, one))
        });
        Some(due.unwrap_or((most_urgent, lane, usize::MAX)))
    }

    /// Counts the bytes that a class has sent.
    pub(super) fn sent(&mut self, class: Class, bytes: usize) {
        if let Some(own) = self.passed_over(class) {
            *own = own.saturating_sub(bytes.saturating_mul(PARTS));
        }
        for other in Class::ALL {
            if other > class
                && self.front(other).is_some()
                && let Some(sum) = self.passed_over(other)
            {
                *sum = sum.saturating_add(bytes);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn front(&self, class: Class) -> Option<usize> {
        let mut lanes = self.lanes.iter();
        lanes.find(|(of, _)| *of == class).map(|(_, lane)| *lane)
    }

    fn take_front(&mut self, class: Class) -> Option<(Class, usize)> {
        let place = self.lanes.iter().position(|(of, _)| *of == class)?;
        self.lanes.remove(place)
    }

    fn passed_over(&mut self, class: Class) -> Option<&mut usize> {
        self.passed_over.get_mut(place(class)?)
    }
}

/// The index of a class among those that can be passed over.
fn place(class: Class) -> Option<usize> {
    (class as usize).checked_sub(1)
}
