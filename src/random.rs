//! The source of a node's randomness.

use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng};

use crate::mutex::Mutex;

/// The single source of randomness for all parts of a node. It is the operating system's source, or
/// a seeded one that allows a run to be replayed.
#[derive(Debug, Default)]
pub(crate) struct Random(Option<Mutex<StdRng>>);

impl Random {
    /// Returns a source that draws the same values in each run. The seed reveals every drawn key.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Some(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Draws from the source itself. If the source is seeded, other callers wait in the meantime.
    pub(crate) fn draw<R>(&self, draw: impl FnOnce(&mut (dyn CryptoRng + 'static)) -> R) -> R {
        match &self.0 {
            Some(seeded) => draw(&mut *seeded.lock()),
            None => draw(&mut rand::rng()),
        }
    }

    /// Returns a generator for one part of the node. Draws of other parts do not affect it.
    pub(crate) fn fork(&self) -> StdRng {
        match &self.0 {
            Some(seeded) => StdRng::from_rng(&mut *seeded.lock()),
            None => rand::make_rng(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt};

    use super::*;

    fn numbers(random: &Random) -> [u64; 3] {
        let mut fork = random.fork();
        [
            fork.next_u64(),
            random.draw(|rng| rng.random_range(0..u64::MAX)),
            random.fork().next_u64(),
        ]
    }

    #[test]
    fn only_a_seed_repeats_its_values() {
        let seeded = |seed| numbers(&Random::seeded(seed));
        assert_eq!(seeded(1), seeded(1));
        assert_ne!(seeded(1), seeded(2));
        let [first, second, third] = seeded(1);
        assert!(first != second && second != third && first != third);
        assert_ne!(numbers(&Random::default()), numbers(&Random::default()));
    }
}
