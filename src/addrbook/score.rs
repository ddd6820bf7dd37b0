//! A misbehaviour score that fades.

use std::time::{Duration, SystemTime};

use super::time::{age, is_ahead};

const HALF_LIFE: Duration = Duration::from_secs(60);

/// The age above which the fading part is zero, however large it was.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// A node's misbehaviour: a lasting part, and a part that fades.
///
/// The fading part halves every minute, and is zero after half an hour. Sums saturate. The default
/// is zero.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use peermux::addrbook::Score;
///
/// let (mut score, start) = (Score::default(), SystemTime::now());
/// assert_eq!(score.add(100, 50, start), 150);
/// assert_eq!(score.value(start + Duration::from_secs(60)), 125);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    pub(super) lasting: u32,
    /// The value at the time `since`.
    pub(super) fading: f64,
    pub(super) since: Option<SystemTime>,
}

impl Score {
    /// Adds to the lasting and to the fading part, and returns the score.
    pub fn add(&mut self, lasting: u32, fading: u32, now: SystemTime) -> u32 {
        self.lasting = self.lasting.saturating_add(lasting);
        self.fading = self.faded(now) + f64::from(fading);
        self.since = Some(now);
        self.value(now)
    }

    /// The score, rounded down.
    pub fn value(&self, now: SystemTime) -> u32 {
        // The cast saturates.
        self.lasting.saturating_add(self.faded(now) as u32)
    }

    fn faded(&self, now: SystemTime) -> f64 {
        let age = match self.since {
            Some(since) if is_ahead(now, since) => return 0.0,
            Some(since) => age(now, since),
            None => Duration::ZERO,
        };
        if age > LIFETIME {
            return 0.0;
        }
        self.fading * (-age.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2()
    }
}
