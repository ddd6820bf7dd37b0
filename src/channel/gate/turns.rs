//! Decides which class sends next, by urgency, and which lane within the class.
//!
//! Pure: no clock, no I/O.

use std::collections::VecDeque;

use crate::channel::Class;

/// For each byte that a waiting class sends, more urgent classes send this many bytes.
const PARTS: usize = 19;

/// The lanes that have messages.
///
/// Few lanes have messages at one time, and for most peers none has, so one queue for all classes
/// takes the least memory.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Each lane with its class. The lanes of a class are in the order of their turns.
    lanes: VecDeque<(Class, usize)>,
    /// How far the normal and bulk classes are behind, in bytes of more urgent classes.
    ///
    /// For each of the two classes, this is the number of bytes that more urgent classes sent while
    /// the class waited, minus [`PARTS`] times the bytes that the class itself has sent.
    passed_over: [usize; 2],
}

impl Turns {
    /// Adds a lane that has messages now.
    pub(super) fn join(&mut self, class: Class, lane: usize) {
        self.lanes.push_back((class, lane));
    }

    /// Removes the lane whose turn it is, because it has no more messages.
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

    /// Returns the class and the lane that send next, and their limit in bytes.
    ///
    /// If a more urgent class waits, the lane may send only one message. `first` returns the size
    /// of a lane's first message.
    pub(super) fn next(&self, first: impl Fn(usize) -> usize) -> Option<(Class, usize, usize)> {
        let mut waiting = Class::ALL
            .into_iter()
            .filter_map(|class| Some((class, self.front(class)?)));
        let (most_urgent, lane) = waiting.next()?;
        // The least urgent class is checked first, since it has fewer chances to send.
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
